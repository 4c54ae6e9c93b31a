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

export interface Contents {
  /** Lines `name version architecture`. */
  readonly debian: string;
  /** Folders of npm packages, such as `node_modules/zod`. */
  readonly npm: readonly string[];
  readonly top: string;
  readonly product: { readonly name: string; readonly version: string; readonly serial: number };
}

export function sbom({ debian, npm, top, product }: Contents): object {
  const components = [...debianComponents(debian), ...npm.map((folder) => npmComponent(join(top, folder)))];
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

function npmComponent(folder: string): Component {
  const found = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Record<string, string>;
  const { name = '', version = '', license } = found;
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return { type: 'library', name, version, purl, ...(license ? { licenses: [{ license: { name: license } }] } : {}) };
}
