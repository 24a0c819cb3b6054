import type { FoundEffect, Reading, Traits } from '../../platform/driver.ts';
import type { Target } from '../../platform/target.ts';
import type { Action } from '../words.ts';

/** The end that the machine has may differ by this much from ours: it counts in whole seconds. */
const expiryToleranceMs = 5_000;

/** What has to be done so that journal and machine agree, by target. */
export type Repair =
  /** Should stand and does not, or ends at another time. */
  | {
      readonly kind: 'apply';
      readonly target: Target;
      readonly action: Action;
      readonly endsAt?: number;
      readonly standing: boolean;
    }
  /** Stands and should not, or stands twice. */
  | {
      readonly kind: 'revert';
      readonly target: Target;
      readonly action: Action;
      readonly surplus: boolean;
    }
  /** Stands, is ours by its marks, and no action explains it. */
  | { readonly kind: 'orphan'; readonly target: Target; readonly found: FoundEffect };

/** How one action is to be recorded once the repair of its target went well. */
export interface Verdict {
  readonly action: Action;
  readonly state: 'active' | 'reverted';
  readonly preExisting: boolean;
}

export interface Difference {
  readonly repairs: readonly Repair[];
  readonly verdicts: readonly Verdict[];
}

type Known = Extract<Reading, { known: true }>;

/**
 * Compares what the journal says (live actions of one driver instance) with what the machine holds.
 * Pure: `now` is given. Effects that stand as they should appear in `verdicts` alone.
 */
export function difference(
  actions: readonly Action[],
  reading: Known,
  traits: Traits,
  now: number,
): Difference {
  const repairs: Repair[] = [];
  const verdicts: Verdict[] = [];
  const found = Map.groupBy(reading.effects, ({ target }) => target.text);
  const foreign = new Set(reading.foreign.map((target) => target.text));
  const held = Map.groupBy(actions, ({ target }) => target.text);

  for (const [text, holders] of held) {
    const [first] = holders;
    if (first === undefined) continue;
    const { target } = first;
    const holder = withMemory(holders) ?? first;
    const staying = holders.filter((action) => stays(action, now));
    const here = found.get(text) ?? [];
    // What was done by somebody else before us looks like ours where there are no marks.
    const preExisting =
      traits.unmarked === true && here.length > 0
        ? wasOthers(holders) || holder.memory === undefined
        : here.length === 0 && (foreign.has(text) || reading.isCovered?.(target) === true);
    for (const action of holders) {
      const state = staying.includes(action) ? 'active' : 'reverted';
      verdicts.push({ action, state, preExisting: state === 'active' && preExisting });
    }
    if (staying.length === 0) {
      // A part of ours can be left that does not show, where there are no marks.
      const mayBeLeft =
        traits.unmarked === true && holder.memory !== undefined && !wasOthers(holders);
      if ((here.length > 0 && !preExisting) || mayBeLeft) {
        repairs.push({ kind: 'revert', target, action: holder, surplus: false });
      }
      continue;
    }
    const endsAt = lastEnd(staying);
    const [one] = here;
    if (one === undefined || one.partial === true) {
      if (!preExisting) {
        const action = wasOthers(staying) ? withoutMemory(holder) : holder;
        repairs.push({ kind: 'apply', target, action, standing: false, ...ends(endsAt) });
      }
    } else if (!preExisting && traits.selfExpiring && !endsAsWanted(one, endsAt, traits, now)) {
      repairs.push({ kind: 'apply', target, action: holder, standing: true, ...ends(endsAt) });
    }
    if (here.length > 1) {
      repairs.push({ kind: 'revert', target, action: holder, surplus: true });
    }
  }
  for (const [text, here] of found) {
    const [one] = here;
    if (one !== undefined && !held.has(text) && traits.unmarked !== true) {
      repairs.push({ kind: 'orphan', target: one.target, found: one });
    }
  }
  return { repairs, verdicts };
}

function withMemory(actions: readonly Action[]): Action | undefined {
  return actions.find(({ memory }) => memory !== undefined);
}

/** What somebody else had done and has undone since is looked at anew before it is done by us. */
function wasOthers(actions: readonly Action[]): boolean {
  return actions.some(({ preExisting }) => preExisting);
}

function withoutMemory({ memory: _memory, ...action }: Action): Action {
  return action;
}

function stays(action: Action, now: number): boolean {
  if (action.state === 'reverting') return false;
  return action.deadlineAt === undefined || action.deadlineAt > now;
}

function lastEnd(actions: readonly Action[]): number | undefined {
  let end = 0;
  for (const { deadlineAt } of actions) {
    if (deadlineAt === undefined) return undefined;
    end = Math.max(end, deadlineAt);
  }
  return end;
}

function ends(endsAt: number | undefined): { endsAt?: number } {
  return endsAt === undefined ? {} : { endsAt };
}

function endsAsWanted(
  found: FoundEffect,
  endsAt: number | undefined,
  traits: Traits,
  now: number,
): boolean {
  const longest = traits.longestExpiryMs ?? Number.POSITIVE_INFINITY;
  if (endsAt === undefined) return found.expiresInMs === undefined;
  if (found.expiresInMs === undefined) return false;
  const wanted = endsAt - now;
  // A clamped expiry runs down long before the deadline: it is set again when half of it is gone.
  if (wanted > longest) return found.expiresInMs > longest / 2;
  return Math.abs(found.expiresInMs - wanted) <= expiryToleranceMs;
}
