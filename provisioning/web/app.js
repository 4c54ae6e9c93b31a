/** Who is there, what is shown, and when it is shown again. */
import { showAccount } from './account.js';
import { showAdd, showImport } from './add.js';
import { api, useToken } from './api.js';
import { showProblems } from './change.js';
import { showDevice } from './device.js';
import { byId, h, replace } from './dom.js';
import { showFleet } from './fleet.js';
import { showEvents, showRevision, showRevisions } from './history.js';
import { canHavePasskeys, loginByPasskey } from './passkeys.js';
import { showRecords } from './records.js';
import { showRelease } from './release.js';

/** Each shows itself, and returns how it is shown again when something has changed.
 * @type {Record<string, (into: HTMLElement, name: string) => Promise<void | (() => Promise<void>)>>} */
const views = {
  fleet: showFleet,
  device: showDevice,
  add: showAdd,
  import: showImport,
  records: (into, kind) => showRecords(into, kind || 'policy'),
  history: showRevisions,
  revision: showRevision,
  events: showEvents,
  account: showAccount,
  release: showRelease,
};

const links = {
  fleet: 'Fleet',
  add: 'Add a box',
  import: 'Import',
  records: 'Records',
  history: 'History',
  events: 'Events',
  account: 'Account',
};

/** @type {void | (() => Promise<void>)} */
let again;
/** @type {EventSource | null} */
let live = null;
/** @type {any} */
let me = null;

async function show() {
  const [, view = 'fleet', name = ''] = location.hash.split('/');
  const key = view in views ? view : 'fleet';
  bar(key);
  document.title = `${links[/** @type {keyof typeof links} */ (key)] ?? decodeURIComponent(name)} – moat`;
  const content = byId('content');
  again = undefined;
  try {
    again = await views[key]?.(content, decodeURIComponent(name));
  } catch (error) {
    replace(content, h('p', { role: 'alert' }, /** @type {Error} */ (error).message));
  }
}

/** @param {string} current */
function bar(current) {
  const state = h('span', { class: 'live', id: 'live' }, live?.readyState === 1 ? 'live' : 'connecting');
  replace(
    byId('bar'),
    h(
      'nav',
      { 'aria-label': 'Main' },
      h('a', { class: 'brand', href: '#/fleet' }, `moat ${me.portal}`),
      ...Object.entries(links).map(([view, text]) =>
        h('a', { href: `#/${view}`, 'aria-current': view === current ? 'page' : undefined }, text),
      ),
      h(
        'span',
        { class: 'who' },
        state,
        `${me.name} (${me.role})`,
        h('button', { type: 'button', class: 'plain', onclick: logOut }, 'Log out'),
      ),
    ),
  );
}

async function logOut() {
  await api('POST', '/logout');
  location.reload();
}

function listen() {
  live?.close();
  live = new EventSource('/api/live');
  const state = (/** @type {string} */ text) => {
    const element = document.getElementById('live');
    if (element) element.textContent = text;
  };
  live.onopen = () => state('live');
  live.onerror = () => state('connecting');
  let timer = 0;
  /** @param {number} wait */
  const soon = (wait) => () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      if (!document.querySelector('dialog[open]')) again?.().catch(() => {});
    }, wait);
  };
  live.addEventListener('revision', soon(100));
  live.addEventListener('status', soon(3000));
}

function showLogin() {
  live?.close();
  byId('bar').replaceChildren();
  /** @type {HTMLFormElement} */
  const form = h(
    'form',
    {
      class: 'card',
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        const data = new FormData(form);
        try {
          await api('POST', '/login', {
            name: data.get('name'),
            password: data.get('password'),
            totp: data.get('totp'),
          });
          await start();
        } catch (error) {
          showProblems(form, error);
        }
      },
    },
    h('label', {}, 'Name', h('input', { name: 'name', autocomplete: 'username', required: true, autofocus: true })),
    h(
      'label',
      {},
      'Password',
      h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true }),
    ),
    h(
      'label',
      {},
      'Code',
      h('small', {}, 'six digits of your authenticator'),
      h('input', { name: 'totp', inputmode: 'numeric', autocomplete: 'one-time-code', required: true }),
    ),
    h('button', { class: 'main' }, 'Log in'),
    canHavePasskeys() && h('button', { type: 'button', onclick: () => byPasskey(form) }, 'Use a passkey'),
  );
  replace(byId('content'), h('h1', {}, 'moat'), form);
  form.querySelector('input')?.focus();
}

/** @param {HTMLFormElement} form */
async function byPasskey(form) {
  try {
    await loginByPasskey();
    await start();
  } catch (error) {
    showProblems(form, error);
  }
}

async function start() {
  try {
    me = await api('GET', '/me');
  } catch {
    return; // `loggedout` has been heard
  }
  useToken(me.csrf);
  listen();
  await show();
}

window.addEventListener('loggedout', showLogin);
window.addEventListener('hashchange', () => show().then(() => byId('content').focus()));
start();
