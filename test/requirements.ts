import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';
import { wineRoot } from '../build/prepare-wine.mjs';
import { inCi } from './ci.ts';

const windowsExecutable = fileURLToPath(new URL('../build/out/ar-exec.exe', import.meta.url));

/** Where build/prepare.mjs unpacks what must not be installed. */
export const unpacked = fileURLToPath(new URL('../build/out/unpacked', import.meta.url));

const folders = [
  ...(process.env['PATH'] ?? '').split(delimiter),
  '/usr/sbin',
  '/sbin',
  join(unpacked, 'usr/sbin'),
];

/**
 * `describe` for tests that need something of the machine: `root`, `namespaces` (the right to make
 * network namespaces), `wine` (and the executable for Windows) or a system tool by its name.
 *
 * Where something is missing the tests are skipped, and their name says why. In CI they fail.
 *
 *     requires('root', 'namespaces', 'nft')('nftables in the kernel', () => { … });
 */
export function requires(...needs: readonly string[]): (name: string, body: () => void) => void {
  const missing = needs.filter((need) => !isHere(need));
  if (missing.length === 0) return describe;
  const reason = `needs ${missing.join(', ')}`;
  if (inCi) throw new Error(`In CI no test may be skipped, and this one ${reason}`);
  return (name, body) => describe.skip(`${name} (${reason})`, body);
}

function isHere(need: string): boolean {
  if (need === 'root') return process.getuid?.() === 0;
  if (need === 'wine') return existsSync(wineRoot) && existsSync(windowsExecutable);
  if (need === 'namespaces') return spawnSync('unshare', ['--net', 'true']).status === 0;
  return folders.some((folder) => isExecutable(join(folder, need)));
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
