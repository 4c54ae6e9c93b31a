/** Boxes whose battery is dead or wrong join their portal all the same, and take the time from it: no time server is configured. */
import assert from 'node:assert/strict';
import type { Ground } from '../ground.ts';
import { Headquarters } from '../headquarters.ts';

const batteries = { dead: '1970-01-01T00:00:00', 'five years ahead': '2031-12-01T00:00:00' } as const;
const nearSeconds = 60;

export async function wrongClocks(ground: Ground): Promise<string> {
  const headquarters = await Headquarters.open(ground.office);
  const found: string[] = [];
  for (const [name, clock] of Object.entries(batteries)) {
    const disk = await ground.enrollingDisk('clock', await headquarters.token(`clock-${found.length}`));
    const box = ground.start(disk, 'clock', { clock });
    const { at } = await box.works();
    const off = Math.round(Number((await box.shell('date +%s')).trim()) - Date.now() / 1000);
    assert.ok(Math.abs(off) < nearSeconds, `${name}: ${off} s`);
    const said = await box.shell('journalctl -b -o cat -u moat | grep -o clockSetByPortal');
    assert.match(said, /clockSetByPortal/, `${name}: who else set it?`);
    await box.cut();
    found.push(`battery ${name}: works at ${at} s, the clock is ${off} s off`);
  }
  return found.join('; ');
}
