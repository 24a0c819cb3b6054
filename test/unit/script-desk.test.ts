import { readFileSync } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openJournal } from '../../agent/journal/journal.ts';
import { type Agent, asking, createAgent, createFolder, type Folder } from './script-folder.ts';

// Scripts are processes, and other tests run beside these.
vi.setConfig({ testTimeout: 60_000 });

let folder: Folder;
let agent: Agent;
const wait = { timeout: 15_000 };

/** Whether a process is there and is not just waiting to be reaped. */
const isAlive = (pid: string): boolean => {
  try {
    return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

beforeEach(async () => {
  folder = await createFolder();
});
afterEach(async () => {
  await agent.stop();
  await folder.remove();
});

describe('a script that names its keys', () => {
  test('goes on once, and aborts while the same keys are held, which are held longer then', async () => {
    agent = createAgent(folder);
    await folder.write('keys.sh', asking('["203.0.113.7","web"]'));
    const ask = (timeoutSeconds: number) =>
      agent.ask({ response: 'keys.sh', srcip: '203.0.113.7', timeoutSeconds });
    const first = await ask(100);
    expect(first).toMatchObject({
      kind: 'active',
      refreshed: false,
      action: { target: { text: '203.0.113.7-web' }, state: 'active' },
    });
    const longer = await ask(500);
    expect(longer).toMatchObject({
      kind: 'active',
      refreshed: true,
      action: { id: first.action.id },
    });
    expect(longer.action.deadlineAt).toBeGreaterThan((first.action.deadlineAt ?? 0) + 300_000);
    const shorter = await ask(50);
    expect(shorter.action.deadlineAt).toBe(longer.action.deadlineAt);
    expect(await folder.read('ran.txt')).toBe('continue\nabort\nabort\n');
    expect(agent.journal.list('live', 10)).toMatchObject([
      { id: first.action.id, deadlineAt: longer.action.deadlineAt },
    ]);
  });

  test('is taken back by what the request named, and by its key', async () => {
    agent = createAgent(folder);
    await folder.write('keys.sh', asking('["203.0.113.7","web"]'));
    const asked = { response: 'keys.sh', srcip: '203.0.113.7', timeoutSeconds: 100 };
    await agent.ask(asked);
    expect(await agent.ask({ ...asked, verb: 'delete' })).toMatchObject({ kind: 'reverted' });
    await agent.ask(asked);
    expect(
      await agent.ask({ response: 'keys.sh', key: '203.0.113.7-web', verb: 'delete' }),
    ).toMatchObject({ kind: 'reverted' });
    await expect(agent.ask({ ...asked, verb: 'delete' })).rejects.toMatchObject({
      code: 'not-held',
    });
    expect(await folder.read('ran.txt')).toBe('continue\ndelete\ncontinue\ndelete\n');
  });

  test('names who it means when a delete could mean several', async () => {
    agent = createAgent(folder);
    const asked = { response: 'keys.sh', srcip: '203.0.113.7', timeoutSeconds: 100 };
    await folder.write('keys.sh', asking('["a"]'));
    await agent.ask(asked);
    await folder.write('keys.sh', asking('["b"]'));
    await agent.ask(asked);
    await expect(agent.ask({ ...asked, verb: 'delete' })).rejects.toMatchObject({
      code: 'not-held',
      hint: 'Name one by its key (--key): a, b.',
    });
  });

  test('is taken back as it was made, though it is declared in another way since', async () => {
    const journal = openJournal(':memory:');
    const before = createAgent(folder, { journal });
    await folder.write('keys.sh', asking('["203.0.113.7","web"]'));
    const asked = { response: 'keys.sh', srcip: '2001:DB8::7', timeoutSeconds: 100 };
    await before.ask(asked);
    await before.stop();
    agent = createAgent(folder, { journal, declared: { 'keys.sh': { dialect: 'argv' } } });
    await agent.ask({ ...asked, srcip: '203.0.113.9' });
    expect(await agent.ask({ ...asked, srcip: '2001:db8::7', verb: 'delete' })).toMatchObject({
      kind: 'reverted',
    });
    expect(await folder.read('ran.txt')).toContain('continue\n');
    expect((await folder.read('ran.txt')).trim().split('\n').at(-1)).toBe('delete');
    expect(journal.list('live', 9)).toMatchObject([{ target: { text: '203.0.113.9' } }]);
  });

  test('runs each time without a timeout, as a manager has it, and holds nothing', async () => {
    agent = createAgent(folder);
    await folder.write('keys.sh', asking('["k"]'));
    for (const _ of [1, 2]) {
      expect(await agent.ask({ response: 'keys.sh', srcip: '203.0.113.7' })).toMatchObject({
        kind: 'done',
        action: { target: { text: 'k' } },
      });
    }
    expect(await folder.read('ran.txt')).toBe('continue\ncontinue\n');
    expect(agent.journal.list('live', 10)).toEqual([]);
    expect(agent.journal.list('ended', 10)).toMatchObject([
      { state: 'done', target: { text: 'k' } },
      { state: 'done', target: { text: 'k' } },
    ]);
  });

  test('is held until it is deleted when it is declared to be, without a timeout', async () => {
    agent = createAgent(folder, { declared: { 'keys.sh': { stateful: 'yes' } } });
    await folder.write('keys.sh', asking('["k"]'));
    expect(await agent.ask({ response: 'keys.sh' })).toMatchObject({
      kind: 'active',
      action: { deadlineAt: undefined },
    });
    expect(await agent.ask({ response: 'keys.sh', timeoutSeconds: 5 })).toMatchObject({
      refreshed: true,
      action: { deadlineAt: undefined },
    });
    expect(await agent.ask({ response: 'keys.sh', key: 'k', verb: 'delete' })).toMatchObject({
      kind: 'reverted',
    });
  });

  test('asked for at the same time from many sides, goes on once', async () => {
    agent = createAgent(folder);
    await folder.write('keys.sh', asking('["k"]'));
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        agent.ask({ response: 'keys.sh', srcip: `203.0.113.${index}`, timeoutSeconds: 100 }),
      ),
    );
    const ran = (await folder.read('ran.txt')).trim().split('\n').sort();
    expect(ran).toEqual([...Array(11).fill('abort'), 'continue']);
    expect(new Set(outcomes.map(({ action }) => action.id)).size).toBe(1);
    expect(outcomes.filter((one) => one.kind === 'active' && !one.refreshed)).toHaveLength(1);
    expect(agent.journal.liveCount()).toBe(1);
    expect(agent.journal.list('live', 10)).toHaveLength(1);
  });

  test('is asked again once its time is over', async () => {
    agent = createAgent(folder);
    await folder.write('keys.sh', asking('["k"]'));
    await agent.ask({ response: 'keys.sh', timeoutSeconds: 1 });
    await expect.poll(() => folder.read('ran.txt'), wait).toBe('continue\ndelete\n');
    await expect.poll(() => agent.journal.liveCount(), wait).toBe(0);
    await agent.ask({ response: 'keys.sh', timeoutSeconds: 100 });
    expect(await folder.read('ran.txt')).toBe('continue\ndelete\ncontinue\n');
  });

  test.each([
    ['nothing', '[]', '-'],
    ['numbers and texts', '[1,"a",null,"b"]', 'a-b'],
    ['control characters', '["a\\\\u001b[2J\\\\nb"]', 'a\\u001b[2J\\u000ab'],
  ])('can name %s', async (_what, keys, text) => {
    agent = createAgent(folder);
    await folder.write('keys.sh', asking(keys));
    const { action } = await agent.ask({ response: 'keys.sh', timeoutSeconds: 100 });
    expect(action.target.text).toBe(text);
  });
});

