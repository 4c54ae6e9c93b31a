import type { Endpoint } from '../../lib/net.ts';

/** Milliseconds: a healthy server on the same machine answers in one. */
const patience = 1_000;

/**
 * Asks our own server over the wire for the SOA of the LAN domain. The client and its codec are those of the `dns2`
 * package, so that an answer that only our own code would understand does not pass. Loaded when first needed.
 */
export async function probeServer(endpoint: Endpoint, domain: string): Promise<{ ok: boolean; detail: string }> {
  const { default: DNS } = await import('dns2');
  const socketType = endpoint.address.includes(':') ? 'udp6' : 'udp4';
  const ask = DNS.UDPClient({
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
    const soa = packet.answers.some((answer) => answer.type === DNS.Packet.TYPE.SOA);
    return { ok: soa, detail: `${endpoint.address} ${soa ? 'answered' : 'has no SOA'} for ${domain} in ${took} ms` };
  } catch (error) {
    return { ok: false, detail: `${endpoint.address} does not answer: ${String(error)}` };
  }
}
