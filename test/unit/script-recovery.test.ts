import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import { endLeftovers } from '../../agent/system/leftovers.ts';
import type { Instance } from '../../agent/words.ts';
import { asking, createAgent, createFolder, type Folder } from './script-folder.ts';

/** Whether a process is there and is not just waiting to be reaped. */
const isAlive = (pid: string): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

/** A journal that a dead agent left behind, and the agent after it. */
// Scripts are processes, and other tests run beside these.
vi.setConfig({ testTimeout: 60_000 });

let folder: Folder;
let state: string;
let journal: Journal;
const wait = { timeout: 15_000 };

beforeEach(async () => {
  folder = await createFolder();
  state = await mkdtemp(join(tmpdir(), 'ar-exec-state-'));
  journal = openJournal(state);
});
afterEach(async () => {
  journal.close();
  await folder.remove();
  await rm(state, { recursive: true });
});

/** Starts an agent on the journal, as it would start after a crash. */
const startAgain = async () => {
  const agent = createAgent(folder, { journal });
  for (const instance of journal.instances()) await agent.deskOf(instance).reconcile(false);
  return agent;
};

const instanceOf = async (response: string): Promise<Instance> => {
  const agent = createAgent(folder, { journal });
  const definition = await agent.define({ verb: 'add', response, origin: { dialect: 'native' } });
  if (definition?.instance === undefined) throw new Error(`no ${response}`);
  return definition.instance;
};

/** What the dead agent wrote down of an add. */
const intended = async (response: string, timeoutSeconds: number | undefined, text = 'x') => {
  const instance = await instanceOf(response);
  const target = { kind: 'named', text } as const;
  const [intent] = journal.intend(
    [
      {
        verb: 'add',
        response,
        target,
        instance,
        timeoutSeconds,
        facts: { srcip: '192.0.2.1' },
        origin: { dialect: 'native' },
      },
    ],
    Date.now(),
  );
  if (intent?.kind !== 'apply') throw new Error('not intended');
  return { instance, target, id: intent.action.id };
};

