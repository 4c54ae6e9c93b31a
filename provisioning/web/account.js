/** What somebody may do about themselves, and an owner about the others. */
import { api } from './api.js';
import { ask, showProblems } from './change.js';
import { h, notice, replace, time } from './dom.js';
import { canHavePasskeys, makePasskey } from './passkeys.js';

/** @param {HTMLElement} into */
export async function showAccount(into) {
  const passkeys = h('section', { class: 'card' });
  const load = async () => replace(passkeys, ...passkeyCard(await api('GET', '/passkeys'), load));
  const others = h('section', {});
  replace(into, h('h1', {}, 'Account'), passkeys, others);
  await load();
  const { role } = await api('GET', '/me');
  if (role === 'owner') await showOperators(others);
  return load;
}

const roles = ['viewer', 'operator', 'owner'];

/** @param {HTMLElement} into */
async function showOperators(into) {
  const made = h('div', { 'aria-live': 'polite' });
  const list = h('tbody', {});
  const load = async () =>
    replace(list, ...(await api('GET', '/operators')).map((/** @type {any} */ one) => line(one, load)));
  /** @type {HTMLFormElement} */
  const form = h(
    'form',
    {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        const data = new FormData(form);
        try {
          const operator = { name: data.get('name'), role: data.get('role') };
          replace(made, secrets(await api('POST', '/operators', operator)));
          form.reset();
          await load();
        } catch (error) {
          showProblems(form, error);
        }
      },
    },
    h('label', {}, 'Name of a new operator', h('input', { name: 'name', required: true, autocomplete: 'off' })),
    h('label', {}, 'Role', h('select', { name: 'role' }, ...roles.map((role) => h('option', {}, role)))),
    h('button', { class: 'main' }, 'Add an operator'),
  );
  const table = h('table', { class: 'cards' }, list);
  replace(into, h('div', { class: 'card' }, h('h2', {}, 'Operators'), table, form, made));
  await load();
}

/**
 * @param {{ name: string, role: string, passkeys: number, createdAt: number }} operator
 * @param {() => Promise<void>} load
 */
function line({ name, role, passkeys, createdAt }, load) {
  const gone = async () => {
    if (await ask(`Remove ${name}`, [h('p', {}, 'At once, with every session and passkey.')])) {
      await remove(`/operators/${encodeURIComponent(name)}`, load);
    }
  };
  return h(
    'tr',
    {},
    h('td', {}, name),
    h('td', { 'data-name': 'role' }, role),
    h('td', { 'data-name': 'passkeys' }, passkeys),
    h('td', { 'data-name': 'since' }, time(createdAt)),
    h(
      'td',
      {},
      h('button', { type: 'button', class: 'danger', 'aria-label': `Remove ${name}`, onclick: gone }, 'Remove'),
    ),
  );
}

/** @param {{ name: string, password: string, otpauth: string, qr: string }} made */
function secrets({ name, password, otpauth, qr }) {
  return h(
    'div',
    {},
    h('p', {}, `For ${name}. Both are shown only now.`),
    h('p', {}, 'Password:'),
    h('p', { class: 'token' }, password),
    h('p', {}, 'Authenticator:'),
    h('img', { class: 'qr', alt: 'QR code for an authenticator', src: `data:image/svg+xml,${encodeURIComponent(qr)}` }),
    h('p', { class: 'token' }, otpauth),
  );
}

/**
 * @param {{ id: string, name: string, rpId: string, createdAt: number, usedAt: number | null }[]} passkeys
 * @param {() => Promise<void>} load
 */
function passkeyCard(passkeys, load) {
  const lines = passkeys.map(({ id, name, rpId, createdAt, usedAt }) =>
    h(
      'tr',
      {},
      h('td', {}, name),
      h('td', { 'data-name': 'for' }, rpId),
      h('td', { 'data-name': 'made' }, time(createdAt)),
      h('td', { 'data-name': 'used' }, time(usedAt)),
      h(
        'td',
        {},
        h(
          'button',
          {
            type: 'button',
            class: 'danger',
            'aria-label': `Remove ${name}`,
            onclick: () => remove(`/passkeys/${encodeURIComponent(id)}`, load),
          },
          'Remove',
        ),
      ),
    ),
  );
  return [
    h('h2', {}, 'Passkeys'),
    h('p', {}, 'A passkey of this device or of a security key logs you in without password and code.'),
    lines.length > 0 && h('table', { class: 'cards' }, h('tbody', {}, ...lines)),
    canHavePasskeys() ? newPasskey(load) : h('p', { class: 'quiet' }, `To add one, open this page as ${byName()}.`),
  ];
}

function byName() {
  return `https://localhost:${location.port} or by a name with a certificate that this browser trusts`;
}

/** @param {() => Promise<void>} load */
function newPasskey(load) {
  const form = h(
    'form',
    {
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        try {
          await makePasskey(String(new FormData(form).get('name')));
          notice('The passkey is added.');
          await load();
        } catch (error) {
          showProblems(form, error);
        }
      },
    },
    h(
      'label',
      {},
      'Name of a new passkey',
      h('small', {}, 'for you, such as "phone"'),
      h('input', { name: 'name', required: true, maxlength: '60', autocomplete: 'off' }),
    ),
    h('button', { class: 'main' }, 'Add a passkey'),
  );
  return form;
}

/**
 * @param {string} path
 * @param {() => Promise<void>} load
 */
async function remove(path, load) {
  try {
    await api('DELETE', path, {});
    await load();
  } catch (error) {
    notice(/** @type {Error} */ (error).message);
  }
}
