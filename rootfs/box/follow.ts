/** Follows the portal to the release that it wants: runs when `release.json` changes, and at every start. Exit code 2: try again. */
import { spawnSync } from 'node:child_process';
import { readBootState } from './disk.ts';
import { isWanted, readOffer, readUpdate } from './release.ts';

const offered = readOffer();
if (offered !== null && isWanted(offered, readUpdate())) {
  const update = ['/usr/lib/moat/rootfs/box/update.ts', offered.url, '--release', offered.release];
  // What became of the last one is not known yet: `health.ts` says so soon, and this very release may have failed.
  const isOpen = readBootState().trial !== null;
  process.exitCode = isOpen ? 2 : (spawnSync(process.execPath, update, { stdio: 'inherit' }).status ?? 2);
}
