import { isSection, type Section } from './vici.ts';

/** What a strongSwan says about one child SA. */
export interface PeerChildSa {
  readonly name: string;
  readonly state: string;
  readonly mode: string;
  readonly isEncapsulated: boolean;
  /** `AES_GCM_16-256`, with `/CURVE_25519` after a rekey with key exchange. */
  readonly encryption: string;
  readonly cipher: string;
  /** Of the rekey that made it; empty for the first child. */
  readonly keyExchange: string;
  readonly additionalKeyExchange: string;
  readonly esn: boolean;
  readonly spiIn: string;
  readonly spiOut: string;
  readonly octetsIn: number;
  readonly octetsOut: number;
  readonly localNetworks: readonly string[];
  readonly remoteNetworks: readonly string[];
}

export interface PeerIkeSa {
  readonly connection: string;
  readonly id: number;
  readonly state: string;
  readonly initiatorSpi: string;
  readonly encryption: string;
  readonly prf: string;
  readonly keyExchange: string;
  /** RFC 9370; empty without. */
  readonly additionalKeyExchange: string;
  /** RFC 8784: a post-quantum pre-shared key went into the keys. */
  readonly ppk: boolean;
  readonly localAddress: string;
  readonly remoteAddress: string;
  readonly remoteId: string;
  readonly children: readonly PeerChildSa[];
}

/** One entry of `swanctl --list-sas`. */
export function ikeSa(connection: string, section: Section): PeerIkeSa {
  const text = (name: string) => textOf(section, name);
  const children = section['child-sas'];
  return {
    connection,
    id: Number(text('uniqueid')),
    state: text('state'),
    initiatorSpi: text('initiator-spi'),
    encryption: [text('encr-alg'), text('encr-keysize')].filter(Boolean).join('-'),
    prf: text('prf-alg'),
    keyExchange: text('dh-group'),
    additionalKeyExchange: text('ake1'),
    ppk: text('ppk') === 'yes',
    localAddress: text('local-host'),
    remoteAddress: text('remote-host'),
    remoteId: text('remote-id'),
    children: isSection(children)
      ? Object.values(children).flatMap((child) => (isSection(child) ? [childSa(child)] : []))
      : [],
  };
}

function childSa(section: Section): PeerChildSa {
  const text = (name: string) => textOf(section, name);
  const list = (name: string) => (Array.isArray(section[name]) ? (section[name] as readonly string[]) : []);
  const algorithm = [text('encr-alg'), text('encr-keysize')].filter(Boolean).join('-');
  return {
    name: text('name'),
    state: text('state'),
    mode: text('mode'),
    isEncapsulated: text('encap') === 'yes',
    encryption: [algorithm, text('dh-group')].filter(Boolean).join('/'),
    cipher: algorithm,
    keyExchange: text('dh-group'),
    additionalKeyExchange: text('ake1'),
    esn: text('esn') === '1',
    spiIn: text('spi-in'),
    spiOut: text('spi-out'),
    octetsIn: Number(text('bytes-in')),
    octetsOut: Number(text('bytes-out')),
    localNetworks: list('local-ts'),
    remoteNetworks: list('remote-ts'),
  };
}

function textOf(section: Section, name: string): string {
  const value = section[name];
  return typeof value === 'string' ? value : '';
}
