import type DNS from 'dns2';
import type { Endpoint } from '../../lib/net.ts';

/** Milliseconds: a healthy server on the same machine answers in one. */
const patience = 1_000;

/**
 * The UDP client and the codec of `dns2`, and nothing else of it: its index also loads HTTP/2 and TLS, 5 MB that a box
 * would carry for nothing. Relative to the package's own description its files may be named.
 */
function loadDns2(): { udpClient: typeof DNS.UDPClient; Packet: typeof DNS.Packet } {
  // Not by `import`: that evaluates every export of node:module, the type stripper among them (5 MB again).
  const { createRequire } = process.getBuiltinModule('node:module');
  const require = createRequire(import.meta.url);
  const inside = createRequire(require.resolve('dns2/package.json'));
  return { udpClient: inside('./client/udp.js'), Packet: inside('./packet.js') };
}

/**
 * Asks our own server over the wire for the SOA of the LAN domain. The client and its codec are those of the `dns2`
 * package, so that an answer that only our own code would understand does not pass. Loaded when first needed.
 */
export async function probeServer(endpoint: Endpoint, domain: string): Promise<{ ok: boolean; detail: string }> {
  const { udpClient, Packet } = loadDns2();
  const socketType = endpoint.address.includes(':') ? 'udp6' : 'udp4';
  const ask = udpClient({
    dns: endpoint.address,
    port: endpoint.port,
    timeout: patience,
    socketType,
    retryOverTCP: false,
  });
  const startedAt = performance.now();
  try {
    const packet = await ask(domain.replace(/\.$/, ''), 'SOA');
    const took = (performance.now() - startedAt).toFixed(1);
    const soa = packet.answers.some((answer) => answer.type === Packet.TYPE.SOA);
    return { ok: soa, detail: `${endpoint.address} ${soa ? 'answered' : 'has no SOA'} for ${domain} in ${took} ms` };
  } catch (error) {
    return { ok: false, detail: `${endpoint.address} does not answer: ${String(error)}` };
  }
}
