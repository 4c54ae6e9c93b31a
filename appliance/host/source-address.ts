import { createSocket } from 'node:dgram';
import { familyOf } from '../lib/ip.ts';

/**
 * The address that this host's routes give packets to `remote`. Nothing is sent.
 * @throws {Error} with code ENETUNREACH when there is no route.
 */
export function sourceAddressFor(remote: string): Promise<string> {
  const socket = createSocket(familyOf(remote) === 4 ? 'udp4' : 'udp6');
  return new Promise<string>((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(500, remote, (error?: Error) => (error ? reject(error) : resolve(socket.address().address)));
  }).finally(() => socket.close());
}
