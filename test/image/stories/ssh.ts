/** ssh is for the administrator: where moat.toml gives a key, from zones that let it in, and never by a password. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, run } from '../../lab/processes.ts';
import type { Ground } from '../ground.ts';
import { lanServices } from '../office.ts';
import { lan } from '../street.ts';

const options = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=20'];
/** sshd makes its key and starts after the tunnel. */
const patience = ['-o', 'ConnectionAttempts=60'];

export async function sshByKey(ground: Ground): Promise<string> {
  const key = join(ground.folder, 'ssh-key');
  await must(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'admin', '-f', key]);
  const letsIn = 'kind = "work"\nlisteners = ["dhcp", "dns", "ntp", "ping", "ssh"]';
  const zones = lanServices().replace('kind = "work"', letsIn);
  const disk = await ground.newDisk('ssh', `sshKeys = ["${readFileSync(`${key}.pub`, 'utf8').trim()}"]\n${zones}`);
  const { box } = await ground.firstStart(disk, 'ssh');
  await box.works();
  const from = (place: 'sofa' | 'office', host: string, ...words: string[]) =>
    run(ground.street.inside(place, ['ssh', ...options, ...words, `root@${host}`, 'cat /run/moat/slot']), {
      timeout: 120_000,
    });

  const admin = await from('sofa', lan.box, ...patience, '-o', 'BatchMode=yes', '-i', key);
  assert.equal(admin.stdout.trim(), 'a', admin.stderr);
  const stranger = await from('sofa', lan.box, '-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-i', '/dev/null');
  assert.match(stranger.stderr, /Permission denied \(publickey\)/);
  const wild = /inet ([0-9.]+)/.exec(await box.shell('ip -4 -o addr show dev wild0'))?.[1] ?? '';
  const outside = await from('office', wild, '-o', 'BatchMode=yes', '-i', key);
  assert.match(outside.stderr, /timed out/, `${wild} does not answer outside`);
  await box.cut();
  return `from the LAN with the key of moat.toml, without it "publickey" is all there is; outside nothing answers`;
}
