import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { DnsConfigInput } from '../../../appliance/config/dns.ts';
import { Box } from './box.ts';
import { type Dug, dig, digAll } from './dig.ts';
import { key } from './primaries.ts';
import { addresses, until, type World } from './world.ts';
import { absentNames, oddQuestions, oddZoneText } from './zone-text.ts';

/** How BIND is to deny: by names, by their hashes, by hashes with gaps for what is not signed. */
const zones = {
  nsec: '',
  nsec3: 'nsec3param iterations 0 optout no salt-length 8;',
  optout: 'nsec3param iterations 0 optout yes salt-length 0;',
};
type ZoneKind = keyof typeof zones;
const kinds = Object.keys(zones) as ZoneKind[];
const nameOf = (kind: ZoneKind) => `${kind}.signed.example`;

function startSigner(world: World): void {
  const folder = `${world.inside}/signer`;
  mkdirSync(`${world.folder}/signer`, { recursive: true });
  const blocks = kinds.map((kind) => {
    writeFileSync(`${world.folder}/signer/${kind}.text`, oddZoneText(1));
    return `
      dnssec-policy ${kind} { keys { csk lifetime unlimited algorithm ecdsap256sha256; }; ${zones[kind]} };
      zone "${nameOf(kind)}" {
        type primary; file "${folder}/${kind}.text"; dnssec-policy ${kind}; inline-signing yes;
        allow-transfer { key ${key.name}; }; check-names ignore;
      };`;
  });
  const text = `
    key ${key.name} { algorithm hmac-sha256; secret "${key.secret}"; };
    options {
      directory "${folder}"; key-directory "${folder}"; listen-on { ${addresses.signer}; }; listen-on-v6 { none; };
      pid-file none; session-keyfile none; recursion no; minimal-responses yes; dnssec-validation no; notify no;
    };
    controls { };
    ${blocks.join('')}`;
  writeFileSync(`${world.folder}/signer/named.conf`, text);
  world.start('corp', ['/usr/sbin/named', '-g', '-c', `${folder}/named.conf`]);
}

/** Signatures differ by nothing here: we serve the primary's own. */
function essence({ question, status, flags, answer, authority }: Dug): unknown {
  return { question, status, aa: flags.includes('aa'), answer, authority };
}

/** A DNAME's CNAME may have another time to live (RFC 6672 3.1). */
const comparable = (dug: Dug) => ({
  ...dug,
  answer: dug.answer.map((line) => line.replace(/^(\S+\.old\.\S+) \d+ (IN CNAME)/, '$1 - $2')),
});

/** Every odd name and every absent one of three signed zones with DO: answers, signatures and proofs as BIND gives them. */
export async function signedZones(world: World, config: DnsConfigInput): Promise<string> {
  startSigner(world);
  const signedBy = async (kind: ZoneKind) => {
    const found = await dig(world, addresses.signer, `nobody.${nameOf(kind)} A`, '+norecurse +dnssec').catch(
      () => undefined,
    );
    return found?.authority.some((line) => / RRSIG NSEC3? /.test(line)) ?? false;
  };
  for (const kind of kinds) await until(`${kind} is signed`, () => signedBy(kind), 30_000);
  const listen = [{ address: addresses.dnsmasq }];
  const primaries = [{ address: addresses.signer, key: key.name }];
  const secondaries = kinds.map((kind) => ({ name: nameOf(kind), primaries }));
  const own = { ...config, listen, zones: secondaries, forward: [], stateDirectory: `${world.folder}/signed-state` };
  const box = await Box.start(world, own);
  try {
    await until('the zones', async () => (await box.status()).zones.every(({ state }) => state === 'current'));
    const counts = [];
    for (const kind of kinds) counts.push(`${kind} ${await compare(world, kind)}`);
    return `answers, signatures and proofs as BIND gives them: ${counts.join(', ')} questions`;
  } finally {
    await box.stop();
  }
}

async function compare(world: World, kind: ZoneKind): Promise<number> {
  const questions = [...new Set([...oddQuestions, ...absentNames])].map((line) => {
    const [owner = '', type = ''] = line.split(' ');
    return `${owner === '@' ? '' : `${owner}.`}${nameOf(kind)} ${type}`;
  });
  const ask = (server: string) => digAll(world, server, questions, '+norecurse +dnssec +tcp');
  const [theirs, ours] = await Promise.all([ask(addresses.signer), ask(addresses.dnsmasq)]);
  assert.equal(ours.length, questions.length, 'everything answered');
  theirs.forEach((their, i) => {
    const our = ours[i];
    assert.ok(our);
    assert.deepEqual(essence(comparable(our)), essence(comparable(their)), `${kind}: ${questions[i]}`);
  });
  return questions.length;
}
