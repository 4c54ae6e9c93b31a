import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { selfSignedCertificate } from './certificate.ts';
import { publicText } from './files.ts';

const serial = new Uint8Array(16).fill(0xff);

test('an Ed25519 certificate signs itself and serves TLS 1.3 under its pinned key', async (t) => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = selfSignedCertificate({ privateKey, commonName: 'portal', dnsNames: [], serial });
  const certificate = new X509Certificate(pem);
  assert.ok(certificate.verify(certificate.publicKey));
  assert.equal(certificate.subject, 'CN=portal');
  assert.deepEqual([certificate.ca, certificate.validToDate.getUTCFullYear()], [false, 9999]);

  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const server = createServer({ key, cert: pem, minVersion: 'TLSv1.3' }, (socket) => socket.end('hello'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  t.after(() => {
    socket.destroy();
    server.close();
  });
  assert.equal(socket.getProtocol(), 'TLSv1.3');
  const shown = socket.getPeerX509Certificate()?.publicKey;
  assert.equal(shown && publicText(shown), publicText(privateKey));
});

test('a P-256 certificate names what a browser may call it by', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const dnsNames = ['localhost', 'portal.example'];
  const certificate = new X509Certificate(selfSignedCertificate({ privateKey, commonName: 'p', dnsNames, serial }));
  assert.ok(certificate.verify(certificate.publicKey));
  assert.equal(certificate.checkHost('portal.example'), 'portal.example');
  assert.equal(certificate.checkHost('other.example'), undefined);
});

test('every length takes as few octets as it needs (DER)', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  for (const size of [1, 40, 63]) {
    const dnsNames = ['a'.repeat(size), 'b'.repeat(63)];
    const { raw } = new X509Certificate(selfSignedCertificate({ privateKey, commonName: 'p', dnsNames, serial }));
    assert.ok(raw.subarray(0, 2).equals(Buffer.of(0x30, 0x82)));
    assert.equal(raw.indexOf(Buffer.of(0x30, 0x82, 0x00)), -1);
  }
});
