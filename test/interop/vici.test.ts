import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mirrorIn } from './roots.ts';
import { ikeSa } from './swanctl-sas.ts';
import { isSection, parseVici } from './vici.ts';

const output = `list-sa event {
  box {
    uniqueid = 1
    version = 2
    state = ESTABLISHED
    encr-alg = AES_GCM_16
    encr-keysize = 256
    tasks-active = [
      IKE_DPD
    ]
    child-sas {
      net-1 {
        name = net
        state = INSTALLED
        encap = yes
        spi-in = 27fc6c8e
        bytes-in = 42
        local-ts = [
          10.1.0.0/16
          fd01:1::/64
        ]
      }
    }
  }
}
list-sas reply {
}
`;

test('sections, lists and values', () => {
  const [event, reply] = parseVici(output);
  assert.ok(event && isSection(event.box));
  const sa = ikeSa('box', event.box);
  assert.deepEqual([sa.id, sa.state, sa.encryption], [1, 'ESTABLISHED', 'AES_GCM_16-256']);
  const [child] = sa.children;
  assert.deepEqual([child?.isEncapsulated, child?.octetsIn, child?.spiIn], [true, 42, '27fc6c8e']);
  assert.deepEqual(child?.localNetworks, ['10.1.0.0/16', 'fd01:1::/64']);
  assert.deepEqual(reply, {});
});

test("the mirror of the machine's own sources, whichever format they have", () => {
  assert.equal(mirrorIn('Types: deb\nURIs: http://mirror.example/debian\nSuites: x'), 'http://mirror.example/debian');
  assert.equal(
    mirrorIn('# deb http://no/debian x\ndeb https://yes.example/debian/ x main'),
    'https://yes.example/debian/',
  );
  assert.throws(() => mirrorIn('URIs: http://mirror.example/debian-security'), /no Debian mirror/);
});
