/** The map of revisions, and what happened. */
import { api } from './api.js';
import { previewAndMake, recordDifferences } from './change.js';
import { eventTable } from './device.js';
import { h, notice, put, replace, time } from './dom.js';

/** @param {HTMLElement} into */
export async function showRevisions(into) {
  const body = h('tbody', {});
  const more = h('div', { class: 'row' });
  /** @param {number | null} before */
  const load = async (before) => {
    const revisions = await api('GET', `/revisions${before === null ? '' : `?before=${before}`}`);
    if (before === null) body.replaceChildren();
    put(
      body,
      revisions.map((/** @type {any} */ one) =>
        h(
          'tr',
          {},
          h('td', {}, h('a', { href: `#/revision/${one.id}` }, `revision ${one.id}`)),
          h('td', {}, time(one.at)),
          h('td', {}, one.author),
          h('td', {}, one.summary),
          h('td', { 'data-name': 'records' }, one.changes),
          h(
            'td',
            { 'data-name': 'boxes' },
            one.boxes > 0 && [
              h('meter', { max: String(one.boxes), value: String(one.confirmed), 'aria-hidden': 'true' }),
              ` ${one.confirmed} of ${one.boxes} boxes confirmed`,
            ],
          ),
        ),
      ),
    );
    replace(
      more,
      revisions.length === 100 && h('button', { type: 'button', onclick: () => load(revisions.at(-1).id) }, 'More'),
    );
  };
  replace(into, h('h1', {}, 'History'), h('div', { class: 'card' }, h('table', { class: 'cards' }, body)), more);
  await load(null);
  return () => load(null);
}

/**
 * @param {HTMLElement} into
 * @param {string} id
 */
export async function showRevision(into, id) {
  const records = await api('GET', `/revisions/${encodeURIComponent(id)}`);
  replace(
    into,
    h('h1', {}, `Revision ${id}`),
    h('div', { class: 'card' }, ...recordDifferences(records)),
    h(
      'button',
      {
        type: 'button',
        class: 'danger',
        onclick: async () => {
          try {
            if (await previewAndMake(`Undo revision ${id}`, 'POST', `/revisions/${encodeURIComponent(id)}/undo`))
              location.hash = '#/history';
          } catch (error) {
            notice(/** @type {Error} */ (error).message);
          }
        },
      },
      'Undo this revision',
    ),
  );
}

/** @param {HTMLElement} into */
export async function showEvents(into) {
  const card = h('div', { class: 'card' });
  const more = h('div', { class: 'row' });
  let shown = 100;
  const load = async () => {
    /** @type {any[]} */
    const events = [];
    for (let page = [{}]; page.length > 0 && events.length < shown; events.push(...page)) {
      page = await api('GET', `/events${events.length === 0 ? '' : `?before=${events.at(-1).id}`}`);
    }
    replace(card, eventTable(events));
    replace(more, events.length >= shown && h('button', { type: 'button', onclick: further }, 'More'));
  };
  const further = () => {
    shown += 100;
    return load();
  };
  replace(into, h('h1', {}, 'Events'), card, more);
  await load();
  return load;
}
