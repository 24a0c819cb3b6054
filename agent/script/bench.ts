import type { Desk, DeskStages } from '../desk/desk.ts';
import { ArError } from '../errors.ts';
import type { ScriptRun } from '../system/leftovers.ts';
import type { ScriptRunner } from '../system/run-script.ts';
import type { Action, Instance, Intent, Order } from '../words.ts';
import type { Script } from './settings.ts';
import type { Turns } from './turns.ts';

/** What every script desk shares with the others. */
export interface ScriptServices {
  readonly run: ScriptRunner;
  readonly turns: Turns;
  /** What today's configuration allows a response. */
  limits(response: string): { readonly timeLimitMs: number; readonly atOnce: number };
  /** Ends what an agent before this one left at work; see agent/system/leftovers.ts. */
  endLeftovers(runs: readonly ScriptRun[]): Promise<number>;
}

/** What adding and taking back have to hand at one desk. */
export interface Bench extends ScriptServices {
  readonly journal: DeskStages['journal'];
  readonly clock: DeskStages['clock'];
  readonly instance: Desk['instance'] & Instance;
  readonly script: Script;
  /** Actions whose script runs or is about to; nobody else touches them. */
  readonly inWork: Set<number>;
  /** Writes an order down, together with others that come at the same time. */
  intend(order: Order): Promise<Intent>;
  isStopping(): boolean;
  /** Something has changed that has a time. */
  look(): void;
}

/** Only one at a time is at work on the same key of a response, and asks about the same things. */
export function lockName(what: 'ask' | 'key', script: Script, text: string): string {
  return `${what} ${script.name} ${text}`;
}

/** Waits for a place to run in. */
export async function takePlace(bench: Bench, verb: 'add' | 'delete'): Promise<() => void> {
  const { name } = bench.script;
  const leave = await bench.turns.place(verb, name, bench.limits(name).atOnce);
  if (leave !== undefined && !(verb === 'add' && bench.isStopping())) return leave;
  leave?.();
  throw new ArError(
    'agent-stopping',
    'the agent is stopping',
    'It is written down, and done when the agent is back.',
  );
}

/** Writes down which process a script became; where that fails it is known by its name alone. */
export function noteLeader({ journal }: Bench, { instance, target, memory }: Action): void {
  try {
    journal.remember(instance, [{ target, memory: memory ?? {} }]);
  } catch {
    // What becomes of the run is written down next, and tells what is wrong.
  }
}

export function orderOf(verb: Order['verb'], action: Action): Order {
  const { response, target, instance, facts, origin, managerLine } = action;
  return { verb, response, target, instance, facts, origin, managerLine };
}
