/** What somebody may do about themselves, and an owner about the others. */
import { api } from './api.js';
import { showProblems } from './change.js';
import { h, notice, replace, time } from './dom.js';
import { canHavePasskeys, makePasskey } from './passkeys.js';

/** @param {HTMLElement} into */
export async function showAccount(into) {
  const passkeys = h('section', { class: 'card' });
  const load = async () => replace(passkeys, ...passkeyCard(await api('GET', '/passkeys'), load));
  replace(into, h('h1', {}, 'Account'), passkeys);
  await load();
  return load;
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
          { type: 'button', class: 'danger', 'aria-label': `Remove ${name}`, onclick: () => remove(id, load) },
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
 * @param {string} id
 * @param {() => Promise<void>} load
 */
async function remove(id, load) {
  try {
    await api('DELETE', `/passkeys/${encodeURIComponent(id)}`, {});
    await load();
  } catch (error) {
    notice(/** @type {Error} */ (error).message);
  }
}
