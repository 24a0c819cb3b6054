import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { requires } from '../requirements.ts';

const module = new URL('../../agent/observe/line-file.ts', import.meta.url).href;

/** Two pages are left of the disk, and no record ends there. */
const script = `
  import { readFileSync, rmSync, writeFileSync } from 'node:fs';
  import { createLineFile } from ${JSON.stringify(module)};
  const [folder] = process.argv.slice(-1);
  const troubles = [];
  writeFileSync(folder + '/lines', 'begin\\n');
  writeFileSync(folder + '/filler', Buffer.alloc(64 * 1024 - 3 * 4096));
  const lines = createLineFile(folder + '/lines', (error) => troubles.push(String(error)));
  for (let index = 0; index < 20; index += 1) lines.append(String(index).padEnd(1500, '.') + '\\n');
  await lines.flush();
  await lines.flush();
  const onFullDisk = readFileSync(folder + '/lines', 'utf8');
  rmSync(folder + '/filler');
  await lines.flush();
  const text = readFileSync(folder + '/lines', 'utf8');
  process.stdout.write(JSON.stringify({ troubles, onFullDisk, text }));
`;

requires('root', 'namespaces')('a file of lines on a disk that is full', () => {
  test('has each record once as a whole, and what was cut off on a line of its own', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'ar-exec-lines-'));
    try {
      const inside = `mount -t tmpfs -o size=64k tmpfs "$1" && exec "$0" --input-type=module -e "$2" "$1"`;
      const words = ['--mount', '--', 'sh', '-c', inside, process.execPath, folder, script];
      const { stdout } = await execa('unshare', words);
      const { troubles, onFullDisk, text } = JSON.parse(stdout);
      expect(troubles).toEqual([expect.stringContaining('ENOSPC')]);
      expect(onFullDisk.endsWith('\n')).toBe(false);
      const lines: string[] = text.split('\n').slice(1, -1);
      const whole = lines.filter((line) => line.length === 1_500);
      expect(whole.map((line) => Number.parseInt(line, 10))).toEqual([...Array(20).keys()]);
      expect(lines).toHaveLength(21);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
