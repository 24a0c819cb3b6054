import { ArError } from '../errors.ts';
import type { ScriptRun } from '../system/leftovers.ts';
import type { Action, Change } from '../words.ts';
import type { Bench } from './bench.ts';
import { ownText } from './keys.ts';
import { planRun } from './plan-run.ts';
import { mannerOf } from './settings.ts';

export interface Recovered {
  /** Written down and never started: they are run now. */
  readonly begun: readonly Action[];
  /** What became of the others, for the logs. */
  readonly lost: readonly { readonly action: Action; readonly error: ArError }[];
}

const unknownEnd = 'the agent ended while its script ran, and nobody knows what it did';

/**
 * What an agent before this one left unfinished. A script that was started may have acted or not: it is
 * ended if it still runs, and what can be taken back is taken back.
 */
export async function recover(bench: Bench, held: readonly Action[]): Promise<Recovered> {
  const { journal, clock, script } = bench;
  const now = clock.now();
  const unfinished = held.filter(({ state }) => state !== 'active');
  await bench.endLeftovers(unfinished.flatMap((action) => runOf(bench, action)));
  const begun: Action[] = [];
  const lost: { action: Action; error: ArError }[] = [];
  const changes: Change[] = [];
  for (const action of unfinished) {
    if (action.state !== 'intended') continue;
    const { id, memory, deadlineAt } = action;
    if (memory === undefined && (deadlineAt === undefined || deadlineAt > now)) {
      begun.push(action);
      continue;
    }
    const stateful = script.stateful === 'yes' || deadlineAt !== undefined;
    const revert = memory !== undefined && stateful;
    const why = memory === undefined ? 'its time was over before it could be run' : unknownEnd;
    const after = revert ? 'It is taken back.' : 'It is not run a second time.';
    changes.push({ id, state: revert ? 'reverting' : 'failed', trouble: why, dueAt: now });
    lost.push({ action, error: new ArError('driver-failed', `${action.response}: ${why}`, after) });
  }
  journal.settle(changes, now);
  for (const change of changes)
    if (change.state === 'reverting') giveOwnName(bench, held, change.id);
  return { begun, lost };
}

/** Who asks for the same again waits for the taking back, if it goes by the same name. */
function giveOwnName({ journal, clock }: Bench, held: readonly Action[], id: number): void {
  const action = held.find((one) => one.id === id);
  if (action === undefined) return;
  const text = ownText(action.target.text);
  if (text === action.target.text || journal.holder(action.response, text) !== undefined) return;
  journal.rekey({ id, text }, clock.now());
}

function runOf({ script }: Bench, action: Action): ScriptRun[] {
  const run = action.memory?.['run'];
  if (run === undefined) return [];
  const manner = mannerOf(script.dialect, action.origin.dialect);
  const { program } = planRun(script, manner, action, { verb: 'add', run, deadlineMs: 0 });
  const leader = Number(action.memory?.['leader'] ?? Number.NaN);
  return [{ run, program, leader }];
}
