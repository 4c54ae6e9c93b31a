/** The few calls that make a page out of text; never out of HTML, so that a customer's name cannot be a program. */

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | boolean | ((event: any) => unknown) | undefined>} [attributes] `onclick` and the like are functions
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? '' : value);
  }
  put(element, ...children);
  return element;
}

/**
 * @param {Element} into
 * @param {...(Child | Child[])} children
 */
export function put(into, ...children) {
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false)
      into.append(child instanceof Node ? child : String(child));
  }
}

/**
 * @param {Element} into
 * @param {...(Child | Child[])} children
 */
export function replace(into, ...children) {
  into.replaceChildren();
  put(into, ...children);
}

/** @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no element ${id}`);
  return found;
}

/** @param {string} text */
export function notice(text) {
  byId('notice').textContent = text;
  setTimeout(() => {
    if (byId('notice').textContent === text) byId('notice').textContent = '';
  }, 6000);
}

/** @param {number | null | undefined} milliseconds since 1970 */
export function time(milliseconds) {
  return milliseconds ? new Date(milliseconds).toLocaleString() : 'never';
}

/** @param {unknown} value */
export function shown(value) {
  if (value === undefined || value === null || value === '') return '–';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** @param {string} name */
export function health(name) {
  return h('span', { class: `health ${name}` }, name);
}

/**
 * @param {Record<string, unknown>} fields
 */
export function fieldList(fields) {
  return h(
    'dl',
    {},
    ...Object.entries(fields).flatMap(([name, value]) => [
      h('dt', {}, name),
      h('dd', {}, value instanceof Node ? value : shown(value)),
    ]),
  );
}
