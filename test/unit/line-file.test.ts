import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLineFile, type LineFile } from '../../agent/observe/line-file.ts';

let folder: string;
let file: string;
let lines: LineFile;
let troubles: unknown[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-lines-'));
  file = join(folder, 'lines.log');
  troubles = [];
  lines = createLineFile(file, (error) => troubles.push(String(error)));
});
afterEach(() => rm(folder, { recursive: true }));

const add = (record: string): Promise<void> => {
  lines.append(record);
  return lines.flush();
};

describe('a file of lines', () => {
  test('follows a rotation that renames it', async () => {
    await add('before\n');
    await rename(file, `${file}.1`);
    await add('after\n');
    expect(readFileSync(`${file}.1`, 'utf8')).toBe('before\n');
    expect(readFileSync(file, 'utf8')).toBe('after\n');
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  test('follows a rotation that copies and truncates it, and leaves no hole', async () => {
    await add('before\n');
    truncateSync(file);
    await add('after\n');
    expect(readFileSync(file, 'utf8')).toBe('after\n');
  });

  test('is made anew, with its folder, when somebody deleted both', async () => {
    await add('before\n');
    await rm(folder, { recursive: true });
    await add('after\n');
    expect(readFileSync(file, 'utf8')).toBe('after\n');
    expect(troubles).toEqual([]);
  });

  test('is not followed where another user could lead it', async () => {
    writeFileSync(join(folder, 'victim'), '');
    await symlink(join(folder, 'victim'), file);
    await add('line\n');
    expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('');
    expect(troubles).toHaveLength(1);
  });

  test('does not wait for the reader of a pipe', async () => {
    await execa('mkfifo', [file]);
    await add('line\n');
    expect(troubles).toHaveLength(1);
  });

  test('keeps what the disk does not take, and tells once that it does not', async () => {
    await mkdir(file);
    for (let index = 0; index < 5; index += 1) await add(`line ${index}\n`);
    expect(troubles).toHaveLength(1);
    await rm(file, { recursive: true });
    await lines.flush();
    expect(readFileSync(file, 'utf8')).toBe('line 0\nline 1\nline 2\nline 3\nline 4\n');
    expect(troubles).toHaveLength(1);
  });

  test('keeps no more than it has room for, and says how many are lost', async () => {
    await mkdir(file);
    const megabyte = `${'x'.repeat(1_048_575)}\n`;
    await add(megabyte);
    for (let index = 1; index < 20; index += 1) lines.append(megabyte);
    await lines.flush();
    await rm(file, { recursive: true });
    await lines.flush();
    expect(statSync(file).size).toBe(16 * 1_048_576);
    expect(troubles).toEqual([
      expect.stringContaining('EISDIR'),
      expect.stringContaining('4 records are lost'),
    ]);
    await add('goes on\n');
    expect(readFileSync(file, 'utf8').endsWith('goes on\n')).toBe(true);
  });

  test('has more room for a burst that the disk takes', async () => {
    const megabyte = `${'x'.repeat(1_048_575)}\n`;
    for (let index = 0; index < 60; index += 1) lines.append(megabyte);
    await lines.flush();
    expect(statSync(file).size).toBe(60 * 1_048_576);
    expect(troubles).toEqual([]);
  });

  test('tries again by itself', async () => {
    await mkdir(file);
    lines.append('line\n');
    await expect.poll(() => troubles).toHaveLength(1);
    await rm(file, { recursive: true });
    await expect
      .poll(() => statSync(file, { throwIfNoEntry: false })?.size, { timeout: 5_000 })
      .toBe(5);
  });

  test('has every record in one piece beside other processes that write long ones', async () => {
    const writer = `import { createLineFile } from ${JSON.stringify(new URL('../../agent/observe/line-file.ts', import.meta.url).href)};
      const lines = createLineFile(${JSON.stringify(file)}, (error) => { throw error; });
      const [name] = process.argv.slice(-1);
      for (let index = 0; index < 400; index += 1) {
        lines.append((name + ' ' + index + ' ').padEnd(3000 + index, name) + '\\n' + name + ' end\\n');
        if (index % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await lines.flush();`;
    const run = (name: string) =>
      execa(process.execPath, ['--input-type=module', '-e', writer, name]);
    const both = Promise.all([run('a'), run('b')]);
    for (let index = 0; index < 400; index += 1) {
      appendFileSync(file, `c ${index}\n`);
      if (index % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await both;
    const text = readFileSync(file, 'utf8');
    const whole = text.match(/^(?:([ab]) \d+ \1+\n\1 end\n|c \d+\n)/gm) ?? [];
    expect(whole.join('')).toBe(text);
    expect(whole).toHaveLength(1_200);
  });
});
