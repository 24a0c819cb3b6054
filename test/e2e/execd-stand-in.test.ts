/** The script that stands where a manager's execd stood, as control scripts treat it. */
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sendersOf } from '../../agent/system/manager-processes.ts';
import { requires } from '../requirements.ts';

const standIn = fileURLToPath(new URL('../../scripts/execd/stand-in', import.meta.url));
const wait = { timeout: 10_000, interval: 20 };

requires('setsid', 'ps')('the stand-in for execd', () => {
  let home: string;

  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'ar-exec-stand-in-'));
    await mkdir(join(home, 'bin'));
    await mkdir(join(home, 'var/run'), { recursive: true });
  });
  afterEach(async () => {
    for (const file of await pidFiles()) process.kill(await pidIn(file));
    await rm(home, { recursive: true });
  });

  const pidFiles = () => readdir(join(home, 'var/run'));
  const pidIn = async (file: string) => Number(await readFile(join(home, 'var/run', file), 'utf8'));
  const install = async (name: string): Promise<string> => {
    const path = join(home, 'bin', name);
    await copyFile(standIn, path);
    await chmod(path, 0o755);
    return path;
  };

  test.each([
    ['wazuh-execd', []],
    ['ossec-execd', ['-d']],
  ])('%s starts, is found by its name, and ends', async (name, words) => {
    const program = await install(name);
    await execa(program, ['-t']);
    expect(await pidFiles()).toEqual([]);
    await execa(program, words);
    await expect.poll(pidFiles, wait).toHaveLength(1);
    const [file = ''] = await pidFiles();
    await expect.poll(() => pidIn(file), wait).toBeGreaterThan(1);
    const pid = await pidIn(file);
    expect(file).toBe(`${name}-${pid}.pid`);
    expect((await execa('ps', ['-p', String(pid)])).stdout).toContain(name);
    process.kill(pid);
    await expect.poll(pidFiles, wait).toEqual([]);
    // It is nobody who sends to the queue.
    expect(await sendersOf(home)).toEqual([]);
  });
});
