/** The fleet at a glance. */
import { api } from './api.js';
import { h, health, put, replace, time } from './dom.js';

const healths = ['up', 'degraded', 'down', 'waiting', 'revoked'];
const filter = { search: '', health: '' };

/** @param {HTMLElement} into */
export async function showFleet(into) {
  const tiles = h('div', { class: 'tiles' });
  const body = h('tbody', {});
  const more = h('div', { class: 'row' });
  const search = h('input', {
    type: 'search',
    placeholder: 'Box, site or customer',
    'aria-label': 'Search',
    value: filter.search,
  });
  let timer = 0;
  search.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      filter.search = search.value;
      load('');
    }, 150);
  });

  /** @param {any} summary */
  const drawTiles = (summary) =>
    replace(
      tiles,
      ['', ...healths].map((name) =>
        h(
          'button',
          {
            type: 'button',
            'aria-pressed': String(filter.health === name),
            onclick: () => {
              filter.health = name;
              load('');
            },
          },
          h('strong', {}, summary[name || 'devices']),
          name ? health(name) : 'all boxes',
        ),
      ),
    );

  /** @param {string} after */
  const load = async (after) => {
    const query = new URLSearchParams({ ...filter, after });
    const page = await api('GET', `/fleet?${query}`);
    drawTiles(page.summary);
    if (after === '') body.replaceChildren();
    put(body, page.devices.map(line));
    if (page.devices.length === 0 && after === '')
      put(body, h('tr', {}, h('td', { colspan: '7', class: 'quiet' }, 'No box fits.')));
    replace(more, page.next && h('button', { type: 'button', onclick: () => load(page.next) }, 'More'));
  };

  replace(into, h('h1', {}, 'Fleet'), tiles, tools(search), deviceTable(body), more);
  await load('');
  return () => load('');
}

/** @param {HTMLElement} search */
function tools(search) {
  const add = h('a', { href: '#/add' }, 'Add a box');
  return h(
    'div',
    { class: 'row' },
    search,
    add,
    h('a', { href: '/api/export?format=csv', download: '' }, 'Export CSV'),
  );
}

/** @param {HTMLElement} body */
function deviceTable(body) {
  const names = ['Box', 'Customer', 'Health', 'Why', 'Version', 'Loss', 'Round trip'];
  const head = h('tr', {}, ...names.map((name) => h('th', { scope: 'col' }, name)));
  return h('div', { class: 'card' }, h('table', { class: 'cards' }, h('thead', {}, head), body));
}

/** @param {any} device */
function line(device) {
  const { name, customer, version, update, why, lossPermille, roundTripMs, seenAt } = device;
  return h(
    'tr',
    {},
    h('td', {}, h('a', { href: `#/device/${encodeURIComponent(name)}` }, name)),
    h('td', { 'data-name': 'customer' }, customer),
    h('td', {}, health(device.health)),
    h('td', { title: `seen ${time(seenAt)}` }, why),
    h('td', { 'data-name': 'version', title: update }, version, update && h('small', {}, update)),
    h('td', { 'data-name': 'loss' }, lossPermille === null ? '' : `${lossPermille / 10} %`),
    h('td', { 'data-name': 'round trip' }, roundTripMs === null ? '' : `${Math.round(roundTripMs)} ms`),
  );
}
