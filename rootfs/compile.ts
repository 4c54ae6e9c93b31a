/**
 * Compiles what runs in the box into few JavaScript files: stripping types and resolving 200 modules is most of a start on a small
 * processor. Usage: compile.ts OUT [portal], where OUT becomes /usr/lib/moat. Prints the npm packages that stay outside of the bundle.
 *
 * Every program keeps its name: beside `main.js` stands the link `main.ts`, and Node goes by where a link leads.
 */
import { readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

const top = join(import.meta.dirname, '..');
const installed = 'file:///usr/lib/moat';
const programs = [
  'appliance/main.ts',
  'appliance/tunnel/main.ts',
  'appliance/lan/dhcp/main.ts',
  'appliance/lan/dns/main.ts',
  'appliance/lan/ntp/main.ts',
  'rootfs/box/prepare.ts',
  'rootfs/box/health.ts',
  'rootfs/box/update.ts',
  'rootfs/box/stick.ts',
  'rootfs/box/follow.ts',
  'rootfs/box/keep.ts',
];
/** What a portal's root has besides. */
const portalPrograms = ['provisioning/cli/main.ts', 'rootfs/portal/start.ts', 'rootfs/portal/backup.ts'];
/** Loaded by name while running (`createRequire`), not by import. */
const loadedByName = ['dns2', 'ntp-time-sync'];

/** A module that asks where it is hears where its source would be: addons and programs are found from there. */
const whereItIs: Plugin = {
  name: 'where it is',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const place = `${installed}/${relative(top, path)}`;
      const contents = readFileSync(path, 'utf8')
        .replaceAll('import.meta.url', JSON.stringify(place))
        .replaceAll('import.meta.dirname', JSON.stringify(dirname(fileURLToPath(place))));
      return { contents, loader: 'ts' };
    });
  },
};

/** The box speaks English; 60 languages of zod's sentences would be read at every start of every process. */
const oneLanguage: Plugin = {
  name: 'one language',
  setup({ onLoad }) {
    const contents = "export { default as en } from './en.js';";
    onLoad({ filter: /\/zod\/v4\/locales\/index\.js$/ }, () => ({ contents, loader: 'js' }));
  },
};

/** @param out a folder; its files are the same for the same sources. */
async function compile(out: string, entries: readonly string[]): Promise<void> {
  await build({
    absWorkingDir: top,
    entryPoints: [...entries],
    outdir: out,
    outbase: '.',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    chunkNames: 'chunks/[name]-[hash]',
    // pg asks for a faster one of its own, and does without.
    external: [...loadedByName, 'pg-native'],
    // CommonJS packages ask for built-in modules with it. Not by import: that evaluates every export of node:module (5 MB).
    banner: {
      js: "const require = process.getBuiltinModule('node:module').createRequire(import.meta.url);",
    },
    // Names stand in logs and reports; white space is compressed away anyhow.
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [whereItIs, oneLanguage],
  });
  for (const program of entries) symlinkSync(`${basename(program, '.ts')}.js`, join(out, program));
}

const [out, side = 'home'] = process.argv.slice(2);
if (out === undefined) throw new Error('usage: compile.ts OUT [portal]');
await compile(out, side === 'portal' ? [...programs, ...portalPrograms] : programs);
console.log(loadedByName.join('\n'));
