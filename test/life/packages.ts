/** The packages that are installed in tests: of the executable of this build, packed quickly. */
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { quick } from '../../build/package/compress.ts';
import { installed } from '../../build/package/contents.ts';
import { deb } from '../../build/package/deb.ts';

/** When and by whom it was made does not matter here. */
export const made = {
  arch: process.arch === 'arm64' ? 'arm64' : 'x64',
  seconds: 1_780_000_000,
  publisher: { maintainer: 'Jane Doe <jane@example.org>', homepage: 'https://example.org/ar-exec' },
} as const;

/** Writes a .deb of this version into the folder; resolves with its name. */
export async function writeDeb(folder: string, version: string): Promise<string> {
  const entries = installed(await readFile(resolve('build/out/ar-exec')));
  const name = `ar-exec_${version}.deb`;
  const bytes = await deb({ ...made, version, entries, packing: quick });
  await writeFile(join(folder, name), bytes);
  return name;
}
