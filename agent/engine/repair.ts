import type { Effect, FoundEffect, Reading } from '../../platform/driver.ts';
import type { Action, Change } from '../words.ts';
import { pauseMs } from './backoff.ts';
import type { Carried } from './carried.ts';
import type { Carrier } from './carry-out.ts';
import { effectOf, revertOf } from './intents.ts';
import { type Difference, difference, type Repair } from './reconcile.ts';

/** What a comparison of journal and machine led to. */
export interface Repaired {
  readonly changes: readonly Change[];
  /** Actions that are over with this, for the logs. */
  readonly ended: readonly Action[];
  /** Effects of ours that nobody explains, left standing for the journal to adopt. */
  readonly orphans: readonly FoundEffect[];
  readonly reapplied: number;
  readonly removed: number;
  /** Containers that did not stand whole. */
  readonly mended: number;
  /** One of two was taken back, and some drivers take both: it has to be looked at again. */
  readonly lookAgain: boolean;
  /** What could not be put right; somebody has to look again. */
  readonly trouble?: string;
}

export interface RepairOptions {
  /** Live actions of the driver instance. */
  readonly actions: readonly Action[];
  readonly now: number;
  /** Leaves unexplained effects standing instead of removing them. */
  readonly adopt: boolean;
  /** Targets whose effects a person took over, or others look after: whatever stands is left alone. */
  readonly forgotten: ReadonlySet<string>;
}

type Known = Extract<Reading, { known: true }>;