describe('after a crash', () => {
  test('what was never started is run, and keeps its deadline', async () => {
    await folder.write('keys.sh', asking('["k"]'));
    const { id } = await intended('keys.sh', 100, 'x (run 0123abcd)');
    const deadline = journal.list('live', 1)[0]?.deadlineAt;
    const agent = await startAgain();
    await expect
      .poll(() => journal.list('live', 1), wait)
      .toMatchObject([{ id, state: 'active', target: { text: 'k' }, deadlineAt: deadline }]);
    expect(await folder.read('ran.txt')).toBe('continue\n');
    await agent.stop();
  });

  test('what was started is taken back, and told, as nobody knows whether it acted', async () => {
    await folder.write('keys.sh', asking('["k"]'));
    const { id, instance, target } = await intended('keys.sh', 100, 'x (run 0123abcd)');
    journal.remember(instance, [{ target, memory: { run: 'r', handshake: 'asked' } }]);
    const agent = await startAgain();
    expect(agent.told).toMatchObject([
      { outcome: { message: expect.stringContaining('nobody knows what it did') } },
    ]);
    await expect
      .poll(() => journal.list('ended', 1), wait)
      .toMatchObject([{ id, state: 'reverted', target: { text: 'x' } }]);
    expect(await folder.read('ran.txt')).toBe('delete\n');
    await agent.stop();
  });

  test('a disk that is full at first does not lose it', async () => {
    await folder.write('keys.sh', asking('["k"]'));
    const { instance, target } = await intended('keys.sh', 100, 'x');
    journal.remember(instance, [{ target, memory: { run: 'r', handshake: 'asked' } }]);
    let full = true;
    const settle: Journal['settle'] = (changes, now) => {
      if (full) throw new ArError('journal-failed', 'the disk is full', 'Make room.');
      journal.settle(changes, now);
    };
    const agent = createAgent(folder, { journal: { ...journal, settle } });
    await agent.deskOf(instance).reconcile(false);
    expect(agent.troubles).toHaveLength(1);
    full = false;
    await agent.deskOf(instance).reconcile(false);
    await expect.poll(() => journal.liveCount(), wait).toBe(0);
    expect(await folder.read('ran.txt')).toBe('delete\n');
    await agent.stop();
  });

  test('a run without an end that was started is not started again', async () => {
    await folder.write('once', ['#!/bin/sh', 'echo ran >> ran.txt']);
    const { id, instance, target } = await intended('once', undefined);
    journal.remember(instance, [{ target, memory: { run: 'r', handshake: 'asked' } }]);
    const agent = await startAgain();
    expect(journal.list('ended', 1)).toMatchObject([{ id, state: 'failed' }]);
    await agent.stop();
    expect(await folder.read('ran.txt')).toBe('');
  });

  test('a run without an end that was never started is run', async () => {
    await folder.write('once', ['#!/bin/sh', 'echo ran >> ran.txt']);
    const { id } = await intended('once', undefined);
    const agent = await startAgain();
    await expect.poll(() => journal.list('ended', 1), wait).toMatchObject([{ id, state: 'done' }]);
    expect(await folder.read('ran.txt')).toBe('ran\n');
    await agent.stop();
  });

  test('what was never started is not run when its time is over', async () => {
    await folder.write('late', ['#!/bin/sh', 'echo ran >> ran.txt']);
    const { id } = await intended('late', 1);
    journal.shiftDeadlines(-5_000);
    const agent = await startAgain();
    expect(journal.list('ended', 1)).toMatchObject([{ id, state: 'failed' }]);
    await agent.stop();
    expect(await folder.read('ran.txt')).toBe('');
  });

  test('what came due meanwhile is taken back, and what has time left is kept', async () => {
    await folder.write('plain', [
      '#!/bin/sh',
      'read -r line; case "$line" in *delete*) echo delete >> ran.txt;; esac',
    ]);
    const before = createAgent(folder, { journal });
    await before.ask({ response: 'plain', srcip: '192.0.2.1', timeoutSeconds: 2 });
    await before.ask({ response: 'plain', srcip: '192.0.2.2', timeoutSeconds: 1_000 });
    journal.shiftDeadlines(-3_000);
    const agent = await startAgain();
    await expect.poll(() => folder.read('ran.txt'), wait).toBe('delete\n');
    await expect
      .poll(() => journal.list('live', 9), wait)
      .toMatchObject([{ target: { text: '192.0.2.2' }, state: 'active' }]);
    await Promise.all([before.stop(), agent.stop()]);
  });

  test('the script that still runs is ended before it is taken back, a service it started is not', async () => {
    const path = await folder.write('keys.sh', asking('["k"]'));
    const { instance, target } = await intended('keys.sh', 100, 'x');
    journal.remember(instance, [{ target, memory: { run: 'mark-of-it', handshake: 'asked' } }]);
    const env = { AR_EXEC_RUN: 'mark-of-it' };
    const script = execa('sleep', ['100'], {
      argv0: 'active-response/bin/keys.sh',
      env,
      detached: true,
      reject: false,
    });
    const service = execa('sleep', ['100'], { env, detached: true, reject: false });
    const other = execa('sleep', ['100'], { argv0: path, detached: true, reject: false });
    const agent = await startAgain();
    expect(await script).toMatchObject({ signal: 'SIGKILL' });
    await expect.poll(() => folder.read('ran.txt'), wait).toBe('delete\n');
    for (const left of [service, other]) {
      expect(left.kill('SIGTERM')).toBe(true);
      expect(await left).toMatchObject({ signal: 'SIGTERM' });
    }
    await agent.stop();
  });
});

test('a comparison that comes while a script runs leaves it alone', async () => {
  await folder.write('slow', [
    '#!/bin/sh',
    'read -r line; echo began >> ran.txt; sleep 1; echo ended >> ran.txt',
  ]);
  const agent = createAgent(folder, { journal, keysWaitMs: 100 });
  const asked = agent.ask({ response: 'slow', srcip: '192.0.2.1', timeoutSeconds: 100 });
  await expect.poll(() => folder.read('ran.txt'), wait).toBe('began\n');
  await agent.deskOf(await instanceOf('slow')).reconcile(false);
  expect(await asked).toMatchObject({ kind: 'active', action: { trouble: undefined } });
  expect(await folder.read('ran.txt')).toBe('began\nended\n');
  expect(journal.list('live', 9)).toMatchObject([{ state: 'active' }]);
  await agent.stop();
});

