/** A zone of about 10,000 records that has one of everything a secondary can get wrong. Relative names throughout. */
export function zoneText(serial: number, edited: number): string {
  return [...header(serial), ...oddities, ...hosts(edited)].join('\n').concat('\n');
}

/** The odd ones alone: what has to be signed anew at each start should be small. */
export function oddZoneText(serial: number): string {
  return [...header(serial), ...oddities].join('\n').concat('\n');
}

const hostCount = 2490;

function header(serial: number): string[] {
  return ['$TTL 3600', `@ IN SOA ns1 hostmaster.ns1 ${serial} 3600 600 604800 300`, '@ IN NS ns1', 'ns1 IN A 10.9.0.1'];
}

/** Each line is here because some secondary, somewhere, lost it. */
const oddities = [
  '@ IN MX 10 mail',
  '@ IN CAA 0 issue "ca.example"',
  'mail IN A 10.1.0.1',
  '*.wild IN A 10.1.0.2',
  '*.wild IN TXT "from the wildcard"',
  'not.wild IN AAAA 2001:db8::1',
  'deep.empty.nonterminal IN A 10.1.0.3',
  'sub IN NS ns.sub',
  'sub IN NS ns.elsewhere.example.',
  'ns.sub IN A 10.1.0.4',
  'old IN DNAME new',
  'x.new IN A 10.1.0.5',
  'alias IN CNAME MiXeD',
  'alias2 IN CNAME alias',
  'away IN CNAME www.elsewhere.example.',
  'MiXeD IN A 10.1.0.6',
  'a\\.dot IN TXT "a dot in a label"',
  'space\\032inside IN A 10.1.0.7',
  'bin\\000ary IN A 10.1.0.8',
  `long IN TXT "${'x'.repeat(255)}" "${'y'.repeat(255)}" "${'z'.repeat(40)}"`,
  'bytes IN TXT "\\000\\001\\255\\"\\\\" ""',
  'unknown IN TYPE65280 \\# 4 0A000001',
  'unknown IN TYPE731 \\# 6 abcdef012345',
  'nothing IN TYPE65281 \\# 0',
  'naptr IN NAPTR 100 50 "s" "z3950+I2L+I2C" "" _z3950._tcp.x',
  'naptr IN NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@corp.example!" .',
  '_sip._tcp IN SRV 0 5 5060 MiXeD',
  'tlsa IN TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  'sshfp IN SSHFP 4 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  'loc IN LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m',
  'hinfo IN HINFO "PC" "moat"',
  'rp IN RP hostmaster txt.rp',
  'afsdb IN AFSDB 1 mail',
  'ds IN DS 12345 13 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef',
  'ds IN NS ns.elsewhere.example.',
  'svc IN HTTPS 1 . alpn="h2,h3"',
  ...Array.from({ length: 40 }, (_, i) => `many IN A 10.2.0.${i + 1}`),
  ...Array.from({ length: 60 }, (_, i) => `huge IN TXT "${String(i).padStart(2, '0')}${'h'.repeat(200)}"`),
];

/** Every name of it, with the types that it has and one that it has not. */
export const oddQuestions: readonly string[] = oddities.flatMap((line) => {
  const [owner = '', , type = ''] = line.split(' ');
  return [`${owner} ${type}`, `${owner} NAPTR`];
});

/** Four records each; the first `edited` of them have been edited: another address, and no TXT. */
function hosts(edited: number): string[] {
  return Array.from({ length: hostCount }, (_, i) => {
    const name = `host-${i}.site-${i % 17}`;
    const changed = i < edited;
    const [high, low] = [(i >> 8) & 255, i & 255];
    return [
      `${name} IN A 10.${changed ? 66 : 3}.${high}.${low}`,
      `${name} IN AAAA 2001:db8:3::${i.toString(16)}`,
      ...(changed ? [] : [`${name} IN TXT "host number ${i}"`]),
      `${name} IN MX 10 mail`,
    ];
  }).flat();
}

/** Names that are in no zone file, with what they try. */
export const absentNames = [
  'nobody A', // NXDOMAIN
  'mail AAAA', // NODATA
  'empty.nonterminal A', // NODATA: an empty non-terminal
  'nonterminal A',
  'x.empty.nonterminal A', // NXDOMAIN below it
  'anything.wild A', // wildcard
  'two.levels.wild TXT',
  'anything.wild AAAA', // wildcard NODATA
  'not.wild A', // the wildcard does not cover what exists
  'below.not.wild A',
  'x.sub A', // delegated
  'sub NS',
  'sub A',
  'ns.sub A',
  'ds DS', // the parent answers
  'x.old A', // DNAME
  'y.old A',
  'old DNAME',
  'old A',
  'alias A', // aliases
  'alias2 A',
  'alias AAAA',
  'away A',
];
