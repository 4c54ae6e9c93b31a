import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { loggedIn, type Reply, send } from '../testing/operator.ts';
import { onBothPortals, type TestPortal } from '../testing/portal.ts';

const sha256 = (octets: Uint8Array) => createHash('sha256').update(octets).digest();
const base64url = (octets: Uint8Array | string) => Buffer.from(octets).toString('base64url');
const userPresent = 0x01;
const userVerified = 0x04;
const attested = 0x40;

interface Page {
  /** As it is in the options, base64url. */
  readonly challenge: string;
  readonly origin: string;
  readonly rpId: string;
}

/** An authenticator with a P-256 key that says whatever it is told to. */
class Authenticator {
  readonly id = randomBytes(16);
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  count = 0;
  flags = userPresent | userVerified;

  get #named() {
    return { id: base64url(this.id), rawId: base64url(this.id), type: 'public-key', clientExtensionResults: {} };
  }

  #data(rpId: string, flags: number, more: Uint8Array = new Uint8Array()): Buffer {
    const head = Buffer.alloc(5);
    head.writeUInt8(flags);
    head.writeUInt32BE(this.count, 1);
    return Buffer.concat([sha256(Buffer.from(rpId)), head, more]);
  }

  /** CBOR by hand: the COSE key of RFC 9053 7.1.1, and an attestation object of the format `none`. */
  register({ challenge, origin, rpId }: Page) {
    const { x = '', y = '' } = this.#keys.publicKey.export({ format: 'jwk' });
    const octets = (hexadecimal: string) => Buffer.from(hexadecimal, 'hex');
    const [xOctets, yOctets] = [Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
    const cose = Buffer.concat([octets('a5010203262001215820'), xOctets, octets('225820'), yOctets]);
    const credential = Buffer.concat([Buffer.alloc(16), Buffer.from([0, this.id.length]), this.id, cose]);
    const data = this.#data(rpId, this.flags | attested, credential);
    const head = Buffer.concat([
      octets('a363666d74646e6f6e656761747453746d74a068617574684461746158'),
      Buffer.from([data.length]),
    ]);
    const clientDataJSON = base64url(JSON.stringify({ type: 'webauthn.create', challenge, origin }));
    const attestationObject = base64url(Buffer.concat([head, data]));
    return { ...this.#named, response: { clientDataJSON, attestationObject, transports: ['internal'] } };
  }

  assert({ challenge, origin, rpId }: Page) {
    const clientData = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge, origin }));
    const data = this.#data(rpId, this.flags);
    const signature = sign('sha256', Buffer.concat([data, sha256(clientData)]), this.#keys.privateKey);
    const response = { clientDataJSON: base64url(clientData), authenticatorData: base64url(data) };
    return { ...this.#named, response: { ...response, signature: base64url(signature) } };
  }
}

/** A stranger's side of the page. */
class Door {
  readonly #portal: TestPortal;
  constructor(portal: TestPortal) {
    this.#portal = portal;
  }

  get origin(): string {
    return `https://127.0.0.1:${this.#portal.operatorPort}`;
  }

  post(path: string, body: object): Promise<Reply> {
    return send(this.#portal.operatorPort, 'POST', `/api${path}`, { body });
  }

  async page(): Promise<Page> {
    const { challenge, rpId, userVerification } = (await this.post('/login/challenge', {})).json;
    assert.equal(userVerification, 'required');
    return { challenge, rpId, origin: this.origin };
  }

  async logIn(key: Authenticator, other: Partial<Page> = {}): Promise<number> {
    return (await this.post('/login/passkey', key.assert({ ...(await this.page()), ...other }))).status;
  }
}

async function registered(portal: TestPortal, name: string, count: number) {
  const operator = await loggedIn(portal, name, 'viewer');
  const door = new Door(portal);
  const phone = new Authenticator();
  phone.count = count;
  const { challenge, rp, attestation } = (await operator.call('POST', '/passkeys/challenge', {})).json;
  assert.equal(attestation, 'none');
  const credential = phone.register({ challenge, rpId: rp.id, origin: door.origin });
  const made = await operator.call('POST', '/passkeys', { name: 'phone', credential });
  assert.equal(made.status, 200, made.text);
  return { operator, door, phone, credential };
}

onBothPortals('a passkey logs its operator in, once for each challenge, until it is removed', async (portal) => {
  // Phones do not count: nothing but the challenge tells a login from its recording.
  const { operator, door, phone, credential } = await registered(portal, 'ann', 0);
  assert.equal((await operator.call('POST', '/passkeys', { name: 'again', credential })).status, 400);
  const right = phone.assert(await door.page());
  const both = await Promise.all([door.post('/login/passkey', right), door.post('/login/passkey', right)]);
  assert.deepEqual(both.map(({ status }) => status).toSorted(), [200, 401], 'of two with one challenge one is let in');
  const [cookie = ''] = String(both.find(({ status }) => status === 200)?.headers['set-cookie']).split(';');
  const me = await send(portal.operatorPort, 'GET', '/api/me', { headers: { cookie } });
  assert.deepEqual([me.json.name, me.json.role], ['ann', 'viewer']);
  assert.equal((await door.post('/login/passkey', right)).status, 401);

  const bob = await loggedIn(portal, 'bob', 'owner');
  const [mine] = (await operator.call('GET', '/passkeys')).json;
  assert.equal(mine.name, 'phone');
  assert.equal((await bob.call('DELETE', `/passkeys/${mine.id}`, {})).status, 404);
  assert.equal((await operator.call('DELETE', `/passkeys/${mine.id}`, {})).status, 200);
  assert.equal(await door.logIn(phone), 401);
});

onBothPortals('a passkey is refused on every page, with every name and counter but its own', async (portal) => {
  const { operator, door, phone } = await registered(portal, 'ann', 1);
  phone.count = 9;
  assert.equal(await door.logIn(phone), 200);
  assert.equal(await door.logIn(phone), 401, 'a counter that stands still is a copy');
  phone.count = 20;
  assert.equal(await door.logIn(phone, { origin: 'https://evil.example' }), 401);
  assert.equal(await door.logIn(phone, { rpId: 'evil.example' }), 401);
  assert.equal(await door.logIn(phone, { challenge: base64url('of nobody') }), 401);
  phone.flags = userPresent;
  assert.equal(await door.logIn(phone), 401, 'nobody was asked who they are');
  phone.flags = userPresent | userVerified;
  const thief = new Authenticator();
  thief.count = 30;
  const { response } = thief.assert(await door.page());
  const stolen = { ...phone.assert(await door.page()), response };
  assert.equal((await door.post('/login/passkey', stolen)).status, 401, 'with the name of another key');
  assert.equal(await door.logIn(phone), 200);

  const { challenge, rp } = (await operator.call('POST', '/passkeys/challenge', {})).json;
  const foreign = thief.register({ challenge, rpId: rp.id, origin: 'https://evil.example' });
  const refused = await operator.call('POST', '/passkeys', { name: 'x', credential: foreign });
  assert.deepEqual([refused.status, refused.json.problems[0].field], [400, 'credential']);
});