describe('a script that names no keys', () => {
  test('is held by what the request names, and not run again meanwhile', async () => {
    agent = createAgent(folder);
    await folder.write('plain.sh', ['#!/bin/sh', 'read -r line', 'echo "$line" >> ran.txt']);
    const asked = { response: 'plain.sh', srcip: '2001:DB8::7', timeoutSeconds: 100 };
    expect(await agent.ask(asked)).toMatchObject({ action: { target: { text: '2001:db8::7' } } });
    expect(await agent.ask(asked)).toMatchObject({ kind: 'active', refreshed: true });
    await agent.ask({ ...asked, verb: 'delete' });
    const commands = (await folder.read('ran.txt')).trim().split('\n');
    expect(commands.map((line) => JSON.parse(line).command)).toEqual(['add', 'delete']);
  });

  test.each([
    ['reads to the end of its input', ['#!/bin/sh', 'cat > in.txt']],
    ['prints garbage', ['#!/bin/sh', 'echo hello; cat > in.txt']],
    ['closes its output', ['#!/bin/sh', 'exec 1>&-; cat > in.txt']],
    ['echoes what it reads', ['#!/bin/sh', 'tee in.txt']],
    ['does not read at all', ['#!/bin/sh', 'echo done > in.txt']],
    ['ends at once', ['#!/bin/sh', 'echo done > in.txt; exit 0']],
  ])('that %s goes on, and is taken back', async (_what, lines) => {
    agent = createAgent(folder, { keysWaitMs: 300 });
    await folder.write('any', lines);
    const asked = { response: 'any', user: 'alice', timeoutSeconds: 1 };
    const { action } = await agent.ask(asked);
    expect(action).toMatchObject({
      state: 'active',
      trouble: undefined,
      target: { text: 'alice' },
    });
    expect(await folder.read('in.txt')).not.toBe('');
    await expect.poll(() => agent.journal.liveCount(), wait).toBe(0);
    expect(agent.journal.list('ended', 1)).toMatchObject([{ state: 'reverted' }]);
  });

  test('and prints garbage before them is understood all the same', async () => {
    agent = createAgent(folder);
    const [shebang = '', ...rest] = asking('["k"]');
    await folder.write('late.sh', [shebang, 'echo "starting ..."; echo "{}"; echo null', ...rest]);
    const { action } = await agent.ask({ response: 'late.sh', timeoutSeconds: 100 });
    expect(action.target.text).toBe('k');
    expect(await folder.read('ran.txt')).toBe('continue\n');
  });

  test('though it has to, is held with that as its trouble', async () => {
    agent = createAgent(folder, { declared: { mute: { dialect: 'json-keys' } } });
    await folder.write('mute', ['#!/bin/sh', 'read -r line; echo done > in.txt']);
    const { action } = await agent.ask({
      response: 'mute',
      srcip: '192.0.2.1',
      timeoutSeconds: 100,
    });
    expect(action).toMatchObject({ state: 'active', trouble: 'it named no keys' });
  });
});

