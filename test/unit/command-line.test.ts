import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../agent/cli/command-line.ts';
import { exitStatus } from '../../agent/errors.ts';

/** A wrong word must not be dropped: `--timout 10m` would become a block that never ends. */
describe('words that are not understood', () => {
  const add = ['add', 'firewall-drop', '--srcip', '203.0.113.7'];
  let folder: string;
  let socket: string;
  let asked = 0;
  let said = '';
  const agent = createServer((connection) => {
    asked += 1;
    connection.destroy();
  });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-words-'));
    socket = join(folder, 'socket');
    await new Promise<void>((resolve) => agent.listen(socket, resolve));
  });
  beforeEach(() => {
    asked = 0;
    said = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      said += String(text);
      return true;
    });
    return () => vi.restoreAllMocks();
  });
  afterAll(async () => {
    agent.close();
    await rm(folder, { recursive: true });
  });

  test.each([
    [[...add, '--timout', '10m'], 'Unknown argument: timout'],
    [['list', '--direct'], 'Unknown argument: direct'],
    [['delete'], 'Not enough non-option arguments'],
    [['add'], 'Not enough non-option arguments'],
    [['journal', 'erase'], 'Invalid values'],
    [['sing'], 'Unknown argument: sing'],
    [[], 'Say what to do'],
  ])('%j: told once, and nothing is done', async (words, why) => {
    expect(await runCommandLine([...words, '--socket', socket])).toBe(exitStatus.usage);
    expect(said.match(/\[[a-z]+-[a-z]+\]/g)).toEqual(['[usage-invalid]']);
    expect(said).toContain(why);
    expect(asked).toBe(0);
  });

  test('an agent is asked when all is understood', async () => {
    expect(await runCommandLine([...add, '--socket', socket])).toBe(exitStatus.unreachable);
    expect(asked).toBe(1);
  });
});

/** What stood there before ar-exec is in force still, and a person must not be told otherwise. */
test('a deletion of what was there before does not claim that it is gone', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-words-'));
  const socket = join(folder, 'socket');
  const reply = { id: 1, ok: true, state: 'reverted', response: 'route-null', target: '192.0.2.1' };
  const agent = createServer((connection) => {
    connection.end(`${JSON.stringify({ ...reply, preExisting: true, stillHeldBy: [] })}\n`);
  });
  await new Promise<void>((resolve) => agent.listen(socket, resolve));
  const written = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  try {
    const words = ['delete', 'route-null', '--srcip', '192.0.2.1', '--socket', socket];
    expect(await runCommandLine(words)).toBe(exitStatus.ok);
    expect(written.mock.calls.join('')).toMatch(/has ended; .* left to whoever made it/);
  } finally {
    written.mockRestore();
    agent.close();
    await rm(folder, { recursive: true });
  }
});
