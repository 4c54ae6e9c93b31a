/** The bill of materials in CycloneDX 1.6: every Debian package and npm package that is in the root, with version and licence. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Component {
  readonly type: 'library' | 'operating-system';
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly { readonly license: { readonly name: string } }[];
}

interface Locked {
  readonly version?: string;
  readonly license?: string;
}

interface Lock {
  readonly packages: Readonly<Record<string, Locked>>;
}

export interface Contents {
  /** Lines `name version architecture`. */
  readonly debian: string;
  /** Folders of npm packages, such as `node_modules/zod`. */
  readonly npm: readonly string[];
  readonly top: string;
  readonly product: { readonly name: string; readonly version: string; readonly serial: number };
}

export function sbom({ debian, npm, top, product }: Contents): object {
  const { packages } = JSON.parse(readFileSync(join(top, 'package-lock.json'), 'utf8')) as Lock;
  const components = [...debianComponents(debian), ...npm.map((folder) => npmComponent(folder, packages))];
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      timestamp: new Date(product.serial * 1000).toISOString(),
      component: { type: 'firmware', name: product.name, version: product.version },
    },
    components,
  };
}

function debianComponents(lines: string): Component[] {
  return lines
    .trim()
    .split('\n')
    .map((line) => {
      const [name = '', version = '', architecture = ''] = line.split(' ');
      const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=trixie`;
      return { type: 'library', name, version, purl };
    });
}

/** From the lock, not from the folders: Node for another processor is not installed here. */
function npmComponent(folder: string, locked: Readonly<Record<string, Locked>>): Component {
  const { version = '', license } = locked[folder] ?? {};
  const name = folder.slice(folder.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return { type: 'library', name, version, purl, ...(license ? { licenses: [{ license: { name: license } }] } : {}) };
}
