import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readRows } from './read-table.ts';

interface Package {
  readonly version: string;
  readonly integrity: string;
  readonly license: string;
  readonly hasInstallScript?: boolean;
}

const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const manifest = read('package.json');
const lock: Record<string, Package> = read('package-lock.json').packages;
const rows = readRows(readFileSync('docs/dependencies.md', 'utf8'));
const described = rows.filter((row) => row.length === 7 && row[0] !== 'name');
const sourceRead = rows.filter((row) => row[2]?.startsWith('sha512-'));

const declared: Record<string, string> = {
  ...manifest.dependencies,
  ...manifest.optionalDependencies,
  ...manifest.devDependencies,
};

test('docs/dependencies.md describes every dependency, and no other', () => {
  const told = described.map(([name, version]) => [name, version]);
  expect(Object.fromEntries(told)).toEqual(declared);
  expect(told).toHaveLength(Object.keys(declared).length);
  expect(described.filter((row) => row.some((cell) => cell === ''))).toEqual([]);
});

test('docs/dependencies.md tells the licences that the lock file has', () => {
  const told = described.map((row) => [row[0], row[5]]);
  expect(told).toEqual(told.map(([name]) => [name, lock[`node_modules/${name}`]?.license]));
});

test('every dependency has an exact version', () => {
  const loose = Object.entries(declared).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
  expect(loose).toEqual([]);
});

test('node-ipc and what it brings is what was read', () => {
  const told = sourceRead.map(([name, version, integrity]) => ({ name, version, integrity }));
  expect(told).toHaveLength(6);
  expect(told).toEqual(
    told.map(({ name }) => {
      const { version, integrity } = lock[`node_modules/${name}`] ?? {};
      return { name, version, integrity };
    }),
  );
});

test('no other package than esbuild has an install script, and its is refused', () => {
  const scripted = Object.keys(lock).filter((name) => lock[name]?.hasInstallScript);
  expect(scripted.map((name) => name.replace('node_modules/', ''))).toEqual(['esbuild']);
  expect(manifest.allowScripts).toEqual({ esbuild: false });
});

test('the lock file names no place to download from', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toContain('"resolved"');
});
