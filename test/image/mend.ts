/** Runs inside the box's own root (stories/room.ts): mounts /var as `prepare.ts` does, mends the vault, says what it found. */
import { mountData } from '../../rootfs/box/data-partition.ts';
import { partition, readVault, run, writeVault } from '../../rootfs/box/disk.ts';

const data = mountData(partition('moat-data'));
const { vault, damaged } = readVault();
writeVault({ ...vault, identityKey: vault.identityKey ?? process.argv[2] ?? null });
const writable = run('sh', [
  '-c',
  'mkdir -p /var/lib/moat && echo ok >/var/lib/moat/probe && cat /var/lib/moat/probe',
]).output;
// As DHCP left it: whose it is, and what is in it.
const lease = run('sh', [
  '-c',
  'cd /var/lib/moat/state/dhcp && stat -c "%u %a" . leases.journal && cat leases.journal',
]);
const home = run('stat', ['-c', '%u %a', '/var/lib/moat']).output;
const filesystem = run('findmnt', ['-n', '-o', 'FSTYPE', '/var']).output;
run('umount', ['/var']);
console.log(
  JSON.stringify({ ...data, damaged, key: vault.identityKey, writable, filesystem, lease: lease.output, home }),
);
