import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exchangeTypes } from './numbers.ts';
import { violation } from './rules.ts';
import type { Header } from './wire/header.ts';
import { notifyOf } from './wire/notify.ts';
import type { Payload } from './wire/payloads.ts';

function header(exchange: keyof typeof exchangeTypes, response: boolean): Header {
  const spi = new Uint8Array(8);
  const exchangeNumber = exchangeTypes[exchange];
  return {
    spiInitiator: spi,
    spiResponder: spi,
    fromInitiator: true,
    response,
    exchange: exchangeNumber,
    messageId: 0,
  };
}

const sa: Payload = { type: 'SA', body: [] };
const ke: Payload = { type: 'KE', body: { group: 31, data: new Uint8Array() } };
const nonce: Payload = { type: 'Nonce', body: new Uint8Array(16) };
const error: Payload = { type: 'N', body: notifyOf('NO_PROPOSAL_CHOSEN') };
const vendor: Payload = { type: 'V', body: new Uint8Array() };

test('each exchange has its payloads, none missing and none twice', () => {
  assert.equal(violation(header('IKE_SA_INIT', false), [sa, ke, nonce, vendor]), null);
  for (const payloads of [[], [sa, ke], [sa, nonce], [ke, nonce], [sa, sa, ke, nonce], [sa, ke, nonce, nonce]]) {
    assert.equal(violation(header('IKE_SA_INIT', false), payloads)?.kind, 'syntax');
  }
});

test('an answer that refuses needs nothing else; a request does', () => {
  assert.equal(violation(header('IKE_SA_INIT', true), [error]), null);
  assert.equal(violation(header('IKE_AUTH', true), [error]), null);
  assert.equal(violation(header('CREATE_CHILD_SA', false), [error])?.kind, 'syntax');
});

test('unknown payloads matter if they are critical', () => {
  const unknown = (critical: boolean): Payload => ({ type: 'unknown', number: 200, critical });
  assert.equal(violation(header('INFORMATIONAL', false), [unknown(false)]), null);
  const broken = violation(header('INFORMATIONAL', false), [unknown(true)]);
  assert.deepEqual(broken, { kind: 'unsupportedCritical', payloadType: 200 });
});
