/** What is renamed over a file that somebody has open: Windows refuses that, and what has been refused is tried again. */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type KeptJournal, keepJournal } from '../../agent/journal/keep.ts';
import { createLog } from '../../agent/observe/log.ts';
import { instance, order } from '../unit/sample.ts';

type Note = (name: string, task: () => unknown) => Promise<void>;

export async function renames(note: Note): Promise<void> {
  await note('a log whose older part is open', rotation);
  await note('a journal that is damaged while it is in use', mending);
}

/** Goes on in the log as it is, and rotates it when nobody reads the older part any more. */
async function rotation(): Promise<unknown> {
  const folder = 'C:\\logs';
  const [log, older] = [`${folder}\\a.log`, `${folder}\\a.log.1`];
  await mkdir(folder);
  await writeFile(log, `${'x'.repeat(2_000)}\n`);
  await writeFile(older, 'older\n');
  const reader = await open(older, 'r');
  const first = createLog('info', log, { rotateBytes: 1_000 });
  first.info({}, 'while it is read');
  const isSaid = (file: string): boolean => readFileSync(file, 'utf8').includes('while it is');
  await until(() => isSaid(log));
  const during = readFileSync(older, 'utf8');
  await reader.close();
  const second = createLog('info', log, { rotateBytes: 1_000 });
  await until(() => isSaid(older));
  second.info({}, 'afterwards');
  await until(() => readFileSync(log, 'utf8').includes('afterwards'));
  return [during, readdirSync(folder).sort()];
}

async function until(isTrue: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await pause(20)) {
    try {
      if (isTrue()) return;
    } catch {
      // It is not there in the moment.
    }
  }
  throw new Error('it did not come about');
}

/** SQLite has it open without letting others rename it. */
function mending(): unknown {
  const state = 'C:\\journal';
  mkdirSync(state);
  const hold = (journal: KeptJournal, count: number): void => {
    const orders = Array.from({ length: count }, (_, index) =>
      order('add', `10.9.${index >> 8}.${index & 255}`),
    );
    const intents = journal.intend(orders, 1_000);
    const ids = intents.flatMap((one) => (one.kind === 'apply' ? one.action.id : []));
    journal.settle(
      ids.map((id) => ({ id, state: 'active' as const })),
      1_000,
    );
  };
  const first = keepJournal(state);
  hold(first, 20_000);
  first.close();
  const kept = keepJournal(state);
  const file = openSync(`${state}\\journal.db`, 'r+');
  writeSync(
    file,
    Buffer.alloc(statSync(`${state}\\journal.db`).size - 4_096 * 20),
    0,
    undefined,
    4_096 * 20,
  );
  closeSync(file);
  const said: unknown[] = [];
  try {
    said.push(kept.heldBy(instance).length);
  } catch (error) {
    said.push((error as { code?: string }).code);
  }
  said.push(kept.tend().map(({ kind, aside = [] }) => [kind, aside.length > 0]));
  said.push(kept.heldBy(instance).length > 50, kept.isPartial());
  kept.close();
  const next = keepJournal(state);
  said.push(next.mishaps());
  next.close();
  return said;
}
