/** The image starts by either firmware, gets an address, tunnels, and the sofa reads a page; what runs inside is what should. */
import assert from 'node:assert/strict';
import type { Box } from '../box.ts';
import type { Ground } from '../ground.ts';
import { lanServices, readFromSofa, serveSofa } from '../office.ts';
import type { Firmware } from '../qemu.ts';
import { lan } from '../street.ts';

const mostMemoryMib = 350;

export async function bootsBy(ground: Ground, firmware: Firmware): Promise<string> {
  // Once by the box's own networkd, once by the client that the supervisor starts.
  const wild = firmware === 'bios' ? 'kept' : 'dhcp';
  const disk = await ground.newDisk(`boot-${firmware}`, lanServices(wild));
  const { box, publicKey } = await ground.firstStart(disk, `boot-${firmware}`, { firmware });
  const { at, processorSeconds } = await box.works();
  const sofa = await serveSofa(ground.street);
  await readFromSofa(ground.street);
  assert.equal((await disk.getFile('public-key.txt')).trim(), publicKey, 'the key is on the FAT partition');
  const inside = firmware === 'bios' ? await looksRight(box) : '';
  await box.shell('sync');
  await box.cut();
  ground.season(disk, publicKey);
  return `tunnel, and on the sofa the page, an address (${sofa}), a name and the time; up at ${at} s of the box's clock and ${processorSeconds} s of processor${inside}`;
}

async function looksRight(box: Box): Promise<string> {
  assert.deepEqual(await listeners(box), documented);
  const missing = 'for c in cc gcc g++ make dpkg apt perl python3 wget curl nc; do command -v $c; done; true';
  assert.equal((await box.shell(missing)).trim(), '', 'no compiler, no package manager, no downloader');
  assert.match(await box.shell('touch /usr/x 2>&1'), /Read-only file system/);
  assert.match(
    await box.shell('dd if=/dev/zero of=/dev/mapper/moat-root bs=512 count=1 2>&1'),
    /not permitted|Read-only|denied/,
  );
  assert.match(
    await box.shell('mount -o remount,rw /usr 2>&1; touch /usr/x 2>&1'),
    /read-only|Read-only|write-protected/i,
  );
  assert.match(
    await box.shell(asSupervisor('dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=notrunc')),
    /not permitted/,
  );
  assert.match(await box.shell(asSupervisor('touch /etc/x')), /Read-only file system/);
  const used = Number(
    (await box.shell("awk '/MemTotal/{t=$2}/MemAvailable/{a=$2}END{print int((t-a)/1024)}' /proc/meminfo")).trim(),
  );
  assert.ok(used > 0 && used < mostMemoryMib, `${used} MiB in use`);
  const users = (await box.shell('ps -eo user:16=,args= | grep moat/appliance | grep -v grep')).trim().split('\n');
  const names = [...new Set(users.map((line) => line.split(' ')[0] ?? ''))].sort();
  assert.deepEqual(
    names,
    ['_chrony', 'moat-dhcp', 'moat-dns', 'moat-tunnel', 'root'],
    'every service has its own user',
  );
  return `; ${used} MiB in use; processes of ${names.join(', ')}`;
}

/** The command with the rights of the supervisor's unit, the widest that anything has which listens to a network. */
function asSupervisor(command: string): string {
  const enter = 'echo $$ >/sys/fs/cgroup/system.slice/moat.service/cgroup.procs';
  return `(sh -c '${enter}; exec nsenter --mount --target $(systemctl show -p MainPID --value moat) ${command}') 2>&1`;
}

/** `protocol where port`, as rootfs/README.md lists them: where is a device, an address, or everywhere. */
const documented = [
  `tcp ${lan.box} 53`,
  'udp * 4500',
  'udp * 500',
  `udp ${lan.box} 123`,
  `udp ${lan.box} 53`,
  'udp wild0 68',
  'udp work0 67',
];

async function listeners(box: Box): Promise<string[]> {
  const lines = (await box.shell('ss -Hlntu')).trim().split('\n');
  const names = lines.map((line) => {
    const [protocol = '', , , , local = ''] = line.trim().split(/\s+/);
    const [, address = '', device = '', port = ''] = /^(.*?)(?:%([a-z0-9]+))?:(\d+)$/.exec(local) ?? [];
    const everywhere = address === '0.0.0.0' || address === '[::]' || address === '*';
    return `${protocol} ${device || (everywhere ? '*' : address)} ${port}`;
  });
  return [...new Set(names)].sort();
}
