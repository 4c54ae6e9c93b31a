import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { test } from 'node:test';
import { loggedIn, send } from '../testing/operator.ts';
import { onBothPortals } from '../testing/portal.ts';
import { checkAssertion, checkRegistration } from './webauthn.ts';

const sha256 = (octets: Uint8Array) => createHash('sha256').update(octets).digest();
const base64url = (octets: Uint8Array) => Buffer.from(octets).toString('base64url');

/** An authenticator that does, and says, whatever it is told to. */
class Authenticator {
  readonly id = randomBytes(16);
  readonly #keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  count = 0;
  flags = 0x05;

  constructor(kind: 'ec' | 'ed25519' | 'rsa') {
    if (kind === 'ec') this.#keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    else if (kind === 'rsa') this.#keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
    else this.#keys = generateKeyPairSync('ed25519');
  }

  #data(rpId: string, flags: number, more: Uint8Array = new Uint8Array()): Buffer {
    const head = Buffer.alloc(5);
    head.writeUInt8(flags);
    head.writeUInt32BE(this.count, 1);
    return Buffer.concat([sha256(Buffer.from(rpId)), head, more]);
  }

  #clientData(type: string, challenge: string, origin: string): Buffer {
    return Buffer.from(JSON.stringify({ type, challenge: base64url(Buffer.from(challenge)), origin }));
  }

  register(challenge: string, origin: string, rpId: string) {
    const { x = '', y = '', n = '' } = this.#keys.publicKey.export({ format: 'jwk' });
    const cose = Buffer.concat([x, y, n].map((number) => Buffer.from(number, 'base64url')));
    const attested = Buffer.concat([randomBytes(16), Buffer.from([0, this.id.length]), this.id, cose]);
    return {
      clientData: this.#clientData('webauthn.create', challenge, origin),
      authenticatorData: this.#data(rpId, this.flags | 0x40, attested),
      publicKey: this.#keys.publicKey.export({ type: 'spki', format: 'der' }),
    };
  }

  assert(challenge: string, origin: string, rpId: string) {
    const clientData = this.#clientData('webauthn.get', challenge, origin);
    const authenticatorData = this.#data(rpId, this.flags);
    const signed = Buffer.concat([authenticatorData, sha256(clientData)]);
    const digest = this.#keys.privateKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
    return { clientData, authenticatorData, signature: sign(digest, signed, this.#keys.privateKey) };
  }
}

const party = { rpId: 'portal.example', origin: 'https://portal.example:8444' };
const challenge = 'a challenge';

for (const kind of ['ec', 'ed25519', 'rsa'] as const) {
  test(`a passkey of ${kind}: registered, used, and refused for anything that is not as it must be`, () => {
    const phone = new Authenticator(kind);
    const made = checkRegistration({ party, challenge, ...phone.register(challenge, party.origin, party.rpId) });
    assert.ok(made.ok);
    assert.equal(made.value.credentialId, phone.id.toString('base64url'));
    phone.count = 5;
    const known = { publicKey: made.value.publicKey, signCount: 4 };
    const right = { party, challenge, ...phone.assert(challenge, party.origin, party.rpId), ...known };
    assert.deepEqual(checkAssertion(right), { ok: true, value: 5 });
    const wrong = (given: Partial<typeof right>, why: RegExp) => {
      const checked = checkAssertion({ ...right, ...given });
      assert.ok(!checked.ok);
      assert.match(checked.problem, why);
    };
    wrong({ challenge: 'another' }, /another challenge/);
    wrong({ signCount: 5 }, /copied/);
    wrong(phone.assert(challenge, 'https://evil.example', party.rpId), /another page/);
    wrong(phone.assert(challenge, party.origin, 'evil.example'), /another name/);
    wrong({ signature: Buffer.alloc(64) }, /does not hold/);
    wrong({ authenticatorData: right.authenticatorData.subarray(0, 36) }, /cut off/);
    wrong({ clientData: Buffer.from('{') }, /no JSON/);
    wrong({ clientData: phone.register(challenge, party.origin, party.rpId).clientData }, /webauthn\.get/);
    wrong(new Authenticator(kind).assert(challenge, party.origin, party.rpId), /does not hold|copied/);
    phone.flags = 0x01;
    wrong(phone.assert(challenge, party.origin, party.rpId), /who is there/);
  });
}

test('a registration with the key of somebody else, or of a weak kind, is none', () => {
  const phone = new Authenticator('ec');
  const given = { party, challenge, ...phone.register(challenge, party.origin, party.rpId) };
  const foreign = new Authenticator('ec').register(challenge, party.origin, party.rpId).publicKey;
  assert.deepEqual(checkRegistration({ ...given, publicKey: foreign }), {
    ok: false,
    problem: 'the key is not the one that the authenticator told',
  });
  const weak = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey;
  assert.equal(checkRegistration({ ...given, publicKey: weak.export({ type: 'spki', format: 'der' }) }).ok, false);
  const data = given.authenticatorData;
  for (let length = 0; length < 55 + 16; length += 1) {
    assert.equal(checkRegistration({ ...given, authenticatorData: data.subarray(0, length) }).ok, false, `${length}`);
  }
});

onBothPortals('a passkey logs its operator in, once for each challenge, until it is removed', async (portal) => {
  const ann = await loggedIn(portal, 'ann', 'viewer');
  const phone = new Authenticator('ec');
  const origin = `https://127.0.0.1:${portal.operatorPort}`;
  const text = (made: Readonly<Record<string, Uint8Array>>) =>
    Object.fromEntries(Object.entries(made).map(([name, octets]) => [name, base64url(octets)]));
  const begun = (await ann.call('POST', '/passkeys/challenge', {})).json;
  const registration = {
    name: 'phone',
    challenge: begun.challenge,
    ...text(phone.register(begun.challenge, origin, '127.0.0.1')),
  };
  assert.equal((await ann.call('POST', '/passkeys', registration)).status, 200);
  assert.equal((await ann.call('POST', '/passkeys', registration)).status, 400, 'a challenge is good once');

  const open = (path: string, body: object) => send(portal.operatorPort, 'POST', `/api${path}`, { body });
  const given = async () => {
    const { json } = await open('/login/challenge', {});
    const id = phone.id.toString('base64url');
    return { id, challenge: json.challenge, ...text(phone.assert(json.challenge, origin, json.rpId)) };
  };
  const right = await given();
  const both = await Promise.all([open('/login/passkey', right), open('/login/passkey', right)]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 401], 'of two with one challenge one is let in');
  const [cookie = ''] = String(both.find(({ status }) => status === 200)?.headers['set-cookie']).split(';');
  const me = await send(portal.operatorPort, 'GET', '/api/me', { headers: { cookie } });
  assert.deepEqual([me.json.name, me.json.role], ['ann', 'viewer']);
  assert.equal((await open('/login/passkey', right)).status, 401);
  assert.equal((await open('/login/passkey', { ...(await given()), id: 'unknown' })).status, 401);
  const { challenge: _, ...old } = await given();
  assert.equal((await open('/login/passkey', { ...old, challenge: 'of nobody' })).status, 401);

  const bob = await loggedIn(portal, 'bob', 'owner');
  const [mine] = (await ann.call('GET', '/passkeys')).json;
  assert.equal(mine.name, 'phone');
  assert.equal((await bob.call('DELETE', `/passkeys/${mine.id}`, {})).status, 404);
  assert.equal((await ann.call('DELETE', `/passkeys/${mine.id}`, {})).status, 200);
  assert.equal((await open('/login/passkey', await given())).status, 401);
});
