import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Verdicts } from './trace.ts';

const packet4 =
  'packet: iif "kids" @ll,0,112 0x800 ip saddr 10.77.2.5 ip daddr 10.1.0.10 ip dscp cs0 ip ttl 64 ip id 5 ip protocol tcp ip length 60 tcp sport 58456 tcp dport 443 tcp flags == syn tcp window 65495 ';
const packet6 =
  'packet: iif "kids" @ll,0,112 0x86dd ip6 saddr fd77:2::5 ip6 daddr 2001:db8::1 ip6 hoplimit 64 ip6 nexthdr ipv6-icmp ip6 length 64 icmpv6 type echo-request icmpv6 code no-route ';

function said(...lines: string[]): string[] {
  const verdicts = new Verdicts();
  return lines.flatMap((line) => verdicts.take(line) ?? []);
}

test('a packet is said once, with the rule that decided', () => {
  assert.deepEqual(
    said(
      `trace id 7a inet moat_trace c ${packet4}`,
      'trace id 7a inet moat_trace c rule iifname "kids" meta nftrace set 1 (verdict continue)',
      'trace id 7a inet moat_trace c policy accept ',
      `trace id 7a inet moat raw_in ${packet4}`,
      'trace id 7a inet moat raw_in policy accept ',
      `trace id 7a inet moat forward ${packet4}`,
      'trace id 7a inet moat forward rule iifname { "kids", "moat0" } counter packets 3 bytes 180 reject with icmpx admin-prohibited (verdict drop)',
    ),
    [
      '10.77.2.5:58456 -> 10.1.0.10:443 tcp, 60 octets  refused  forward: iifname { "kids", "moat0" } counter reject with icmpx admin-prohibited',
    ],
  );
});

test('what passes and what a policy drops are said too; two packets at once are kept apart', () => {
  assert.deepEqual(
    said(
      `trace id 1 inet moat_trace c ${packet6}`,
      `trace id 2 inet moat_trace c ${packet4}`,
      'trace id 2 inet moat input policy drop ',
      'trace id 1 inet moat forward rule iifname "kids" oifname "wan" ip6 daddr 2000::/3 accept (verdict accept)',
      'trace id 1 inet moat postrouting policy accept ',
    ),
    [
      '10.77.2.5:58456 -> 10.1.0.10:443 tcp, 60 octets  dropped  input: policy drop',
      'fd77:2::5 -> 2001:db8::1 ipv6-icmp echo-request, 64 octets  passes   forward: iifname "kids" oifname "wan" ip6 daddr 2000::/3 accept',
    ],
  );
});

test('other words are nothing', () => {
  assert.deepEqual(said('', 'trace', 'trace id zz', 'trace id 9 inet moat forward policy drop'), []);
});
