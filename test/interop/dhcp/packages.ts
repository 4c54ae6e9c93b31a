import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { must } from '../../lab/processes.ts';

const base = join(import.meta.dirname, '../../../.build/dhcp');
const root = join(base, 'root');

/** busybox has udhcpc, kea-admin has perfdhcp, ndisc6 has rdisc6. */
const packages = ['busybox', 'isc-dhcp-client', 'isc-dhcp-relay', 'dhcpcd-base', 'ndisc6', 'kea-admin', 'kea-common'];

/** Libraries of perfdhcp that few machines have; each release of Debian names them otherwise. */
async function libraries(): Promise<string[]> {
  const text = await must(['apt-cache', 'depends', 'kea-common', 'kea-admin']);
  return [...new Set(text.match(/(?<=Depends: )lib(log4cplus|mariadb|pq)\S*/g) ?? [])];
}

/** Programs of other people, unpacked aside: installing a DHCP client would let it loose on the machine's interfaces. */
export const programs = {
  busybox: join(root, 'bin/busybox'),
  dhclient: join(root, 'sbin/dhclient'),
  dhcpcd: join(root, 'usr/sbin/dhcpcd'),
  dhcrelay: join(root, 'usr/sbin/dhcrelay'),
  perfdhcp: join(root, 'usr/sbin/perfdhcp'),
  rdisc6: join(root, 'bin/rdisc6'),
  networkd: '/lib/systemd/systemd-networkd',
} as const;

export const libraryPath = readLibraryPath();

function readLibraryPath(): string {
  const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return join(root, 'usr/lib', triplet);
}

/** Downloads and unpacks the packages, once. */
export async function providePackages(): Promise<void> {
  const done = join(root, '.complete');
  if (existsSync(done)) return;
  const downloads = join(base, 'packages');
  mkdirSync(downloads, { recursive: true });
  mkdirSync(root, { recursive: true });
  const names = [...packages, ...(await libraries())].join(' ');
  await must(['sh', '-c', `cd '${downloads}' && apt-get -q -o APT::Sandbox::User=root download ${names}`], {
    timeout: 120_000,
  });
  for (const file of readdirSync(downloads)) {
    if (file.endsWith('.deb')) await must(['dpkg', '-x', join(downloads, file), root]);
  }
  writeFileSync(done, '');
}
