/** How far a roll-out is. */
import { api } from './api.js';
import { fieldList, h, replace } from './dom.js';

/**
 * @param {HTMLElement} into
 * @param {string} name
 */
export async function showRelease(into, name) {
  const load = async () => draw(into, name, await api('GET', `/releases/${encodeURIComponent(name)}`));
  await load();
  return load;
}

/**
 * @param {HTMLElement} into
 * @param {string} name
 * @param {{ channel: number, offered: number, downloading: number, installed: number, failed: { device: string, problem: string }[] }} progress
 */
function draw(into, name, { channel, offered, downloading, installed, failed }) {
  const done = installed + failed.length;
  replace(
    into,
    h('h1', {}, `Release ${name}`),
    h(
      'section',
      { class: 'card' },
      h(
        'p',
        {},
        h('meter', { max: String(Math.max(offered, done, 1)), value: String(done), 'aria-hidden': 'true' }),
        ` ${installed} of ${offered} boxes run it`,
      ),
      fieldList({
        'boxes of its channel': channel,
        'offered to': offered,
        'being installed': downloading,
        installed,
        'taken back': failed.length,
      }),
    ),
    failed.length > 0 && h('section', { class: 'card' }, h('h2', {}, 'Went back'), failedTable(failed)),
    h('p', {}, h('a', { href: '#/records/release' }, 'All releases')),
  );
}

/** @param {{ device: string, problem: string }[]} failed */
function failedTable(failed) {
  const lines = failed.map(({ device, problem }) =>
    h(
      'tr',
      {},
      h('td', {}, h('a', { href: `#/device/${encodeURIComponent(device)}` }, device)),
      h('td', {}, problem || 'The box did not say why.'),
    ),
  );
  return h('table', { class: 'cards' }, h('tbody', {}, ...lines));
}
