/** Everything else that is kept: policies, pools, portals, releases, ... as JSON, checked by the portal. */
import { api } from './api.js';
import { previewAndMake, showProblems } from './change.js';
import { fieldList, h, replace, shown } from './dom.js';

const kinds = ['customer', 'site', 'policy', 'zone', 'dns-zone', 'pool', 'portal', 'release', 'device'];

/** @type {Record<string, object>} what a new record may look like */
const examples = {
  customer: { name: 'acme', email: '' },
  site: { customer: 'acme', name: 'home', policy: 'default' },
  policy: { name: 'quiet', settings: { peer: { livenessSeconds: 60 } } },
  zone: { policy: 'default', name: 'work', reaches: ['tunnel'] },
  'dns-zone': { name: 'corp.example', primaries: ['10.1.0.53'] },
  pool: { name: 'more', prefix: '10.128.0.0/10', siteLength: 24 },
  release: { name: '1.1.0', channel: 'stable', url: 'https://…', sha256: '…', state: 'draft', percent: 0 },
};

/**
 * @param {HTMLElement} into
 * @param {string} kind
 */
export async function showRecords(into, kind) {
  await showPage(into, kind, 0);
}

/**
 * @param {HTMLElement} into
 * @param {string} kind
 * @param {number} after id of the last record of the page before
 */
async function showPage(into, kind, after) {
  const { records, label, next, meanings } = await api('GET', `/records/${encodeURIComponent(kind)}?after=${after}`);
  const columns = Object.keys(records[0] ?? {}).filter((name) => name !== 'note');
  /** @param {any} record */
  const labelOf = (record) => label.map((/** @type {string} */ field) => record[field]).join('/');
  const reload = () => showPage(into, kind, after);
  replace(
    into,
    h('h1', {}, 'Records'),
    h(
      'nav',
      { class: 'row', 'aria-label': 'Kinds' },
      ...kinds.map((name) =>
        h('a', { href: `#/records/${name}`, 'aria-current': name === kind ? 'page' : undefined }, name),
      ),
    ),
    h(
      'div',
      { class: 'card' },
      records.length === 0
        ? h('p', { class: 'quiet' }, 'None yet.')
        : h(
            'table',
            { class: 'cards' },
            h('thead', {}, h('tr', {}, ...columns.map((name) => h('th', { scope: 'col' }, name)), h('th', {}, ''))),
            h(
              'tbody',
              {},
              ...records.map((/** @type {any} */ record) =>
                h(
                  'tr',
                  {},
                  ...columns.map((name) => h('td', { 'data-name': name }, shown(record[name]))),
                  h(
                    'td',
                    {},
                    kind === 'release' && h('a', { href: `#/release/${encodeURIComponent(record.name)}` }, 'Progress'),
                    h(
                      'button',
                      {
                        type: 'button',
                        class: 'plain',
                        'aria-label': `Change ${labelOf(record)}`,
                        onclick: () => edit(into, { kind, label: labelOf(record), record, meanings, done: reload }),
                      },
                      'Change',
                    ),
                  ),
                ),
              ),
            ),
          ),
    ),
    h(
      'button',
      {
        type: 'button',
        onclick: () => edit(into, { kind, label: null, record: examples[kind] ?? {}, meanings, done: reload }),
      },
      `Add a ${kind}`,
    ),
    h(
      'div',
      { class: 'row' },
      after > 0 && h('button', { type: 'button', onclick: () => showPage(into, kind, 0) }, 'From the beginning'),
      next && h('button', { type: 'button', onclick: () => showPage(into, kind, next) }, 'More'),
    ),
  );
}

/**
 * @param {HTMLElement} into
 * @param {{ kind: string, label: string | null, record: object, meanings: Record<string, { meaning: string }>, done: () => Promise<void> }} what a label of null: a new record
 */
function edit(into, { kind, label, record, meanings, done }) {
  const text = h('textarea', { name: 'record', spellcheck: 'false' });
  text.value = JSON.stringify(record, null, 2);
  const path = `/records/${kind}${label === null ? '' : `/${encodeURIComponent(label)}`}`;
  const form = h(
    'form',
    {
      class: 'card',
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        try {
          const value = JSON.parse(text.value);
          // Only what differs: fields that nobody may change can stay in the text.
          const changed = Object.fromEntries(
            Object.entries(value).filter(
              ([name, one]) => JSON.stringify(one) !== JSON.stringify(/** @type {any} */ (record)[name]),
            ),
          );
          const made =
            label === null
              ? await previewAndMake(`Add ${kind}`, 'POST', path, { record: value })
              : await previewAndMake(`Change ${kind} ${label}`, 'PATCH', path, { patch: changed });
          if (made) await done();
        } catch (error) {
          showProblems(form, error);
        }
      },
    },
    h('label', {}, label === null ? `New ${kind}` : `${kind} ${label}`, text),
    h('details', {}, h('summary', {}, 'What the fields mean'), fieldList(meaningsOf(meanings))),
    h(
      'div',
      { class: 'row' },
      h('button', { class: 'main' }, 'Show what would change'),
      h('button', { type: 'button', onclick: done }, 'Cancel'),
      label !== null &&
        h(
          'button',
          {
            type: 'button',
            class: 'danger',
            onclick: async () => {
              try {
                if (await previewAndMake(`Archive ${kind} ${label}`, 'DELETE', path)) await done();
              } catch (error) {
                showProblems(form, error);
              }
            },
          },
          'Archive',
        ),
    ),
  );
  replace(into, h('h1', {}, 'Records'), form);
  text.focus();
}

/** @param {Record<string, { meaning: string }>} meanings */
function meaningsOf(meanings) {
  return Object.fromEntries(Object.entries(meanings).map(([name, { meaning }]) => [name, meaning]));
}
