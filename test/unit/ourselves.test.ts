import { copyFile, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isOurselves } from '../../agent/system/ourselves.ts';

test('a copy of the executable, or a link to it, is known under any name', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-'));
  const at = (name: string) => join(folder, name);
  await writeFile(at('ar-exec'), 'x'.repeat(1_000));
  await copyFile(at('ar-exec'), at('netsh.exe'));
  await symlink(at('ar-exec'), at('ipfw'));
  await writeFile(at('route.exe'), 'x');
  expect(await isOurselves(at('netsh.exe'), at('ar-exec'))).toBe(true);
  expect(await isOurselves(at('ipfw'), at('ar-exec'))).toBe(true);
  expect(await isOurselves(at('route.exe'), at('ar-exec'))).toBe(false);
  // Run by a Node of the system's own, nothing is: there it is a script in front of a module.
  expect(await isOurselves(at('netsh.exe'))).toBe(false);
  await rm(folder, { recursive: true });
});
