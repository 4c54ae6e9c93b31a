import { run } from './processes.ts';

/** Something that a person can act on; the message is a sentence, and no stack is shown. */
export class LabError extends Error {}

const programs = ['ip', 'nft', 'ping', 'curl', 'tcpdump', 'ethtool', 'setpriv', 'flock', 'make', 'g++'];

/** One process tries everything in a namespace that vanishes with it, and names the first thing that fails. */
const probe = `
for program in ${programs.join(' ')}; do
  command -v $program >/dev/null || { echo "the program '$program' is missing (on Debian 'npm run lab' installs it)"; exit 1; }
done
unshare --net true 2>/dev/null || { echo 'the kernel has no network namespaces, or this container may not make them'; exit 1; }
unshare --net sh -c '
  ip link add name a type veth peer name b 2>/dev/null || { echo "the kernel has no veth devices"; exit 1; }
  ip tuntap add dev t mode tun 2>/dev/null || { echo "the kernel has no TUN devices (/dev/net/tun)"; exit 1; }
  echo "table ip n { chain c { type nat hook postrouting priority 100; oifname a masquerade; }; }" | nft -f - 2>/dev/null ||
    { echo "the kernel has no nftables masquerading"; exit 1; }
'
`;

let proven = false;

/** @throws {LabError} with one clear sentence. */
export async function requireMachine(): Promise<void> {
  if (proven) return;
  if (process.platform !== 'linux') throw new LabError(`the lab needs Linux; this is ${process.platform}.`);
  if (process.getuid?.() !== 0) throw new LabError('the lab needs root (network namespaces): run it with sudo.');
  const { code, stdout, stderr } = await run(['sh', '-c', probe]);
  if (code !== 0) throw new LabError(`the lab cannot run here: ${stdout.trim() || stderr.trim()}.`);
  proven = true;
}
