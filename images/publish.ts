/**
 * What goes with an image: its SHA-256 and signature, the bill of materials, and the update bundle with the same content.
 * Usage: publish.ts IMAGE SLOT_FOLDER OUT_FOLDER
 */
import { execFileSync } from 'node:child_process';
import { createHash, sign } from 'node:crypto';
import { closeSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, encodeHead, type Release } from '../rootfs/box/bundle.ts';
import { sbom } from './sbom.ts';
import { signingKey } from './signing.ts';

const [image = '', slot = '', out = ''] = process.argv.slice(2);
const top = join(import.meta.dirname, '..');
const release = JSON.parse(readFileSync(join(slot, 'slot.json'), 'utf8')) as Release;
const key = signingKey();

function digestOfFile(path: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(4_194_304);
  const file = openSync(path, 'r');
  for (let octets = readSync(file, buffer); octets > 0; octets = readSync(file, buffer))
    hash.update(buffer.subarray(0, octets));
  closeSync(file);
  return hash.digest('hex');
}

function writeImageProofs(): void {
  const line = `${digestOfFile(image)}  ${basename(image)}\n`;
  writeFileSync(`${image}.sha256`, line);
  // Over the line of the digest: `openssl pkeyutl -verify -rawin` checks it without anything of ours.
  writeFileSync(`${image}.sha256.sig`, sign(null, Buffer.from(line), key));
}

function writeBundle(): void {
  const [boot, root] = [readFileSync(join(slot, 'boot.img')), readFileSync(join(slot, 'root.img'))];
  const { version, serial, board } = release;
  const head = encodeHead({ version, serial, board, boot: describe(boot), root: describe(root) }, key);
  writeFileSync(join(out, `moat-${version}-${board}.bundle`), Buffer.concat([head, boot, root]));
}

function writeSbom(): void {
  const side = release.board.endsWith('-portal') ? ['--portal'] : [];
  const npm = execFileSync(process.execPath, [join(top, 'rootfs/runtime-packages.ts'), ...side], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const debian = readFileSync(join(slot, 'packages.txt'), 'utf8');
  const node = `node_modules/node-linux-${release.board.startsWith('pc') ? 'x64' : 'arm64'}`;
  const bill = sbom({ debian, npm: [...npm, node], top, product: { name: `moat-${release.board}`, ...release } });
  writeFileSync(join(out, `moat-${release.version}-${release.board}.cdx.json`), `${JSON.stringify(bill, null, 1)}\n`);
}

writeImageProofs();
writeBundle();
writeSbom();
