/**
 * The bill of materials, CycloneDX 1.6: what is in the executable, from package-lock.json and from the Node
 * itself. `npm sbom` has another number and time in it at each run, and leaves out what Node is made of.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Locked {
  readonly version: string;
  readonly integrity?: string;
  readonly license?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
}

/** Parts of Node that have a life of their own, as `process.versions` names them. */
const parts = ['acorn', 'ada', 'ares', 'brotli', 'cldr', 'icu', 'llhttp', 'nghttp2', 'openssl'];
const more = [
  'simdjson',
  'simdutf',
  'sqlite',
  'tz',
  'undici',
  'unicode',
  'uv',
  'v8',
  'zlib',
  'zstd',
];

export function billOfMaterials(seconds: number): string {
  const { name, version, license } = read('package.json');
  const locked: [string, Locked][] = Object.entries(read('package-lock.json').packages);
  const libraries = locked
    .filter(([path, { dev, optional }]) => path !== '' && dev !== true && optional !== true)
    .map(([path, one]) => library(path.slice(path.lastIndexOf('node_modules/') + 13), one));
  const node = [['node', process.versions.node], ...[...parts, ...more].map(partOf)] as const;
  const runtime = node
    .filter(([, its]) => its !== '')
    .map(([its, at]) => ({
      type: 'library',
      'bom-ref': `pkg:generic/${its}@${at}`,
      name: its,
      version: at,
      purl: `pkg:generic/${its}@${at}`,
    }));
  const components = [...libraries, ...runtime].sort((a, b) =>
    a['bom-ref'] < b['bom-ref'] ? -1 : 1,
  );
  const subject = {
    type: 'application',
    'bom-ref': `pkg:npm/${name}@${version}`,
    name,
    version,
    licenses: [{ license: { id: license } }],
    purl: `pkg:npm/${name}@${version}`,
  };
  const dependsOn = components.map((one) => one['bom-ref']);
  const bill = {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: numberOf(JSON.stringify([subject, components])),
    version: 1,
    metadata: { timestamp: new Date(seconds * 1_000).toISOString(), component: subject },
    components,
    dependencies: [{ ref: subject['bom-ref'], dependsOn }],
  };
  return `${JSON.stringify(bill, undefined, 2)}\n`;
}

function partOf(name: string): readonly [string, string] {
  return [name, process.versions[name] ?? ''];
}

function library(name: string, { version, integrity = '', license }: Locked) {
  const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`;
  const [, hash] = /^sha512-(.+)$/.exec(integrity) ?? [];
  return {
    type: 'library',
    'bom-ref': purl,
    name,
    version,
    ...(hash === undefined
      ? {}
      : { hashes: [{ alg: 'SHA-512', content: Buffer.from(hash, 'base64').toString('hex') }] }),
    ...(license === undefined
      ? {}
      : {
          licenses: [/[ (]/.test(license) ? { expression: license } : { license: { id: license } }],
        }),
    purl,
  };
}

/** A UUID (version 8) of what is in it, so that the same is the same. */
function numberOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  const [a, b, c, d, e] = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(13, 16),
    hex.slice(17, 20),
    hex.slice(20, 32),
  ];
  return `urn:uuid:${a}-${b}-8${c}-8${d}-${e}`;
}

function read(path: string) {
  return JSON.parse(readFileSync(join(root, path), 'utf8'));
}