describe('trouble', () => {
  test('of an add is told, and does not lose the delete', async () => {
    agent = createAgent(folder);
    await folder.write('bad', ['#!/bin/sh', 'read -r line', 'echo "no such zone" >&2', 'exit 3']);
    const asked = { response: 'bad', srcip: '192.0.2.1', timeoutSeconds: 1 };
    const { action } = await agent.ask(asked);
    expect(action).toMatchObject({
      state: 'active',
      trouble: 'it ended with status 3: no such zone',
    });
    expect(agent.journal.list('live', 1)).toMatchObject([
      { state: 'active', trouble: 'it ended with status 3: no such zone' },
    ]);
    // It ends its delete with the same status, as some of OSSEC's always do: that says nothing.
    await expect.poll(() => agent.journal.liveCount(), wait).toBe(0);
    expect(agent.journal.list('ended', 1)).toMatchObject([
      { state: 'reverted', trouble: 'it ended with status 3: no such zone', attempts: 0 },
    ]);
  });

  test('of a delete has it tried again', async () => {
    agent = createAgent(folder);
    await folder.write('flaky', [
      '#!/bin/sh',
      'read -r line',
      'case "$line" in *delete*) [ -e ready ] || exit 1; echo gone >> ran.txt ;; esac',
    ]);
    const asked = { response: 'flaky', srcip: '192.0.2.1', timeoutSeconds: 100 };
    await agent.ask(asked);
    await expect(agent.ask({ ...asked, verb: 'delete' })).rejects.toMatchObject({
      code: 'driver-failed',
      message: expect.stringContaining('may still be in force: it ended with status 1'),
    });
    expect(agent.journal.list('live', 1)).toMatchObject([{ state: 'reverting', attempts: 1 }]);
    const { instance } = agent.journal.list('live', 1)[0] ?? {};
    if (instance === undefined) throw new Error('no instance');
    expect(agent.deskOf(instance).trouble()).toContain('may still be in force');
    await chmod(join(folder.home), 0o755);
    await folder.write('../../ready', ['']);
    await expect.poll(() => agent.journal.liveCount(), wait).toBe(0);
    expect(await folder.read('ran.txt')).toBe('gone\n');
    expect(agent.deskOf(instance).trouble()).toBeUndefined();
  });

  test('of a delete that never ends well is left at that after ten tries', async () => {
    let ahead = 0;
    agent = createAgent(folder, { now: () => Date.now() + ahead });
    await folder.write('never', [
      '#!/bin/sh',
      'read -r line',
      'case "$line" in *delete*) echo x >> ran.txt; exit 1 ;; esac',
    ]);
    const asked = { response: 'never', srcip: '192.0.2.1', timeoutSeconds: 100 };
    const { action } = await agent.ask(asked);
    const desk = agent.deskOf(action.instance);
    await agent.ask({ ...asked, verb: 'delete' }).catch(() => {});
    for (let tries = 2; tries <= 10; tries += 1) {
      ahead += 600_000;
      desk.deadlinesMoved();
      await expect.poll(() => folder.read('ran.txt'), wait).toBe('x\n'.repeat(tries));
      await expect.poll(() => desk.pending(), wait).toBe(0);
    }
    expect(agent.journal.liveCount()).toBe(0);
    expect(agent.journal.list('ended', 1)).toMatchObject([
      { state: 'reverted', trouble: 'it ended with status 1' },
    ]);
  });

  test('of a run without an end is recorded: its status, or that it never came to its end', async () => {
    agent = createAgent(folder, { timeLimitMs: 700, keysWaitMs: 100 });
    await folder.write('fails', ['#!/bin/sh', 'exit 4']);
    expect(await agent.ask({ response: 'fails' })).toMatchObject({
      kind: 'done',
      action: { trouble: 'it ended with status 4' },
    });
    await folder.write('hangs', ['#!/bin/sh', 'exec sleep 100']);
    await expect(agent.ask({ response: 'hangs' })).rejects.toMatchObject({
      code: 'driver-timeout',
    });
    expect(agent.journal.list('ended', 1)).toMatchObject([{ state: 'failed' }]);
  });

  test('a script that hangs is ended with all that it started, and its delete still runs', async () => {
    agent = createAgent(folder, { timeLimitMs: 700, keysWaitMs: 100 });
    await folder.write('hangs', [
      '#!/bin/sh',
      'read -r line',
      'case "$line" in *delete*) echo gone >> ran.txt; exit 0 ;; esac',
      'sleep 100 & echo $! > child.txt',
      'wait',
    ]);
    const asked = { response: 'hangs', srcip: '192.0.2.1', timeoutSeconds: 2 };
    expect((await agent.ask(asked)).action).toMatchObject({
      state: 'active',
      trouble: 'it was ended after its 0.7 s',
    });
    const child = (await folder.read('child.txt')).trim();
    await expect.poll(() => isAlive(child), wait).toBe(false);
    await expect.poll(() => folder.read('ran.txt'), wait).toBe('gone\n');
  });

  test('a script that may not be run is refused, and nothing is held', async () => {
    agent = createAgent(folder);
    const path = await folder.write('open', ['#!/bin/sh', 'exit 0'], 0o775);
    const asked = { response: 'open', timeoutSeconds: 100 };
    await expect(agent.ask(asked)).rejects.toMatchObject({ code: 'script-untrusted' });
    await chmod(path, 0o755);
    await agent.ask(asked);
    await chmod(path, 0o757);
    await expect(agent.ask({ ...asked, verb: 'delete' })).rejects.toMatchObject({
      code: 'driver-failed',
      message: expect.stringContaining('can be written by its group or by everybody (mode 757)'),
    });
    expect(agent.journal.list('live', 1)).toMatchObject([{ state: 'reverting', attempts: 1 }]);
    await chmod(path, 0o755);
    await expect.poll(() => agent.journal.liveCount(), wait).toBe(0);
  });
});
