import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCommandRunner } from '../../agent/system/run-command.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { CommandStep } from '../../platform/step.ts';

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-tools-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a shell script as a tool. */
const run = (script: string, more: Partial<CommandStep> = {}) => {
  const tool = `tool-${Math.abs(hash(script))}`;
  const path = join(folder, tool);
  if (!existsSync(path)) {
    writeFileSync(path, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
  }
  const runCommand = createCommandRunner([folder, '/usr/bin', '/bin']);
  return runCommand({ kind: 'command', tool, args: [], ...more });
};

const hash = (text: string): number =>
  [...text].reduce((sum, character) => (sum * 31 + character.charCodeAt(0)) | 0, 7);

/** Whether a process is there and is not just waiting to be reaped. */
const isAlive = (pid: string): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

describe('a tool', () => {
  test('is given its arguments as they are, and its input', async () => {
    const args = ['--', '-x', 'a b', '$(id)', '`id`', ';', '*', '', 'ä'];
    const result = await run('for one; do printf "<%s>" "$one"; done; cat', {
      args,
      stdin: 'in\nput',
    });
    expect(result).toEqual({
      exitCode: 0,
      stdout: `${args.map((one) => `<${one}>`).join('')}in\nput`,
      stderr: '',
    });
  });

  test('has an environment of its own, and starts in the root folder', async () => {
    process.env['AR_EXEC_SECRET'] = 'token';
    const { stdout } = await run('env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=; pwd');
    Reflect.deleteProperty(process.env, 'AR_EXEC_SECRET');
    expect(stdout.trim().split('\n').sort()).toEqual(
      ['/', 'LC_ALL=C', `PATH=${folder}:/usr/bin:/bin`].sort(),
    );
  });

  test('that fails tells its status and what it said', async () => {
    expect(await run('echo out; echo no such table >&2; exit 3')).toEqual({
      failure: 'exit',
      exitCode: 3,
      stdout: 'out\n',
      stderr: 'no such table\n',
    });
    expect(await run('kill -9 $$')).toMatchObject({ failure: 'signal' });
  });

  test('that is not in the folders is missing, wherever PATH would find it', async () => {
    const runCommand = createCommandRunner([folder]);
    expect(await runCommand({ kind: 'command', tool: 'sh', args: ['-c', 'true'] })).toMatchObject({
      failure: 'missing',
    });
  });

  test('that cannot be started is a failure of its own', async () => {
    writeFileSync(join(folder, 'homeless'), '#!/nowhere/at/all\n', { mode: 0o755 });
    const runCommand = createCommandRunner([folder]);
    const result = await runCommand({ kind: 'command', tool: 'homeless', args: [], stdin: 'x' });
    expect(result.failure).toBe('io');
  });

  test('that does not read its input has a result all the same', async () => {
    const stdin = 'x'.repeat(5_000_000);
    expect(await run('exit 0', { stdin })).toMatchObject({ exitCode: 0 });
    expect(await run('exit 5', { stdin })).toMatchObject({ failure: 'exit', exitCode: 5 });
  });

  test('that says much is read to the end, and cut in what it says of its failure', async () => {
    const { stdout } = await run('head -c 3000000 /dev/zero | tr "\\0" x');
    expect(stdout).toHaveLength(3_000_000);
    const { stderr } = await run('head -c 30000 /dev/zero | tr "\\0" x >&2; exit 1');
    expect(stderr).toHaveLength(2_000);
  });
});

describe('a tool that hangs', () => {
  test.each([
    [undefined, 600],
    [10_000, 600],
    [300, 300],
    // What says that it takes three times as long has three times the time.
    [60_000, 1_800],
  ])('has the time that is configured', async (deadlineMs, limit) => {
    const tool = 'hanging';
    writeFileSync(join(folder, tool), '#!/bin/sh\nexec sleep 1000\n', { mode: 0o755 });
    const door = createRunner({ folders: [folder, '/usr/bin', '/bin'], limitMs: () => 600 });
    const asked = deadlineMs === undefined ? {} : { deadlineMs };
    expect(await door({ kind: 'command', tool, args: [], ...asked })).toEqual({
      failure: 'timeout',
      stdout: '',
      stderr: `killed after ${limit} ms`,
    });
  });

  test('is killed with everything that it started', async () => {
    const pids = join(folder, 'pids');
    const started = performance.now();
    const result = await run(`sleep 100 & echo $! $$ > ${pids}; wait`, { deadlineMs: 300 });
    expect(result).toEqual({ failure: 'timeout', stdout: '', stderr: 'killed after 300 ms' });
    expect(performance.now() - started).toBeLessThan(5_000);
    const all = readFileSync(pids, 'utf8').trim().split(' ');
    expect(all).toHaveLength(2);
    await expect.poll(() => all.filter(isAlive)).toEqual([]);
  });

  test('is given up though a child that left its group holds the pipes', async () => {
    const pid = join(folder, 'pid');
    const started = performance.now();
    const result = await run(`setsid sh -c 'echo $$ > ${pid}; exec sleep 100' & sleep 100`, {
      deadlineMs: 300,
    });
    expect(result.failure).toBe('timeout');
    expect(performance.now() - started).toBeLessThan(5_000);
    process.kill(Number(readFileSync(pid, 'utf8')), 'SIGKILL');
  });

  test('does not hold up another', async () => {
    const hanging = run('sleep 100 # hangs', { deadlineMs: 1_000 });
    expect(await run('echo quick')).toMatchObject({ exitCode: 0 });
    expect((await Promise.race([hanging, pause(1, 'still at it')])) as unknown).toBe('still at it');
    expect(await hanging).toMatchObject({ failure: 'timeout' });
  });
});

describe('a tool that stands by', () => {
  const counted = (log: string) => `echo started >> ${log}; cat; echo done >> ${log}`;

  test('is started before there is work, and does each piece once', async () => {
    const log = join(folder, 'standby-log');
    const tool = 'standby';
    writeFileSync(join(folder, tool), `#!/bin/sh\n${counted(log)}\n`, { mode: 0o755 });
    const runCommand = createCommandRunner([folder, '/usr/bin', '/bin']);
    const lines = () => readFileSync(log, 'utf8').trim().split('\n');
    const step = { kind: 'command', tool, args: [], standby: true } as const;
    for (const stdin of ['one', 'two', 'three']) {
      expect(await runCommand({ ...step, stdin })).toMatchObject({ exitCode: 0, stdout: stdin });
    }
    const count = (what: string) => lines().filter((one) => one === what).length;
    await expect.poll(() => count('started')).toBe(4);
    expect(count('done')).toBe(3);
    // Other arguments are another tool: the one that waits is not for them.
    const plain = { kind: 'command', tool, args: ['-'] } as const;
    expect(await runCommand({ ...plain, stdin: 'other' })).toMatchObject({ stdout: 'other' });
    expect(await runCommand({ ...step, stdin: 'last' })).toMatchObject({ stdout: 'last' });
  });

  test('and is killed meanwhile is not what the next piece gets', async () => {
    const tool = 'victim';
    const pid = join(folder, 'victim-pid');
    const script = `#!/bin/sh\necho $$ >> ${pid}; cat\n`;
    writeFileSync(join(folder, tool), script, { mode: 0o755 });
    const runCommand = createCommandRunner([folder, '/usr/bin', '/bin']);
    const step = { kind: 'command', tool, args: [], standby: true } as const;
    await runCommand({ ...step, stdin: 'one' });
    const pids = () => readFileSync(pid, 'utf8').trim().split('\n');
    await expect.poll(() => pids().length).toBe(2);
    const waiting = pids()[1] ?? '';
    process.kill(Number(waiting), 'SIGKILL');
    // Whoever started it has heard of its end once nothing of it is left, or a few turns later.
    await expect.poll(() => existsSync(`/proc/${waiting}`)).toBe(false);
    await pause(50);
    expect(await runCommand({ ...step, stdin: 'two' })).toMatchObject({ stdout: 'two' });
  });
});
