/** Real processes are ended, or left alone. All of them are started here. */
import { copyFile, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createRunner } from '../../agent/system/runner.ts';
import type { Attempt, Facts, Judgement, Settings } from '../../platform/driver.ts';
import { killProcess } from '../../platform/linux/kill-process.ts';
import { processTarget } from '../../platform/target.ts';
import { requires } from '../requirements.ts';

const run = createRunner();
const patient = { timeout: 30_000, interval: 5 };
const started: number[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kill-process-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => {
  for (const pid of started.splice(0)) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It and its group have ended.
    }
  }
});

/** Starts a process in a group of its own, and waits until it runs what it is to run. */
async function start(argv: readonly string[], runs = argv[0] ?? ''): Promise<number> {
  const [tool = '', ...args] = argv;
  const child = execa(tool, args, { reject: false, detached: true, stdio: 'ignore' });
  child.catch(() => {});
  const pid = child.pid as number;
  started.push(pid);
  await expect.poll(() => programOf(pid), patient).toBe(runs);
  return pid;
}

async function programOf(pid: number): Promise<string | undefined> {
  return readlink(`/proc/${pid}/exe`).catch(() => undefined);
}

async function stateOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
}

const runs = async (pid: number): Promise<boolean> =>
  ['R', 'S', 'D', 'T'].includes((await stateOf(pid)) ?? '');

interface Case {
  readonly settings?: Settings;
  readonly facts?: Facts;
  readonly attempt?: Attempt;
}

async function kill(pid: number, executable: string, it: Case = {}): Promise<Judgement> {
  const target = processTarget(pid, executable);
  if (target === undefined) throw new Error(`no target: ${pid} ${executable}`);
  const oneShot = killProcess.make({ ...killProcess.defaults, ...it.settings });
  const { steps, read } = oneShot.perform(target, it.facts ?? {}, it.attempt);
  const results = [];
  for (const step of steps) results.push(await run(step));
  return read(results);
}

const sleep = '/usr/bin/sleep';
const shell = '/usr/bin/dash';
const now = () => ({ askedAt: Date.now(), maybeDone: false });
const refused = (refusal: string, why: RegExp) => ({
  done: false,
  again: false,
  refusal,
  why: expect.stringMatching(why),
});

requires('dash', 'setsid')('a process', () => {
  test('is ended, and seen to be', async () => {
    const pid = await start([sleep, '1000']);
    expect(await kill(pid, sleep, { attempt: now() })).toEqual({ done: true });
    expect(await runs(pid)).toBe(false);
  });

  test('is ended though its program was deleted', async () => {
    const program = join(folder, 'deleted');
    await copyFile(sleep, program);
    const pid = await start([program, '1000']);
    await rm(program);
    expect(await kill(pid, program)).toEqual({ done: true });
    expect(await runs(pid)).toBe(false);
  });

  test('is known by the name that its program has by a link of /usr', async () => {
    const pid = await start(['/bin/sleep', '1000'], sleep);
    expect(await kill(pid, '/bin/sleep')).toEqual({ done: true });
  });

  test('is over when nobody has asked for its exit status yet', async () => {
    const parent = await start([shell, '-c', `${sleep} 1000 & exec ${sleep} 2000`], sleep);
    const children = `/proc/${parent}/task/${parent}/children`;
    const child = Number(await readFile(children, 'utf8'));
    await expect.poll(() => programOf(child), patient).toBe(sleep);
    expect(await kill(child, sleep)).toEqual({ done: true });
    expect(await stateOf(child)).toBe('Z');
    expect(await kill(child, sleep)).toEqual(refused('absent', /does not run any more/));
  });

  test('that is gone is refused, unless an earlier try may have ended it', async () => {
    const pid = await start([sleep, '1000']);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => stateOf(pid), patient).toBeUndefined();
    expect(await kill(pid, sleep, { attempt: now() })).toEqual(refused('absent', /any more/));
    const attempt = { askedAt: Date.now(), maybeDone: true };
    expect(await kill(pid, sleep, { attempt })).toEqual({ done: true });
  });

  test('that runs another program is left alone', async () => {
    const pid = await start([sleep, '1000']);
    for (const other of ['/usr/bin/slee', `${sleep}r`, '/tmp/sleep', '/bin/dash']) {
      expect(await kill(pid, other)).toEqual(refused('changed', /runs \/usr\/bin\/sleep now/));
    }
    expect(await runs(pid)).toBe(true);
  });

  test('that started after the alert is left alone', async () => {
    const alertAt = Date.now() - 10_000;
    const pid = await start([sleep, '1000']);
    expect(await kill(pid, sleep, { facts: { alertAt } })).toEqual(
      refused('changed', /started (7|8)\.\d s too late/),
    );
    const attempt = { askedAt: alertAt, maybeDone: false };
    expect(await kill(pid, sleep, { attempt })).toEqual(refused('changed', /too late/));
    expect(await runs(pid)).toBe(true);
    const settings = { clockSkew: '60' };
    expect(await kill(pid, sleep, { facts: { alertAt }, settings })).toEqual({ done: true });
  });

  test('is not ended by the number of one of its threads', async () => {
    const program = await programOf(process.pid);
    const threads = (await readdir('/proc/self/task')).map(Number);
    const thread = threads.find((one) => one !== process.pid) as number;
    expect(await kill(thread, program ?? '')).toEqual(
      refused('changed', new RegExp(`thread of process ${process.pid}$`)),
    );
  });
});

