/** Nothing ships unseen: a change is asked for as a preview, shown, and then made. */
import { api } from './api.js';
import { h, notice, shown } from './dom.js';

/** @typedef {{ path: string, before: unknown, after: unknown }} Difference */
/** @typedef {{ kind: string, label: string, what: string, fields: Difference[] }} RecordDifference */

/** @param {Difference[]} fields */
export function differenceTable(fields) {
  return h(
    'table',
    { class: 'diff' },
    h(
      'tbody',
      {},
      ...fields.map(({ path, before, after }) =>
        h(
          'tr',
          {},
          h('td', {}, path),
          h('td', { class: 'was' }, before === undefined ? '' : shown(before)),
          h('td', { class: 'is' }, shown(after)),
        ),
      ),
    ),
  );
}

/** @param {RecordDifference[]} records */
export function recordDifferences(records) {
  return records.map(({ kind, label, what, fields }) =>
    h('section', {}, h('h2', {}, `${what} ${kind} ${label}`), what === 'archived' ? null : differenceTable(fields)),
  );
}

/** @param {any} outcome of a preview */
function whatShips(outcome) {
  if (outcome.recordCount === 0) return [h('p', {}, 'Nothing would change.')];
  const more = outcome.configurationCount - outcome.configurations.length;
  return [
    ...recordDifferences(outcome.records),
    h('h2', {}, `${outcome.configurationCount} box(es) get another configuration`),
    ...outcome.configurations.map((/** @type {any} */ one) =>
      h('details', {}, h('summary', {}, `${one.device}, revision ${one.revision}`), differenceTable(one.fields)),
    ),
    more > 0 && h('p', { class: 'quiet' }, `and ${more} more`),
  ];
}

/**
 * Resolves with the answer of the change, or null when the operator thinks better of it.
 * @param {string} title
 * @param {string} method
 * @param {string} path
 * @param {Record<string, unknown>} [body]
 * @returns {Promise<any>}
 */
export async function previewAndMake(title, method, path, body = {}) {
  const outcome = await api(method, path, { ...body, preview: true });
  const agreed = await ask(title, whatShips(outcome));
  if (!agreed) return null;
  const made = await api(method, path, body);
  notice(made.revision === null ? 'Nothing changed.' : `Done: revision ${made.revision}.`);
  return made;
}

/**
 * @param {string} title
 * @param {import('./dom.js').Child[]} content
 * @returns {Promise<boolean>}
 */
export function ask(title, content) {
  return new Promise((resolve) => {
    const dialog = h(
      'dialog',
      { 'aria-label': title },
      h('h1', {}, title),
      ...content,
      h(
        'form',
        { method: 'dialog', class: 'row' },
        h('button', { class: 'main', value: 'yes' }, 'Make the change'),
        h('button', { value: 'no', autofocus: true }, 'Cancel'),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(dialog.returnValue === 'yes');
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/**
 * Shows each problem at its field, and moves to the first.
 * @param {HTMLFormElement} form
 * @param {unknown} error
 */
export function showProblems(form, error) {
  for (const old of form.querySelectorAll('.problem')) old.remove();
  for (const field of form.querySelectorAll('[aria-invalid]')) field.removeAttribute('aria-invalid');
  const problems = /** @type {{ problems?: { field: string, message: string }[] }} */ (error).problems ?? [];
  const rest = problems.filter(({ field, message }) => {
    const input = form.elements.namedItem(field.split(/[.[]/)[0] ?? '');
    if (!(input instanceof HTMLElement) || field === '') return true;
    input.setAttribute('aria-invalid', 'true');
    input.after(h('span', { class: 'problem', role: 'alert' }, message));
    return false;
  });
  const text =
    problems.length === 0
      ? /** @type {Error} */ (error).message
      : rest.map(({ field, message }) => (field ? `${field}: ${message}` : message)).join('\n');
  if (text) form.append(h('p', { class: 'problem', role: 'alert' }, text));
  const first = form.querySelector('[aria-invalid]');
  if (first instanceof HTMLElement) first.focus();
}
