import type { Effect, FoundEffect, Reading } from '../../platform/driver.ts';
import { all, type Carried, type Failure } from './carried.ts';

/** A failure that is the same for every element: after so many in a row, stop looking for the bad one. */
const fruitlessRuns = 24;
/** Looking for the bad one must not hold up those who wait behind this batch for longer. */
const searchMs = 30_000;
/** The clock of the machine counts whole seconds, and a batch takes its time. */
const expiryToleranceMs = 2_500;

export interface FailedBatch {
  readonly effects: readonly Effect[];
  readonly failed: Failure;
  /** What the batch was for. */
  readonly goal: 'stands' | 'gone';
  /** Tries a part of the batch. */
  attempt(rest: readonly Effect[]): Promise<Failure | undefined>;
  inspect(): Promise<Reading>;
}

/**
 * After a failed batch: see what is true, then try the rest in ever smaller parts, until those that
 * the tool does not take are alone. Results are in the order of the effects.
 */
export async function converge(batch: FailedBatch): Promise<Carried[]> {
  const carried = new Map<string, Carried>();
  const keep = (some: readonly Carried[]): void => {
    for (const one of some) carried.set(one.target.text, one);
  };
  const patience = createPatience();

  /** Keeps what is settled, and returns those that are not as they should be. */
  const look = async (rest: readonly Effect[], last: Failure): Promise<readonly Effect[]> => {
    const { settled, open } = sort(rest, await batch.inspect(), batch.goal, last);
    keep(settled);
    return open;
  };

  const search = async (rest: readonly Effect[], last: Failure): Promise<void> => {
    const open = await look(rest, last);
    if (hopeless(last)) keep(all(open, 'failed', last));
    else for (const part of partsOf(open, rest.length)) await tryPart(part, last);
  };

  const tryPart = async (part: readonly Effect[], last: Failure): Promise<void> => {
    if (patience.isOver()) {
      keep(all(part, 'failed', last));
      return;
    }
    const again = await batch.attempt(part);
    patience.note(again === undefined);
    if (again === undefined) keep(all(part, 'done'));
    else if (part.length > 1) await search(part, again);
    else keep(all(await look(part, again), 'failed', again));
  };

  await search(batch.effects, batch.failed);
  return batch.effects.map(
    ({ target }) => carried.get(target.text) ?? { target, result: 'unknown' },
  );
}

function createPatience() {
  const until = performance.now() + searchMs;
  let fruitless = 0;
  return {
    note: (fruitful: boolean): void => {
      fruitless = fruitful ? 0 : fruitless + 1;
    },
    isOver: (): boolean => fruitless >= fruitlessRuns || performance.now() > until,
  };
}

/** What is settled by what was found, and what is still open. */
function sort(
  effects: readonly Effect[],
  reading: Reading,
  goal: FailedBatch['goal'],
  { failure, why }: Failure,
): { settled: Carried[]; open: Effect[] } {
  if (!reading.known) {
    const unknown = { failure, why: `${why}; then: ${reading.why}` };
    return { settled: all(effects, 'unknown', unknown), open: [] };
  }
  const found = new Map(reading.effects.map((one) => [one.target.text, one]));
  const foreign = new Set(reading.foreign.map((target) => target.text));
  const settled: Carried[] = [];
  const open: Effect[] = [];
  for (const effect of effects) {
    const { target } = effect;
    const one = found.get(target.text);
    const isReached = goal === 'gone' ? one === undefined : stands(effect, one);
    if (isReached) settled.push({ target, result: 'done' });
    else if (
      goal === 'stands' &&
      (foreign.has(target.text) || reading.isCovered?.(target) === true)
    ) {
      settled.push({ target, result: 'pre-existing' });
    } else open.push(effect);
  }
  return { settled, open };
}

/** Halves; but what is left when others turned out to be settled is tried once more as a whole. */
function partsOf(open: readonly Effect[], before: number): (readonly Effect[])[] {
  if (open.length === 0) return [];
  if (open.length < before || open.length === 1) return [open];
  const half = Math.ceil(open.length / 2);
  return [open.slice(0, half), open.slice(half)];
}

/** A tool that hangs or is not there will not do better with half of the batch. */
function hopeless({ failure }: Failure): boolean {
  return failure === 'timeout' || failure === 'missing';
}

function stands(effect: Effect, found: FoundEffect | undefined): boolean {
  if (found === undefined || found.partial === true) return false;
  if (effect.standing !== true) return true;
  if (effect.expiresInMs === undefined) return found.expiresInMs === undefined;
  if (found.expiresInMs === undefined) return false;
  return Math.abs(found.expiresInMs - effect.expiresInMs) <= expiryToleranceMs;
}