/** Makes the machine hold what the journal says, by difference: nothing is flushed, there is no gap. */
export async function repair(carrier: Carrier, options: RepairOptions): Promise<Repaired> {
  const found = await carrier.inspect();
  if (!found.known) return nothing(found.why);
  const reading = withoutForgotten(found, options);
  const compared = difference(options.actions, reading, carrier.driver.traits, options.now);
  const lacking = lackingContainers(carrier, reading, compared);
  const { mendTrouble, applied } = await putBack(carrier, reading, lacking, compared, options.now);
  const reverted = await removeSurplus(carrier, compared, options.adopt);
  const { failed, refused } = troublesOf([...applied, ...reverted], options.actions);
  const foreign = new Set(
    applied.filter(({ result }) => result === 'pre-existing').map(({ target }) => target.text),
  );
  const trouble = mendTrouble ?? [...failed.values()][0]?.why ?? reading.trouble;
  return {
    ...settle(compared, options, { failed, refused, foreign }, mendTrouble),
    orphans: options.adopt ? compared.repairs.flatMap(orphanOf) : [],
    reapplied: applied.length,
    removed: reverted.length,
    mended: mendTrouble === undefined ? lacking.length : 0,
    lookAgain: compared.repairs.some((one) => one.kind === 'revert' && one.surplus),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

function nothing(trouble: string): Repaired {
  const none = { changes: [], ended: [], orphans: [], reapplied: 0, removed: 0, mended: 0 };
  return { ...none, lookAgain: false, trouble };
}

/** What was forgotten is nobody's, unless somebody asked for it again. */
function withoutForgotten(reading: Known, { forgotten, actions }: RepairOptions): Known {
  if (forgotten.size === 0) return reading;
  const held = new Set(actions.map(({ target }) => target.text));
  const left = (text: string): boolean => forgotten.has(text) && !held.has(text);
  return { ...reading, effects: reading.effects.filter(({ target }) => !left(target.text)) };
}

function lackingContainers(carrier: Carrier, reading: Known, { verdicts }: Difference): string[] {
  const needed = new Set<string>();
  for (const { action, state, preExisting } of verdicts) {
    const name = carrier.driver.container(action.target);
    if (state === 'active' && !preExisting && name !== undefined) needed.add(name);
  }
  return [...needed].filter((name) => !reading.containers.includes(name));
}

/** Containers and effects at once, if the driver can: each process more is a time without them. */
async function putBack(
  carrier: Carrier,
  reading: Known,
  lacking: readonly string[],
  { repairs }: Difference,
  now: number,
): Promise<{ readonly mendTrouble: string | undefined; readonly applied: readonly Carried[] }> {
  const effects = repairs.flatMap((one) =>
    one.kind === 'apply' ? [effectOf(one.action, one.endsAt, now, one.standing)] : [],
  );
  const { batchSize } = carrier.driver.traits;
  const [first, rest] = [effects.slice(0, batchSize), effects.slice(batchSize)];
  const rebuilt = first.length === 0 ? undefined : await carrier.rebuild(reading, lacking, first);
  if (rebuilt !== undefined) {
    const { trouble, carried } = rebuilt;
    const others = await inBatches(carrier, rest, carrier.apply);
    return { mendTrouble: trouble, applied: [...carried, ...others] };
  }
  const mendTrouble = await carrier.mend(reading, lacking);
  return { mendTrouble, applied: await inBatches(carrier, effects, carrier.apply) };
}

async function removeSurplus(
  carrier: Carrier,
  { repairs }: Difference,
  adopt: boolean,
): Promise<Carried[]> {
  const effects = repairs.flatMap((one): Effect[] => {
    if (one.kind === 'revert') return [revertOf(one.action)];
    return one.kind === 'orphan' && !adopt ? [one.found] : [];
  });
  return inBatches(carrier, effects, carrier.revert);
}

async function inBatches(
  carrier: Carrier,
  effects: readonly Effect[],
  work: (effects: readonly Effect[]) => Promise<Carried[]>,
): Promise<Carried[]> {
  const { batchSize } = carrier.driver.traits;
  const results: Carried[] = [];
  for (let start = 0; start < effects.length; start += batchSize) {
    results.push(...(await work(effects.slice(start, start + batchSize))));
  }
  return results;
}

/** What came of the repairs, by target. */
interface Came {
  readonly failed: ReadonlyMap<string, Carried>;
  /** Not fit for it, and nothing was ever made of it: that is the end of it, not a trouble. */
  readonly refused: ReadonlyMap<string, Carried>;
  readonly foreign: ReadonlySet<string>;
}

/** An agent that died before it had looked leaves what is refused to the next one. */
function troublesOf(
  carried: readonly Carried[],
  actions: readonly Action[],
): Pick<Came, 'failed' | 'refused'> {
  const made = new Set(actions.flatMap(({ memory, target }) => (memory ? target.text : [])));
  const failed = new Map<string, Carried>();
  const refused = new Map<string, Carried>();
  for (const one of carried) {
    const { result, refusal, target } = one;
    if (result !== 'failed' && result !== 'unknown') continue;
    const isOver = refusal !== undefined && !made.has(target.text);
    (isOver ? refused : failed).set(target.text, one);
  }
  return { failed, refused };
}

function settle(
  { verdicts }: Difference,
  { now }: RepairOptions,
  { failed, refused, foreign }: Came,
  mendTrouble: string | undefined,
): Pick<Repaired, 'changes' | 'ended'> {
  const changes: Change[] = [];
  const ended: Action[] = [];
  for (const { action, ...verdict } of verdicts) {
    const { id } = action;
    const why = failed.get(action.target.text)?.why;
    if (verdict.state === 'reverted') {
      if (why === undefined) {
        changes.push({ id, state: 'reverted' });
        ended.push({ ...action, state: 'reverted' });
      } else {
        const dueAt = now + pauseMs(action.attempts);
        changes.push({ id, state: 'reverting', trouble: why, dueAt, triedAgain: true });
      }
      continue;
    }
    const refusal = refused.get(action.target.text);
    if (refusal !== undefined) {
      changes.push({ id, state: 'failed', trouble: refusal.why });
      continue;
    }
    const trouble = why ?? (verdict.preExisting ? undefined : mendTrouble);
    const preExisting = verdict.preExisting || foreign.has(action.target.text);
    if (trouble !== undefined) changes.push({ id, state: 'missing', trouble });
    else if (action.state !== 'active' || action.preExisting !== preExisting) {
      changes.push({ id, state: 'active', preExisting });
    }
  }
  return { changes, ended };
}

function orphanOf(one: Repair): FoundEffect[] {
  return one.kind === 'orphan' ? [one.found] : [];
}
