import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createScriptRunner } from '../../agent/system/run-script.ts';
import type { ScriptStep } from '../../platform/step.ts';
import { createFolder, type Folder } from './script-folder.ts';

// Scripts are processes, and other tests run beside these.
vi.setConfig({ testTimeout: 60_000 });

let folder: Folder;
beforeEach(async () => {
  folder = await createFolder();
});
afterEach(() => folder.remove());

const wait = { timeout: 15_000 };
const noKeys = { keysIn: () => undefined, answer: async () => undefined };
const run = async (
  lines: readonly string[],
  more: Partial<ScriptStep> = {},
  conversation = noKeys,
) => {
  await folder.write('x', ['#!/bin/sh', ...lines]);
  const runScript = createScriptRunner(['/usr/bin', '/bin'], { keysWaitMs: 300 });
  return runScript(
    {
      kind: 'script',
      folder: folder.scripts,
      file: 'x',
      cwd: folder.home,
      program: 'active-response/bin/x',
      words: [],
      wordsFor: 'every-file',
      handshake: 'none',
      deadlineMs: 10_000,
      run: 'the-mark',
      ...more,
    },
    conversation,
  );
};

const isAlive = (pid: string): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

describe('a script', () => {
  test('that is killed leaves nobody at work', async () => {
    const { failure, stdout } = await run([
      'sleep 100 > /dev/null 2>&1 &',
      'echo $!',
      'kill -9 $$',
    ]);
    expect(failure).toBe('signal');
    await expect.poll(() => isAlive(stdout.trim()), wait).toBe(false);
  });

  test('finds itself where upstream starts it, with an environment of its own', async () => {
    process.env['AR_EXEC_SECRET'] = 'token';
    const { stdout } = await run([
      'pwd; echo "$0 $#"; env | sort | grep -v -e ^_= -e ^SHLVL= -e ^PWD=',
    ]);
    Reflect.deleteProperty(process.env, 'AR_EXEC_SECRET');
    const { username, homedir } = userInfo();
    expect(stdout.trim().split('\n')).toEqual([
      folder.home,
      'active-response/bin/x 0',
      'AR_EXEC_RUN=the-mark',
      `HOME=${homedir}`,
      'LC_ALL=C',
      `LOGNAME=${username}`,
      'PATH=/usr/bin:/bin',
      'SHELL=/bin/sh',
      `USER=${username}`,
    ]);
  });

  test('leads a session and a process group of its own', async () => {
    const { stdout } = await run(['cut -d" " -f1,5,6 /proc/$$/stat']);
    const [pid, group, session] = stdout.trim().split(' ');
    expect([group, session]).toEqual([pid, pid]);
  });

  test('is given its words as they are, and its line with an end', async () => {
    const words = ['add', '$(id)', '`id`', ';', '*', 'ä b'];
    const { stdout } = await run(['for one; do printf "<%s>" "$one"; done; cat'], {
      words,
      line: '{}',
    });
    expect(stdout).toBe(`${words.map((one) => `<${one}>`).join('')}{}\n`);
  });

  test.each([
    [['#!/bin/sh', 'echo "<$1>"'], '<add>\n'],
    [['#!/usr/bin/perl', 'print scalar(@ARGV), "\\$1\\n";'], '0$1\n'],
  ])(
    'is given words meant for shells only if it is one that asks for them',
    async (lines, said) => {
      await folder.write('y', lines);
      const { stdout } = await run([], {
        file: 'y',
        program: 'active-response/bin/y',
        words: ['add'],
        wordsFor: 'shell',
      });
      expect(stdout).toBe(said);
    },
  );

  test('that prints megabytes is neither held up nor kept', async () => {
    const before = process.memoryUsage().rss;
    const result = await run([
      'head -c 200000000 /dev/zero | tr "\\0" x; head -c 5000000 /dev/zero | tr "\\0" y >&2; exit 5',
    ]);
    expect(result).toMatchObject({ started: true, failure: 'exit', exitCode: 5 });
    expect(result.stdout).toBe('x'.repeat(65_536));
    expect(result.stderr).toBe('y'.repeat(65_536));
    expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000);
  });

  test('that prints megabytes on one line, instead of keys, is neither', async () => {
    const before = process.memoryUsage().rss;
    const result = await run(['head -c 200000000 /dev/zero | tr "\\0" x; echo; cat > /dev/null'], {
      line: '{}',
      handshake: 'possible',
    });
    expect(result).toMatchObject({ started: true, exitCode: 0 });
    expect(process.memoryUsage().rss - before).toBeLessThan(120_000_000);
  });

  test('can be answered a long line, and can leave without reading it', async () => {
    const line = 'x'.repeat(1_000_000);
    expect((await run(['wc -c'], { line })).stdout.trim()).toBe('1000001');
    expect(await run(['exec 0<&-; exit 0'], { line })).toMatchObject({ exitCode: 0 });
  });

  test('that leaves a process behind, which keeps its pipes, has ended all the same', async () => {
    const before = performance.now();
    const result = await run(['sleep 30 & echo $! > child.txt; echo out']);
    expect(result).toMatchObject({ exitCode: 0, stdout: 'out\n' });
    expect(performance.now() - before).toBeLessThan(5_000);
    const child = (await folder.read('child.txt')).trim();
    expect(isAlive(child)).toBe(true);
    process.kill(Number(child), 'SIGKILL');
  });

  test('whose time is over may clean up, and is killed if it does not end', async () => {
    const polite = ["trap 'echo bye; exit 0' TERM", 'sleep 30 & wait'];
    expect(await run(polite, { deadlineMs: 300 })).toMatchObject({
      failure: 'timeout',
      stdout: 'bye\n',
      why: 'it was ended after its 0.3 s',
    });
    const deaf = ["trap '' TERM", 'echo $$ > pid.txt', 'while :; do sleep 1; done'];
    expect(await run(deaf, { deadlineMs: 300 })).toMatchObject({ failure: 'timeout' });
    const pid = (await folder.read('pid.txt')).trim();
    await expect.poll(() => isAlive(pid), wait).toBe(false);
  });

  test('whose time is over is given up though something that left its group keeps its pipes', async () => {
    const escaped = ['setsid sh -c "echo \\$\\$ > child.txt; exec sleep 30" &', 'sleep 30'];
    const before = performance.now();
    expect(await run(escaped, { deadlineMs: 300 })).toMatchObject({ failure: 'timeout' });
    expect(performance.now() - before).toBeLessThan(8_000);
    process.kill(Number(await folder.read('child.txt')), 'SIGKILL');
  });

  test('ended by somebody else says so', async () => {
    expect(await run(['kill -9 $$'])).toMatchObject({
      failure: 'signal',
      why: 'it was ended by SIGKILL',
    });
  });

  test('that cannot be executed was not started', async () => {
    await folder.write('y', ['#!/no/such/interpreter']);
    const result = await run([], { file: 'y', program: join(folder.scripts, 'y') });
    expect(result).toMatchObject({ started: false, failure: 'io' });
  });

  test('that was opened to others since is not started', async () => {
    await folder.write('y', ['#!/bin/sh', 'echo ran > ran.txt'], 0o777);
    expect(await run([], { file: 'y', program: 'active-response/bin/y' })).toMatchObject({
      started: false,
      failure: 'untrusted',
    });
    expect(await folder.read('ran.txt')).toBe('');
  });
});

test('an answer that fails closes the input, and is told when the script has ended', async () => {
  const conversation = {
    keysIn: (): readonly string[] => ['k'],
    answer: async () => {
      throw new Error('the disk is full');
    },
  };
  const work = run(
    ['echo keys; read -r line; echo "<$line>" > in.txt'],
    { line: '{}', handshake: 'required' },
    conversation as never,
  );
  await expect(work).rejects.toThrow('the disk is full');
  expect(await folder.read('in.txt')).not.toBe('');
});
