/** One box in detail. */

import { codeCard } from './add.js';
import { api } from './api.js';
import { previewAndMake, showProblems } from './change.js';
import { fieldList, h, health, notice, replace, time } from './dom.js';
import { plot } from './plot.js';

/**
 * @param {HTMLElement} into
 * @param {string} name
 */
export async function showDevice(into, name) {
  const path = `/devices/${encodeURIComponent(name)}`;
  const load = async () => draw(into, await api('GET', path), load);
  await load();
  // A form that is being filled in is not thrown away by somebody else's change.
  return async () => {
    if (!into.contains(document.activeElement) || document.activeElement?.tagName !== 'TEXTAREA') await load();
  };
}

/**
 * @param {HTMLElement} into
 * @param {any} device
 * @param {() => Promise<void>} load
 */
function draw(into, device, load) {
  const { facts, configuration, samples, keys, events } = device;
  const code = h('div', {});
  /** @param {string} key */
  const points = (key) => samples.map((/** @type {any} */ sample) => ({ at: sample.at, value: sample[key] }));
  replace(
    into,
    h('h1', {}, facts.name),
    glanceCard(device),
    buttons(facts.name, code, load),
    code,
    h(
      'div',
      { class: 'grid' },
      plot('Loss', points('lossPermille'), '‰'),
      plot('Round trip', points('roundTripMs'), 'ms'),
      plot('Received', points('receivedKbps'), 'kbit/s'),
      plot('Sent', points('sentKbps'), 'kbit/s'),
    ),
    settingsCard(facts, load),
    h('div', { class: 'card' }, h('h2', {}, 'Events'), eventTable(events)),
    h(
      'details',
      { class: 'card' },
      h('summary', {}, 'Configuration, as the box gets it'),
      h('pre', {}, JSON.stringify(configuration, null, 2)),
    ),
    h(
      'details',
      { class: 'card' },
      h('summary', {}, 'Keys'),
      h('ul', {}, ...keys.map((/** @type {any} */ key) => h('li', {}, `${key.publicKey} (${key.state})`))),
    ),
  );
}

/** @param {any} device */
function glanceCard({ facts, site, glance, status, configuration, ranges }) {
  const report = status?.report;
  return h(
    'div',
    { class: 'card' },
    h('p', { class: 'doctor' }, glance ? health(glance.health) : 'archived', ' ', glance?.why ?? ''),
    fieldList({
      customer: site.customer,
      site: site.name,
      policy: site.policy,
      portal: site.portal,
      addresses: ranges.map((/** @type {any} */ range) => range.prefix).join(', '),
      'last seen': time(status?.seenAt),
      version: status?.version,
      update: glance?.update,
      hardware: report?.hardware ?? '',
      configuration: `revision ${configuration?.revision ?? 0}, confirmed ${status?.confirmedRevision ?? 0}`,
      refused: report?.refused ? `revision ${report.refused.revision}: ${report.refused.problem}` : '',
      'sent to': facts.movedTo?.apiUrls,
      note: facts.note,
    }),
  );
}

/**
 * @param {string} name
 * @param {HTMLElement} code where a new code is shown
 * @param {() => Promise<void>} load
 */
function buttons(name, code, load) {
  const path = `/devices/${encodeURIComponent(name)}`;
  /** @param {() => Promise<any>} work */
  const act = (work) => async () => {
    try {
      if ((await work()) !== null) await load();
    } catch (error) {
      notice(/** @type {Error} */ (error).message);
    }
  };
  return h(
    'div',
    { class: 'row' },
    h(
      'button',
      { type: 'button', onclick: async () => replace(code, codeCard(name, await api('POST', `${path}/code`, {}))) },
      'New enrolment code',
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'danger',
        onclick: act(() => previewAndMake(`Revoke ${name}`, 'POST', `${path}/revoke`)),
      },
      'Revoke',
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'danger',
        onclick: act(() => previewAndMake(`Archive ${name}`, 'DELETE', `/records/device/${encodeURIComponent(name)}`)),
      },
      'Archive',
    ),
  );
}

/**
 * @param {any} facts
 * @param {() => Promise<void>} load
 */
function settingsCard(facts, load) {
  const text = h('textarea', { name: 'settings', spellcheck: 'false' });
  text.value = JSON.stringify(facts.settings, null, 2);
  const form = h(
    'form',
    {
      class: 'card',
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        try {
          const settings = JSON.parse(text.value);
          const made = await previewAndMake(
            `Settings of ${facts.name}`,
            'PATCH',
            `/records/device/${encodeURIComponent(facts.name)}`,
            { patch: { settings } },
          );
          if (made) await load();
        } catch (error) {
          showProblems(form, error);
        }
      },
    },
    h(
      'label',
      {},
      'Settings of this box',
      h('small', {}, 'laid over those of its site and policy, such as {"tunnel": {"mtu": 1400}}'),
      text,
    ),
    h('button', { class: 'main' }, 'Show what would change'),
  );
  return form;
}

/** @param {any[]} events */
export function eventTable(events) {
  if (events.length === 0) return h('p', { class: 'quiet' }, 'None yet.');
  return h(
    'table',
    { class: 'cards' },
    h(
      'tbody',
      {},
      ...events.map(({ at, kind, device, detail }) =>
        h(
          'tr',
          {},
          h('td', {}, time(at)),
          h('td', {}, kind),
          h('td', {}, device && h('a', { href: `#/device/${encodeURIComponent(device)}` }, device)),
          h('td', {}, detail),
        ),
      ),
    ),
  );
}
