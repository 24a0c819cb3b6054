/** The packages as files: what the tools of both families say of them, and an .rpm in a folder. */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { medium } from '../../build/package/compress.ts';
import { installed } from '../../build/package/contents.ts';
import { deb } from '../../build/package/deb.ts';
import type { Entry } from '../../build/package/entry.ts';
import { rpm } from '../../build/package/rpm.ts';
import { requires } from '../requirements.ts';
import { made } from './packages.ts';

const wanted = { ...made, version: '0.1.0', arch: 'x64' } as const;

requires(
  'root',
  'lintian',
  'rpmbuild',
  'rpmlint',
  'xz',
)('packages as files', () => {
  let folder: string;
  let entries: Entry[];
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-packages-'));
    entries = installed(await readFile(resolve('build/out/ar-exec')));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('the .deb is smaller than 32 MB, and lintian finds nothing in it', async () => {
    const path = join(folder, 'ar-exec_0.1.0_amd64.deb');
    await writeFile(path, await deb({ ...wanted, entries, packing: medium }));
    expect((await stat(path)).size).toBeLessThan(32_000_000);
    const { stdout } = await execa('lintian', ['--allow-root', path], { reject: false });
    expect(stdout).toBe('');
  }, 600_000);

  test('rpmlint finds nothing in the .rpm, which can be installed in a folder, and taken away again', async () => {
    const path = join(folder, 'ar-exec-0.1.0-1.x86_64.rpm');
    await writeFile(path, await rpm({ ...wanted, entries }, true));
    const configuration = resolve('build/package/rpmlint.toml');
    const lint = await execa('rpmlint', ['--config', configuration, path], { reject: false });
    expect(lint.stdout).toContain(' 0 errors, 0 warnings, ');
    const root = join(folder, 'root');
    const run = (...args: string[]) => execa('rpm', ['--root', root, ...args]);
    // What is of this machine is not in that folder: neither its libraries nor a shell for the scripts.
    await run('--initdb');
    await run('--install', '--nodeps', '--noscripts', '--ignorearch', path);
    expect((await run('--query', 'ar-exec')).stdout).toBe('ar-exec-0.1.0-1.x86_64');
    expect((await run('--verify', '--nodeps', '--noscripts', 'ar-exec')).stdout).toBe('');
    const { stdout } = await execa(join(root, 'usr/bin/ar-exec'), ['--version']);
    expect(stdout).toMatch(/^\d/);
    expect((await stat(join(root, 'var/lib/ar-exec'))).mode & 0o777).toBe(0o700);
    const config = join(root, 'etc/ar-exec/ar-exec.conf');
    await writeFile(config, '<ar-exec></ar-exec>\n');
    await run('--erase', '--noscripts', 'ar-exec');
    expect(existsSync(join(root, 'usr/bin/ar-exec'))).toBe(false);
    expect(existsSync(join(root, 'usr/share/doc/ar-exec'))).toBe(false);
    // What an administrator has written is kept.
    expect(existsSync(`${config}.rpmsave`)).toBe(true);
  }, 300_000);

  test('two .rpm of the same are the same', async () => {
    const few = installed(Buffer.from('#!/bin/sh\n'));
    const [one, two] = [
      await rpm({ ...wanted, entries: few }),
      await rpm({ ...wanted, entries: few }),
    ];
    expect(one.equals(two)).toBe(true);
  });
});
