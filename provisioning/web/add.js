/** A box in under a minute, or a list of them. */
import { api } from './api.js';
import { previewAndMake, showProblems } from './change.js';
import { h, notice, replace, time } from './dom.js';

/** @param {HTMLElement} into */
export async function showAdd(into) {
  const [policies, customers] = await Promise.all([api('GET', '/records/policy'), api('GET', '/records/customer')]);
  const result = h('div', { 'aria-live': 'polite' });
  const form = h(
    'form',
    {
      class: 'card',
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        const data = new FormData(form);
        const text = (/** @type {string} */ name) => String(data.get(name) ?? '');
        const body = {
          customer: text('customer'),
          email: text('email'),
          name: text('name'),
          policy: text('policy'),
          note: text('note'),
          mail: data.has('mail'),
        };
        try {
          const made = await previewAndMake(`Add ${body.name}`, 'POST', '/devices', body);
          if (!made) return;
          replace(
            result,
            codeCard(body.name, made),
            h('p', {}, h('a', { href: `#/device/${encodeURIComponent(body.name)}` }, `To ${body.name}`)),
          );
          form.reset();
          result.scrollIntoView();
        } catch (error) {
          showProblems(form, error);
        }
      },
    },
    ...deviceFields(policies.records, customers.records),
  );
  replace(into, h('h1', {}, 'Add a box'), form, result);
}

/**
 * @param {any[]} policies
 * @param {any[]} customers
 */
function deviceFields(policies, customers) {
  return [
    h(
      'label',
      {},
      'Customer',
      h('small', {}, 'an existing one, or a new name'),
      h('input', { name: 'customer', required: true, list: 'customers', autocomplete: 'off', autofocus: true }),
    ),
    h('datalist', { id: 'customers' }, ...customers.map((/** @type {any} */ one) => h('option', { value: one.name }))),
    h(
      'label',
      {},
      'E-mail',
      h('small', {}, 'of a new customer; may stay empty'),
      h('input', { name: 'email', type: 'email' }),
    ),
    h(
      'label',
      {},
      'Name of the box',
      h('small', {}, 'letters, digits, dots, dashes'),
      h('input', { name: 'name', required: true, autocomplete: 'off' }),
    ),
    h(
      'label',
      {},
      'Policy',
      h(
        'select',
        { name: 'policy' },
        ...policies.map((/** @type {any} */ one) => h('option', { selected: one.name === 'default' }, one.name)),
      ),
    ),
    h('label', {}, 'Note', h('input', { name: 'note' })),
    h('label', { class: 'check' }, h('input', { type: 'checkbox', name: 'mail' }), 'Send the welcome mail'),
    h('button', { class: 'main' }, 'Show what would be made'),
  ];
}

/**
 * @param {string} device
 * @param {{ token: string, qr: string, code: string, expiresAt: number, mailedTo: string | null, mailProblem: string | null }} made
 */
export function codeCard(device, { token, qr, expiresAt, mailedTo, mailProblem }) {
  const file = URL.createObjectURL(new Blob([`${token}\n`], { type: 'text/plain' }));
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Enrolment code'),
    h('p', {}, `Good once, until ${time(expiresAt)}. It is shown only now.`),
    h('img', {
      class: 'qr',
      alt: 'QR code of the enrolment code',
      src: `data:image/svg+xml,${encodeURIComponent(qr)}`,
    }),
    h('p', {}, 'On the box:'),
    h('p', { class: 'token', id: 'token' }, `moat enroll ${token}`),
    h(
      'div',
      { class: 'row' },
      h(
        'button',
        {
          type: 'button',
          onclick: () =>
            navigator.clipboard.writeText(`moat enroll ${token}`).then(
              () => notice('Copied.'),
              () => notice('The browser did not allow it.'),
            ),
        },
        'Copy',
      ),
      h('a', { href: file, download: 'moat-enroll.txt' }, 'File for the boot partition'),
    ),
    mailedTo && h('p', {}, `Mail: ${mailedTo}`),
    mailProblem && h('p', { class: 'problem', role: 'alert' }, `The mail was not sent: ${mailProblem}`),
    personalImage(device, token),
  );
}

/**
 * Fills itself when the portal has images of releases.
 * @param {string} device
 * @param {string} token
 */
function personalImage(device, token) {
  const place = h('div', {});
  const images = h('select', { 'aria-label': 'Image' });
  const make = async () => {
    try {
      const path = `/devices/${encodeURIComponent(device)}/image`;
      const { link } = await api('POST', path, { image: images.value, token });
      location.assign(link);
      notice('The image is on its way: your browser shows how far it is.');
    } catch (error) {
      notice(/** @type {Error} */ (error).message);
    }
  };
  const button = h('button', { type: 'button', onclick: make }, 'Image for this box');
  api('GET', '/images').then(
    (/** @type {{ name: string, octets: number }[]} */ found) => {
      images.append(
        ...found.map(({ name, octets }) => h('option', { value: name }, `${name} (${Math.round(octets / 1e6)} MB)`)),
      );
      if (found.length > 0) replace(place, h('div', { class: 'row' }, images, button));
    },
    () => undefined,
  );
  return place;
}

/** @param {HTMLElement} into */
export async function showImport(into) {
  const text = h('textarea', {
    name: 'text',
    required: true,
    spellcheck: 'false',
    placeholder: 'customer,device\nacme,home-1',
  });
  const format = h(
    'select',
    { name: 'format' },
    h(
      'option',
      { value: 'csv' },
      'CSV: customer, device, and if you like site, policy, portal, ranges, publicKey, note',
    ),
    h('option', { value: 'jsonl' }, 'JSON lines, as exported by a portal'),
  );
  const file = h('input', {
    type: 'file',
    onchange: async () => {
      const chosen = file.files?.[0];
      if (!chosen) return;
      text.value = await chosen.text();
      format.value = chosen.name.endsWith('.csv') ? 'csv' : 'jsonl';
    },
  });
  const form = h(
    'form',
    {
      class: 'card',
      onsubmit: async (/** @type {SubmitEvent} */ event) => {
        event.preventDefault();
        try {
          const made = await previewAndMake('Import', 'POST', '/import', { text: text.value, format: format.value });
          if (made) form.reset();
        } catch (error) {
          showProblems(form, error);
        }
      },
    },
    h('label', {}, 'File', file),
    h('label', {}, 'Format', format),
    h('label', {}, 'Lines', h('small', {}, 'all of them are taken, or none'), text),
    h('button', { class: 'main' }, 'Show what would be made'),
  );
  replace(
    into,
    h('h1', {}, 'Import'),
    form,
    h('p', {}, h('a', { href: '/api/export', download: '' }, 'Export everything')),
  );
}
