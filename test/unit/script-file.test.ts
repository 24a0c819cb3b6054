import { chmod, chown, link, mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createScripts } from '../../agent/script/find.ts';
import { checkScriptFile } from '../../agent/system/script-file.ts';
import type { Request } from '../../agent/words.ts';
import { createFolder, type Folder } from './script-folder.ts';

// Scripts are processes, and other tests run beside these.
vi.setConfig({ testTimeout: 60_000 });

let folder: Folder;
beforeEach(async () => {
  folder = await createFolder();
});
afterEach(() => folder.remove());

const shell = ['#!/bin/sh', 'exit 0'];
const check = (name = 'x') => checkScriptFile(folder.scripts, name);

describe('a script may be run', () => {
  test('when nobody else can change it', async () => {
    const path = await folder.write('x', shell, 0o750);
    expect(await check()).toEqual({ fit: true, path, takesWords: false });
  });

  test('by a link inside its folder', async () => {
    const path = await folder.write('x', shell);
    await symlink('x', join(folder.scripts, 'y'));
    expect(await check('y')).toMatchObject({ fit: true, path });
  });

  test.each([
    ['when it is not there', async () => {}, 'absent', 'there is no'],
    ['that its group can write', () => folder.write('x', shell, 0o775), 'untrusted', 'mode 775'],
    ['that everybody can write', () => folder.write('x', shell, 0o757), 'untrusted', 'mode 757'],
    ['that is not executable', () => folder.write('x', shell, 0o644), 'untrusted', 'executable'],
    ['that is a folder', () => mkdir(join(folder.scripts, 'x')), 'untrusted', 'not a regular file'],
    [
      'by a link that leads out',
      () => symlink('/bin/sh', join(folder.scripts, 'x')),
      'untrusted',
      'leads out of its folder',
    ],
    [
      'by a link that leads nowhere',
      () => symlink('nothing', join(folder.scripts, 'x')),
      'absent',
      'there is no',
    ],
    [
      'in a folder that others can write',
      async () => {
        await folder.write('x', shell);
        await chmod(folder.scripts, 0o777);
      },
      'untrusted',
      'mode 777',
    ],
    [
      'in a folder whose files others may add, though not remove',
      async () => {
        await folder.write('x', shell);
        await chmod(folder.scripts, 0o1777);
      },
      'untrusted',
      'mode 1777',
    ],
    [
      'below a folder that others can rename it in',
      async () => {
        await folder.write('x', shell);
        await chmod(folder.home, 0o770);
      },
      'untrusted',
      'mode 770',
    ],
  ] as const)('never %s', async (_what, make, kind, why) => {
    await make();
    expect(await check()).toEqual({ fit: false, kind, why: expect.stringContaining(why) });
  });

  test('never when it is a pipe, which would be waited for', async () => {
    await execa('mkfifo', ['-m', '755', join(folder.scripts, 'x')]);
    expect(await check()).toMatchObject({ fit: false, kind: 'untrusted' });
  });

  test.skipIf(process.getuid?.() !== 0)('never when it belongs to somebody else', async () => {
    const path = await folder.write('x', shell);
    await chown(path, 12_345, 0);
    expect(await check()).toMatchObject({ why: expect.stringContaining('the user 12345') });
    await chown(path, 0, 0);
    await chown(folder.scripts, 12_345, 0);
    expect(await check()).toMatchObject({ why: expect.stringContaining('the user 12345') });
  });

  test('as it is when it is looked at, not as it was', async () => {
    const path = await folder.write('x', shell);
    expect(await check()).toMatchObject({ fit: true });
    const other = join(folder.scripts, 'other');
    await writeFile(other, 'x', { mode: 0o777 });
    await chmod(other, 0o777);
    await rename(other, path);
    expect(await check()).toMatchObject({ fit: false });
    await link('/etc/hostname', join(folder.scripts, 'hard')).catch(() => {});
  });
});

test.each([
  ['a shell script that asks for $1', ['#!/bin/sh', 'ACTION=$1'], true],
  ['with an interpreter of env', ['#!/usr/bin/env bash', 'ACTION=\x24{1}'], true],
  ['a shell script that does not', ['#!/bin/sh', 'read -r line; echo $10'], false],
  ['a Python script', ['#!/usr/bin/python3', 'print("$1")'], false],
  ['a Perl script', ['#!/usr/bin/perl', 's/(a)/$1/ while <>;'], false],
  ['what has no first line of that kind', ['ACTION=$1'], false],
])('%s: whether it is given arguments', async (_what, lines, takesWords) => {
  await folder.write('x', lines);
  expect(await check()).toMatchObject({ fit: true, takesWords });
});

describe('a name', () => {
  const define = (response: string, verb: Request['verb'] = 'add') =>
    createScripts(folder.scripts, new Map(), () => undefined).define({
      verb,
      response,
      origin: { dialect: 'native' },
    });

  test.each([
    '../x',
    '/bin/sh',
    '.x',
    '-x',
    'a/b',
    '',
    '..',
    '.',
    'a b',
    'a\nb',
    'a\0b',
    'ä',
    'x'.repeat(65),
  ])('%j is no script', async (name) => {
    await folder.write('x', shell);
    expect(await define(name)).toBeUndefined();
  });

  test('of a file in the folder is one', async () => {
    await folder.write('x-1.sh', shell);
    expect(await define('x-1.sh')).toMatchObject({
      name: 'x-1.sh',
      target: 'named',
      stateful: false,
    });
    expect(await define('x-1.sh', 'delete')).toMatchObject({ stateful: true });
    expect(await define('x-2.sh')).toBeUndefined();
  });

  test('of a file that may not be run is refused, with what to do', async () => {
    await folder.write('x', shell, 0o666);
    await expect(define('x')).rejects.toMatchObject({
      code: 'script-untrusted',
      hint: expect.stringContaining('chmod go-w'),
    });
  });
});