describe('leftovers of a script', () => {
  const program = 'active-response/bin/x';

  let run: string;
  beforeEach(() => {
    run = randomUUID();
  });
  const env = () => ({ env: { AR_EXEC_RUN: run }, detached: true, reject: false });

  test('are ended though the one that led them is gone', async () => {
    // What a shell has forked has the same words, and is in the group of what has been killed.
    const leader = execa('sh', ['-c', 'while :; do sleep 1; done & echo $!; wait', program], env());
    const forked = await new Promise<string>((resolve) => {
      leader.stdout.once('data', (chunk) => resolve(String(chunk).trim()));
    });
    const exited = new Promise((resolve) => leader.nodeChildProcess.once('exit', resolve));
    leader.kill('SIGKILL');
    await exited;
    expect(isAlive(forked)).toBe(true);
    expect(await endLeftovers([{ run, program }])).toBe(1);
    expect(isAlive(forked)).toBe(false);
    await leader;
  });

  test('are what a script has become, and not what it has started in a session of its own', async () => {
    // Neither has the script's name any more.
    const became = execa('sleep', ['100'], env());
    const service = execa('sleep', ['100'], env());
    expect(await endLeftovers([{ run, program }])).toBe(0);
    expect(await endLeftovers([{ run, program, leader: became.pid }])).toBe(1);
    expect(await became).toMatchObject({ signal: 'SIGKILL' });
    expect(service.kill('SIGTERM')).toBe(true);
    expect(await service).toMatchObject({ signal: 'SIGTERM' });
  });

  test('are gone when they are said to be', async () => {
    // Of so many some are still there when they have been sent the signal.
    const many = Array.from({ length: 30 }, () =>
      execa('sleep', ['100'], { argv0: program, ...env() }),
    );
    const alive = () => many.filter(({ pid }) => isAlive(String(pid)));
    expect(alive()).toHaveLength(30);
    expect(await endLeftovers([{ run, program }])).toBe(30);
    expect(alive()).toEqual([]);
    await Promise.all(many);
  });
});

describe('stop', () => {
  test('leaves what is held, and what waits is done by the next agent', async () => {
    await folder.write('slow', ['#!/bin/sh', 'read -r line', 'sleep 1; echo ran >> ran.txt']);
    const before = createAgent(folder, { journal, atOnce: 1, keysWaitMs: 100 });
    const ask = (srcip: string) => before.ask({ response: 'slow', srcip, timeoutSeconds: 100 });
    const asked = [ask('192.0.2.1'), ask('192.0.2.2'), ask('192.0.2.3')];
    const ended = Promise.allSettled(asked);
    await expect.poll(() => journal.liveCount(), wait).toBe(3);
    await expect
      .poll(() => journal.list('live', 9).filter(({ memory }) => memory), wait)
      .toHaveLength(1);
    await before.stop();
    const codes = (await ended).map((one) => one.status === 'fulfilled' || one.reason.code);
    expect(codes.sort()).toEqual(['agent-stopping', 'agent-stopping', true]);
    expect(await folder.read('ran.txt')).toBe('ran\n');
    const agent = await startAgain();
    await expect.poll(() => folder.read('ran.txt'), wait).toBe('ran\n'.repeat(3));
    await expect
      .poll(() => journal.list('live', 9).map((one) => one.state), wait)
      .toEqual(['active', 'active', 'active']);
    await agent.stop();
  });

  test('takes back what is held, if it is to', async () => {
    await folder.write('keys.sh', asking('["k"]'));
    const agent = createAgent(folder, { journal });
    await agent.ask({ response: 'keys.sh', timeoutSeconds: 100 });
    await agent.stop(true);
    expect(journal.liveCount()).toBe(0);
    expect(await folder.read('ran.txt')).toBe('continue\ndelete\n');
  });
});
