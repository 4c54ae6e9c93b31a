import { mkdirSync, rmSync } from 'node:fs';
import { Box } from './box.ts';
import { Disk } from './disk.ts';
import { moatToml, Office, readFromSofa } from './office.ts';
import { Street } from './street.ts';

const folder = '/tmp/boxq/try';
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const street = await Street.open();
let box: Box | undefined;
const office = new Office(street, `${folder}/office`);
try {
  await office.open();
  const disk = await new Disk('.build/image/pc.img').copy(`${folder}/disk.img`);
  await disk.putFile('moat.toml', moatToml(office.publicKey));
  const t0 = performance.now();
  box = Box.start(street, disk, `${folder}/console.log`, { firmware: process.argv[2] as 'bios' });
  const [, key = ''] = await box.see(/moat: public key (\S+)\n/);
  console.log('key', key, (performance.now() - t0) / 1000);
  await office.admit(key);
  console.log('works', await box.works(), (performance.now() - t0) / 1000);
  await readFromSofa(street);
  console.log('page read', (performance.now() - t0) / 1000);
  for (const command of [
    'free -m',
    'ss -lntup',
    'systemd-analyze',
    'systemd-analyze blame | head -20',
    'systemd-analyze critical-chain',
    'ps -eo user,rss,args | grep -v "\\["',
    'cat /run/moat/recovery.json',
    'df -h',
    'journalctl -b --no-pager | tail -60',
    'moat status --state /var/lib/moat/state',
    'ip -br a',
  ]) {
    console.log(`--- ${command}\n${await box.shell(command).catch((e) => String(e))}`);
  }
  await box.cut();
} catch (error) {
  console.log((error as Error).message);
} finally {
  await box?.cut();
  await office.close();
  await street.close();
}
