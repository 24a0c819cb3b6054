import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startFollowing } from '../../agent/alerts/following.ts';
import type { Composed } from '../../agent/compose.ts';
import { ArError, type ErrorCode } from '../../agent/errors.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { Log } from '../../agent/observe/log.ts';
import type { Request } from '../../agent/words.ts';
import { order } from './sample.ts';

let folder: string;
let path: string;
let journal: Journal;
/** Alerts whose responses were carried out, in their order. */
let done: (string | undefined)[];
/** What the next requests are answered with, before they are carried out. */
let failures: ErrorCode[];
let warnings: object[];
let stops: (() => Promise<void>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-following-'));
  path = join(folder, 'alerts.json');
  await writeFile(path, '');
  journal = openJournal(folder);
  done = [];
  failures = [];
  warnings = [];
  stops = [];
});
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  journal.close();
  await rm(folder, { recursive: true });
});

const accept = async ({ origin }: Request): Promise<void> => {
  const failure = failures.shift();
  if (failure !== undefined) throw new ArError(failure, 'not now', 'Wait.');
  done.push(origin.alertId);
  const [intent] = journal.intend([order('add', `203.0.113.${done.length}`, { origin })], 1_000);
  if (intent?.kind === 'apply') journal.settle([{ id: intent.action.id, state: 'done' }], 1_000);
};

async function start(): Promise<() => Promise<void>> {
  const composed = {
    journal,
    flow: { accept },
    settled: () => ({
      config: { alertsFile: path },
      define: (name: string) =>
        name === 'firewall-drop.sh' ? { name: 'firewall-drop' } : undefined,
    }),
  } as unknown as Composed;
  const following = await startFollowing({
    composed,
    pollMs: 10,
    log: { warn: (facts: object) => warnings.push(facts) } as unknown as Log,
    triggered: async (alert) => ({
      passedOver: [],
      requests: [
        {
          verb: 'add',
          response: 'firewall-drop.sh',
          origin: { dialect: 'alert', alertId: (alert as { id: string }).id },
        },
      ],
    }),
  });
  const stop = async (): Promise<void> => following?.stop();
  stops.push(stop);
  return stop;
}

const write = (...ids: readonly string[]) =>
  appendFile(path, ids.map((id) => `${JSON.stringify({ rule: {}, id })}\n`).join(''));
const isDone = (...ids: readonly string[]) =>
  expect.poll(() => done, { timeout: 5_000, interval: 5 }).toEqual(ids);
const offset = () => journal.positions.find(path)?.position.offset;

test('what was set off before a crash is known again, by whatever name it was asked for', async () => {
  const stop = await start();
  const before = journal.positions.find(path);
  await write('1', '2');
  await isDone('1', '2');
  await stop();
  // As a crash before the position was written down would leave it.
  if (before !== undefined) journal.positions.save(path, before.position, before.afterAction);
  await write('3');
  await start();
  await isDone('1', '2', '3');
});

test('an alert that is written again later is another one', async () => {
  const stop = await start();
  await write('1');
  await isDone('1');
  await stop();
  await start();
  await write('1');
  await isDone('1', '1');
});

test('what fails for now is asked for again; what is refused is not', async () => {
  failures = ['limit-pending', 'journal-failed'];
  await start();
  await write('1');
  await isDone('1');
  failures = ['target-protected', 'driver-failed'];
  await write('2', '3', '4');
  await isDone('1', '4');
});

test('what an agent that stops does not hear is read again', async () => {
  const stop = await start();
  await write('1');
  await isDone('1');
  await expect.poll(offset, { timeout: 5_000 }).toBe(21);
  failures = ['agent-stopping'];
  await write('2');
  await expect.poll(() => failures, { timeout: 5_000 }).toEqual([]);
  await stop();
  expect(offset()).toBe(21);
  await start();
  await isDone('1', '2');
});

test('a stop does not wait for a disk that is full', async () => {
  const stop = await start();
  failures = Array.from({ length: 1_000 }, () => 'journal-failed' as const);
  await write('1');
  await expect.poll(() => failures.length, { timeout: 5_000 }).toBeLessThan(1_000);
  const before = performance.now();
  await stop();
  expect(performance.now() - before).toBeLessThan(900);
  expect(offset()).toBe(0);
});

test('lines that are no alerts are told once a minute, and passed over', async () => {
  await start();
  await appendFile(path, 'x\n7\n[]\n{"command":"status","rule":{}}\n\n');
  await write('1');
  await isDone('1');
  expect(warnings).toEqual([
    { file: path, times: 1, trouble: 'a line that is no alert was passed over' },
  ]);
});
