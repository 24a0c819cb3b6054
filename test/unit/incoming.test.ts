/** What a manager's upgrade has put into its folder: real files, in a temporary one. */
import {
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { uncompress, unmerge } from '../../agent/system/incoming.ts';

let base: string;
let folder: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'ar-exec-incoming-'));
  folder = join(base, 'incoming');
  await mkdir(folder);
});
afterEach(() => rm(base, { recursive: true }));

const put = (name: string, text: string | Buffer) => writeFile(join(folder, name), text);
const read = (name: string) => readFile(join(folder, name), 'utf8');

describe('uncompress', () => {
  test('leaves what was in the file in place of it', async () => {
    await put('agent.wpk.gz', gzipSync('x'.repeat(500_000)));
    await put('merged', 'longer than what comes'.repeat(50_000));
    expect(await uncompress(folder, 'agent.wpk.gz', 'merged')).toBe('done');
    expect(await read('merged')).toBe('x'.repeat(500_000));
    expect(await readdir(folder)).toEqual(['merged']);
  });

  test.each([
    ['../secret', 'merged', 'bad-name'],
    ['gz', '../out', 'bad-name'],
    ['gz', 'a/../../out', 'bad-name'],
    ['/gz', 'out', 'bad-name'],
    ['', 'out', 'bad-name'],
    ['none', 'out', 'no-source'],
    ['gz', 'none/out', 'no-target'],
    ['link', 'out', 'no-source'],
    ['gz', 'link', 'no-target'],
    ['gz', 'twin', 'no-target'],
    ['gz', 'away/out', 'no-target'],
    ['text', 'out', 'unreadable'],
  ])('of %j into %j is %s', async (source, target, came) => {
    await put('gz', gzipSync('new'));
    await put('text', 'not compressed');
    await writeFile(join(base, 'secret'), 'old');
    await mkdir(join(base, 'elsewhere'));
    await symlink(join(base, 'secret'), join(folder, 'link'));
    await link(join(base, 'secret'), join(folder, 'twin'));
    await symlink(join(base, 'elsewhere'), join(folder, 'away'));
    expect(await uncompress(folder, source, target)).toBe(came);
    expect(await readFile(join(base, 'secret'), 'utf8')).toBe('old');
    expect(await readdir(join(base, 'elsewhere'))).toEqual([]);
    expect(await read('gz')).not.toBe('');
  });
});

describe('unmerge', () => {
  const part = (name: string, text: string) => `!${Buffer.byteLength(text)} ${name}\n${text}`;

  test('takes the parts out, whatever is in them', async () => {
    const binary = `!99 not a header\n\0\xff${'é'.repeat(100_000)}`;
    const parts = [part('upgrade.sh', '#!/bin/sh\n'), part('etc/x/y.conf', binary), part('e', '')];
    await put('merged', `#checksum\n${parts.join('')}`);
    expect(await unmerge(folder, 'merged')).toBe('done');
    expect(await read('upgrade.sh')).toBe('#!/bin/sh\n');
    expect(await read('etc/x/y.conf')).toBe(binary);
    expect(await read('e')).toBe('');
    expect((await stat(join(folder, 'upgrade.sh'))).mode & 0o027).toBe(0);
  });

  test('passes over parts whose name leads away', async () => {
    await put('merged', part('../out', 'x') + part('/etc/out', 'x') + part('in', 'y'));
    expect(await unmerge(folder, 'merged')).toBe('done');
    expect(await readdir(base)).toEqual(['incoming']);
    expect((await readdir(folder)).sort()).toEqual(['in', 'merged']);
  });

  test.each([
    ['nothing merged', 'just text\n'],
    ['no end of a line', '!5 x'],
    ['a part that is cut short', '!500 x\nabc'],
    ['a name without a size', '! x\nabc'],
  ])('refuses %s', async (_, text) => {
    await put('merged', text);
    expect(await unmerge(folder, 'merged')).toBe('unreadable');
    expect(await readdir(folder)).toEqual(['merged']);
  });

  test('follows no link that stands where a part belongs', async () => {
    await writeFile(join(base, 'secret'), 'old');
    await symlink(join(base, 'secret'), join(folder, 'x'));
    await put('merged', part('x', 'new'));
    expect(await unmerge(folder, 'merged')).toBe('unreadable');
    expect(await readFile(join(base, 'secret'), 'utf8')).toBe('old');
    expect(await unmerge(folder, '../merged')).toBe('bad-name');
    expect(await unmerge(folder, 'none')).toBe('no-source');
  });
});
