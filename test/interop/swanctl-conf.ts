import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** How an end proves who it is: an Ed25519 key pair of its own and the peer's public key, a certificate, or a shared secret. */
export type Credentials =
  | {
      readonly kind: 'x509';
      readonly privateKeyPem: string;
      readonly certificatePem: string;
      readonly authorityPem: string;
    }
  | { readonly kind: 'ed25519'; readonly privateKeyPem: string; readonly peerPublicKeyPem: string }
  | { readonly kind: 'psk'; readonly secret: string };

export interface Connection {
  readonly localId: string;
  readonly remoteId: string;
  readonly localAddress: string;
  /** Left out on a responder that takes its peer from anywhere. */
  readonly remoteAddress?: string;
  readonly credentials: Credentials;
  readonly localNetworks: readonly string[];
  readonly remoteNetworks: readonly string[];
  /** As swanctl.conf has them; AES-256-GCM, SHA-256 and X25519 when not given. */
  readonly ikeProposal?: string;
  readonly espProposal?: string;
  /** Seconds; 0: never by itself. */
  readonly ikeRekeySeconds?: number;
  readonly childRekeySeconds?: number;
  /** `net` when not given. */
  readonly childName?: string;
  /** Further lines of the connection, and of its child: whatever swanctl.conf knows. */
  readonly lines?: readonly string[];
  readonly childLines?: readonly string[];
  /** Further sections of `secrets`. */
  readonly secrets?: string;
}

/** Of the daemon as a whole. */
export interface DaemonOptions {
  /** Lines of `charon-systemd { }` in strongswan.conf. */
  readonly lines?: readonly string[];
}

const plugins = [
  // Only OpenSSL's ciphers: strongSwan's own are several times slower, and what is measured is to be at its best.
  'random nonce openssl drbg kdf x509 pubkey pkcs1 pkcs8 pem',
  'kernel-libipsec kernel-netlink socket-default vici updown',
].join(' ');

const daemonSettings = (lines: readonly string[]) => `charon-systemd {
${indented('  ', lines)}  load = ${plugins}
  # The journal is not there; everything goes into the run's log.
  journal {
    default = -1
  }
  filelog {
    out {
      path = stdout
      default = 1
      ike = 2
      flush_line = yes
    }
  }
  retransmit_tries = 4
  retransmit_timeout = 1
  plugins {
    vici {
      socket = unix:///run/charon.vici
    }
  }
}
`;

/** Writes what belongs below / of an instance: settings, connections, keys. */
export function writeConfiguration(
  folder: string,
  connections: Readonly<Record<string, Connection>>,
  { lines = [] }: DaemonOptions = {},
): void {
  const write = (path: string, text: string) => {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o600 });
  };
  const names = Object.entries(connections);
  write('etc/strongswan.conf', daemonSettings(lines));
  const body = names.map(([name, connection]) => connectionText(name, connection)).join('');
  const secrets = names.map(([name, connection]) => secretText(name, connection)).join('');
  write('etc/swanctl/swanctl.conf', `connections {\n${body}}\nsecrets {\n${secrets}}\n`);
  for (const [name, { credentials }] of names) {
    if (credentials.kind === 'x509') {
      write(`etc/swanctl/private/${name}.pem`, credentials.privateKeyPem);
      write(`etc/swanctl/x509/${name}.pem`, credentials.certificatePem);
      write(`etc/swanctl/x509ca/${name}.pem`, credentials.authorityPem);
    }
    if (credentials.kind !== 'ed25519') continue;
    write(`etc/swanctl/pkcs8/${name}.pem`, credentials.privateKeyPem);
    // Its own public key too: that is how strongSwan finds the private one that belongs to a raw key.
    write(`etc/swanctl/pubkey/${name}-own.pem`, publicKeyOf(credentials.privateKeyPem));
    write(`etc/swanctl/pubkey/${name}-peer.pem`, credentials.peerPublicKeyPem);
  }
}

function connectionText(name: string, connection: Connection): string {
  const { credentials } = connection;
  const auth = credentials.kind === 'psk' ? 'psk' : 'pubkey';
  const key = (whose: 'own' | 'peer') => {
    if (credentials.kind === 'psk') return '';
    if (credentials.kind === 'ed25519') return `      pubkeys = ${name}-${whose}.pem\n`;
    return `      ${whose === 'own' ? 'certs' : 'cacerts'} = ${name}.pem\n`;
  };
  return `  ${name} {
    version = 2
    local_addrs = ${connection.localAddress}
    remote_addrs = ${connection.remoteAddress ?? '%any'}
    proposals = ${connection.ikeProposal ?? 'aes256gcm16-prfsha256-x25519'}
    rekey_time = ${connection.ikeRekeySeconds ?? 0}
    unique = replace
${indented('    ', connection.lines)}    local {
      auth = ${auth}
      id = ${connection.localId}
${key('own')}    }
    remote {
      auth = ${auth}
      id = ${connection.remoteId}
${key('peer')}    }
    children {
      ${connection.childName ?? 'net'} {
        local_ts = ${connection.localNetworks.join(',')}
        remote_ts = ${connection.remoteNetworks.join(',')}
        esp_proposals = ${connection.espProposal ?? 'aes256gcm16-x25519'}
        rekey_time = ${connection.childRekeySeconds ?? 0}
${indented('        ', connection.childLines)}      }
    }
  }
`;
}

function indented(by: string, lines: readonly string[] = []): string {
  return lines.map((line) => `${by}${line}\n`).join('');
}

function publicKeyOf(privateKeyPem: string): string {
  return createPublicKey(privateKeyPem).export({ type: 'spki', format: 'pem' }).toString();
}

function secretText(name: string, { credentials, localId, remoteId, secrets = '' }: Connection): string {
  if (credentials.kind !== 'psk') return secrets;
  return `${secrets}  ike-${name} {\n    id-1 = ${localId}\n    id-2 = ${remoteId}\n    secret = "${credentials.secret}"\n  }\n`;
}

/** A key pair as PEM, and the 32 octets of its public half in base64. */
export function newEd25519(): { privateKeyPem: string; publicKeyPem: string; publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(-32).toString('base64'),
  };
}