requires(
  'root',
  'namespaces',
  'dash',
  'unshare',
  'mount',
)('never ended', () => {
  test('are the first process, the threads of the kernel, the agent and what it runs below', async () => {
    for (const [pid, why] of [
      [1, /first process/],
      [2, /kernel/],
      [process.pid, /ar-exec/],
      [process.ppid, /ar-exec/],
    ] as const) {
      const program = (await programOf(pid)) ?? '/kthreadd';
      expect(await kill(pid, program)).toEqual(refused('protected', why));
    }
  });

  test('are listed programs, and those in listed folders', async () => {
    const pid = await start([sleep, '1000']);
    for (const never of ['/nowhere\n/usr/bin/sleep', '/usr/bin', '/usr/bin\n/etc']) {
      expect(await kill(pid, sleep, { settings: { never } })).toEqual(
        refused('protected', /never ended \(\/usr\/bin/),
      );
    }
    expect(await kill(pid, sleep, { settings: { never: '/usr/bin/slee\n/usr/b' } })).toEqual({
      done: true,
    });
  });

  test('are listed programs that were replaced by an update, shut in or not', async () => {
    const program = join(folder, 'replaced');
    const settings = { never: program };
    for (const argv of [[program], ['unshare', '--mount', program]]) {
      await copyFile(sleep, program);
      const pid = await start([...argv, '1000'], program);
      await rm(program);
      await copyFile(sleep, program);
      expect(await kill(pid, program, { settings })).toEqual(refused('protected', /replaced/));
      await rm(program);
    }
  });

  test('are not those that only bear a listed name', async () => {
    const program = join(folder, 'disguised');
    await copyFile(sleep, program);
    const settings = { never: sleep };
    const disguise = `mount --bind ${program} ${sleep} && exec ${sleep} 1000`;
    const pid = await start(['unshare', '--mount', shell, '-c', disguise], sleep);
    expect(await kill(pid, sleep, { settings })).toEqual({ done: true });
    const shutIn = await start(['unshare', '--mount', sleep, '1000'], sleep);
    expect(await kill(shutIn, sleep, { settings })).toEqual(refused('protected', /sleep/));
  });
});

describe('the signal', () => {
  const obeys = (file: string) =>
    `trap 'echo bye > ${file}; exit 0' TERM; echo > ${file}.up; while :; do ${sleep} 0.02; done`;
  const ready = (file: string) =>
    expect.poll(() => readFile(`${file}.up`, 'utf8').catch(() => 'no'), patient).toBe('\n');

  test('gives no warning, if nothing else is wanted', async () => {
    const file = join(folder, 'at-once');
    const pid = await start([shell, '-c', obeys(file)]);
    await ready(file);
    expect(await kill(pid, shell)).toEqual({ done: true });
    await expect(readFile(file)).rejects.toThrow('ENOENT');
  });

  test('warns first, if that is wanted', async () => {
    const file = join(folder, 'warned');
    const pid = await start([shell, '-c', obeys(file)]);
    await ready(file);
    expect(await kill(pid, shell, { settings: { grace: '30' } })).toEqual({ done: true });
    expect(await readFile(file, 'utf8')).toBe('bye\n');
  });

  test('does not wait longer than that for who ignores it', async () => {
    const file = join(folder, 'deaf');
    const deaf = `trap '' TERM; echo > ${file}.up; while :; do ${sleep} 1000; done`;
    const pid = await start([shell, '-c', deaf]);
    await ready(file);
    const before = performance.now();
    expect(await kill(pid, shell, { settings: { grace: '1' } })).toEqual({ done: true });
    expect(performance.now() - before).toBeGreaterThan(990);
    expect(await runs(pid)).toBe(false);
  });
});

requires('dash', 'setsid')('a family', () => {
  /** Every process of the machine whose command line has this in it. */
  const alive = async (mark: string): Promise<number[]> => {
    const found: number[] = [];
    for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
      const line = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
      if (line.includes(mark) && (await runs(pid))) found.push(pid);
    }
    return found;
  };
  afterEach(async () => {
    for (const pid of await alive('4711.')) process.kill(pid, 'SIGKILL');
  });

  /** Starts children without end, some of which leave their parent, their group, or both. */
  const breeder = `
    while :; do
      ${sleep} 4711.1 &
      (${sleep} 4711.2 & ) &
      setsid ${sleep} 4711.3 &
      ${sleep} 0.01
    done`;

  test.each([
    ['at once', '0'],
    ['after a warning that it ignores', '1'],
  ])('that breeds ends as a whole, %s', async (_, grace) => {
    const deaf = `trap '' TERM;${breeder}`;
    const pid = await start([shell, '-c', deaf]);
    await expect.poll(async () => (await alive('4711.')).length, patient).toBeGreaterThan(20);
    expect(await kill(pid, shell, { settings: { family: 'yes', grace } })).toEqual({ done: true });
    expect(await alive('4711.')).toEqual([]);
  });

  test('goes on without the one that is ended, if only that is wanted', async () => {
    const pid = await start([shell, '-c', `${sleep} 4711.4 & ${sleep} 4711.5`]);
    await expect.poll(async () => (await alive('4711.')).length, patient).toBe(3);
    expect(await kill(pid, shell)).toEqual({ done: true });
    expect(await alive('4711.')).toHaveLength(2);
  });

  test('leaves alone who only shares a session with it, and what is never ended', async () => {
    const spared = join(folder, 'spared');
    await copyFile(sleep, spared);
    const script = join(folder, 'family');
    await writeFile(script, `${sleep} 4711.8 & ${spared} 4711.9 & ${sleep} 4711.10; exit`);
    const session = await start([
      shell,
      '-c',
      `${shell} ${script} & ${sleep} 4711.6 & ${sleep} 4711.7`,
    ]);
    await expect.poll(async () => (await alive('4711.')).length, patient).toBe(6);
    const [head = 0] = (await alive(script)).filter((pid) => pid !== session);
    const settings = { family: 'yes', never: spared };
    expect(await kill(head, shell, { settings })).toEqual({ done: true });
    const left = await Promise.all((await alive('4711.')).map(programOf));
    expect(left.sort()).toEqual([shell, sleep, sleep, spared].sort());
  });
});

requires('root', 'unshare')('a number that is given anew', () => {
  test('does not mean the process that had it before', async () => {
    const program = fileURLToPath(new URL('./recycle-number.ts', import.meta.url));
    const inside = ['--pid', '--fork', '--mount-proc', process.execPath, program];
    const { stdout } = await execa('unshare', [...inside, sleep]);
    expect(JSON.parse(stdout)).toEqual({
      sameNumber: true,
      seenAtFirst: true,
      signalByHandle: false,
      meantTheFirst: { outcome: 'recycled', why: expect.stringMatching(/too late to be meant/) },
      secondRan: true,
      meantTheSecond: { outcome: 'ended', others: 0 },
    });
  });
});
