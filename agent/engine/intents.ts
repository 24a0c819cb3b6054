import type { Effect } from '../../platform/driver.ts';
import type { Target } from '../../platform/target.ts';
import { ArError, type ErrorCode } from '../errors.ts';
import type { Action, Change, Intent, Outcome } from '../words.ts';
import { pauseMs } from './backoff.ts';
import type { Carried } from './carried.ts';
import type { Carrier } from './carry-out.ts';
import { HeldElsewhere } from './elsewhere.ts';

/** What became of one intent: what to write down, and what to answer. */
export interface Carriage {
  readonly change?: Change;
  readonly outcome: Outcome | ArError | HeldElsewhere;
}

type Apply = Extract<Intent, { kind: 'apply' }>;
type Revert = Extract<Intent, { kind: 'revert' }>;

/** Carries out one batch; no two of its intents have the same target. Answers in their order. */
export async function carryOutIntents(
  carrier: Carrier,
  intents: readonly Intent[],
  now: number,
): Promise<Carriage[]> {
  const applies = intents.filter((intent) => intent.kind === 'apply');
  const reverts = intents.filter((intent) => intent.kind === 'revert');
  const carried = new Map<string, Carried>();
  const keep = (results: readonly Carried[]): void => {
    for (const one of results) carried.set(one.target.text, one);
  };
  if (applies.length > 0) keep(await applyAll(carrier, applies, now));
  if (carrier.driver.traits.comesBack === true) keep(await makeAgain(carrier, intents));
  if (reverts.length > 0) {
    keep(await carrier.revert(reverts.map(({ action }) => revertOf(action))));
  }
  return intents.map((intent) => judge(intent, carried.get(intent.order.target.text), now));
}

async function applyAll(
  carrier: Carrier,
  applies: readonly Apply[],
  now: number,
): Promise<Carried[]> {
  const standing = new Set<string>();
  for (const { standing: stands, order } of applies) if (stands) standing.add(order.target.text);
  if (applies.some(({ uncertain }) => uncertain)) {
    const reading = await carrier.inspect();
    if (!reading.known) {
      return applies.map(({ order }) => ({
        target: order.target,
        result: 'unknown',
        failure: 'exit',
        why: reading.why,
      }));
    }
    for (const { target, partial } of reading.effects) {
      if (partial !== true) standing.add(target.text);
    }
  }
  const { selfExpiring, unmarked } = carrier.driver.traits;
  const effects: Effect[] = [];
  const done: Carried[] = [];
  for (const { action, endsAt } of applies) {
    const { target } = action;
    const stands = standing.has(target.text);
    // Without marks, what somebody else made is among what was found.
    if (stands && unmarked === true && action.preExisting) {
      done.push({ target, result: 'pre-existing' });
      continue;
    }
    // What stands and does not expire by itself is as it should be.
    const isOurs = unmarked !== true || action.memory !== undefined;
    if (stands && !selfExpiring && isOurs) done.push({ target, result: 'done' });
    // What somebody else had done and has undone since is looked at anew.
    else if (unmarked === true && action.preExisting) {
      effects.push(effectOf({ target, facts: action.facts }, endsAt, now, stands));
    } else effects.push(effectOf(action, endsAt, now, stands));
  }
  return effects.length === 0 ? done : [...done, ...(await carrier.apply(effects))];
}

/** For what stands already: is there something to be made again? Nothing there is as it should be. */
async function makeAgain(carrier: Carrier, intents: readonly Intent[]): Promise<Carried[]> {
  const standing = intents.filter(
    (intent) => intent.kind === 'keep' || (intent.kind === 'apply' && intent.standing),
  );
  if (standing.length === 0) return [];
  const effects = standing.map(({ order: { target, facts } }) => ({ target, facts }));
  const carried = await carrier.apply(effects);
  return carried.map((one) =>
    one.refusal === 'absent' ? { target: one.target, result: 'done' as const } : one,
  );
}

/** The targets of effects that did not stand before and do now, made by us. */
export function newlyMade(
  intents: readonly Intent[],
  outcomes: readonly (Outcome | Error)[],
): Target[] {
  return intents.flatMap((intent, index) => {
    const outcome = outcomes[index];
    const isNew = intent.kind === 'apply' && intent.isNew && !intent.standing;
    if (!isNew || outcome === undefined || outcome instanceof Error) return [];
    return outcome.kind === 'active' && !outcome.action.preExisting ? [intent.order.target] : [];
  });
}

/** `endsAt` in milliseconds since 1970; absent = until it is taken back. */
export function effectOf(
  { target, memory, facts }: Pick<Action, 'target' | 'memory' | 'facts'>,
  endsAt: number | undefined,
  now: number,
  standing: boolean,
): Effect {
  const expiresInMs = endsAt === undefined ? undefined : Math.max(1, endsAt - now);
  return { target, expiresInMs, standing, memory, facts };
}

export function revertOf({ target, memory, facts }: Action): Effect {
  return { target, memory, facts };
}

function judge(intent: Intent, carried: Carried | undefined, now: number): Carriage {
  switch (intent.kind) {
    case 'absent':
      return { outcome: notHeld(intent) };
    case 'elsewhere':
      return { outcome: new HeldElsewhere(intent.action.instance) };
    case 'keep':
      if (carried?.result === 'failed' || carried?.result === 'unknown') {
        const why = `${intent.action.target.text} is held, and is there again: ${carried.why}`;
        return { outcome: driverError(carried, why, 'What is held stays held.') };
      }
      return { outcome: { kind: 'active', action: intent.action, refreshed: true } };
    case 'release':
      return release(intent.action, intent.order.forget === true, intent.heldBy);
    case 'apply':
      return carried === undefined ? lost() : judgeApply(intent, carried, now);
    case 'revert':
      return carried === undefined ? lost() : judgeRevert(intent, carried, now);
  }
}

function release(action: Action, forget: boolean, heldBy: readonly string[]): Carriage {
  const state = forget ? 'forgotten' : 'reverted';
  const ended: Action = { ...action, state };
  return {
    change: { id: action.id, state },
    outcome: forget
      ? { kind: 'forgotten', action: ended }
      : { kind: 'reverted', action: ended, stillHeldBy: heldBy },
  };
}

function judgeApply(intent: Apply, carried: Carried, now: number): Carriage {
  const { action, refreshed } = intent;
  if (carried.result === 'done' || carried.result === 'pre-existing') {
    const preExisting = carried.result === 'pre-existing';
    const trouble = carried.why;
    const active: Action = { ...action, state: 'active', preExisting, trouble };
    return {
      change: { id: action.id, state: 'active', preExisting, trouble },
      outcome: { kind: 'active', action: active, refreshed },
    };
  }
  const trouble = carried.why ?? 'no reason given';
  const settled = carried.result === 'failed';
  // What was held before goes on being wanted; what is new and did not come about is over.
  const state = !intent.isNew ? 'missing' : settled ? 'failed' : 'reverting';
  const after = !intent.isNew
    ? 'It was held before: the agent goes on trying, see "ar-exec status".'
    : settled
      ? 'Nothing was changed.'
      : 'The agent takes back what may stand of it, see "ar-exec status".';
  return {
    change: { id: action.id, state, trouble, dueAt: now + pauseMs(0) },
    outcome: driverError(carried, `${action.target.text} is not enforced: ${trouble}`, after),
  };
}

function judgeRevert(intent: Revert, carried: Carried, now: number): Carriage {
  const { action } = intent;
  if (carried.result === 'done') {
    const trouble = carried.why;
    const ended: Action = { ...action, state: 'reverted', trouble };
    return {
      change: { id: action.id, state: 'reverted', trouble },
      outcome: { kind: 'reverted', action: ended, stillHeldBy: [] },
    };
  }
  const trouble = carried.why ?? 'no reason given';
  const dueAt = now + pauseMs(action.attempts);
  return {
    change: { id: action.id, state: 'reverting', trouble, dueAt, triedAgain: true },
    outcome: driverError(
      carried,
      `${action.target.text} may still be in force: ${trouble}`,
      'It is tried again until it succeeds, see "ar-exec status".',
    ),
  };
}

function driverError(carried: Carried, message: string, hint: string): ArError {
  const refusals = {
    absent: 'target-absent',
    protected: 'target-protected',
    changed: 'target-changed',
  } as const;
  if (carried.refusal !== undefined) {
    const why = `${carried.target.text} ${carried.why ?? ''}`;
    return new ArError(refusals[carried.refusal], why, 'Nothing was changed.');
  }
  const codes: Partial<Record<string, ErrorCode>> = {
    timeout: 'driver-timeout',
    missing: 'driver-unavailable',
  };
  return new ArError(codes[carried.failure ?? ''] ?? 'driver-failed', message, hint);
}

function notHeld({ order }: Extract<Intent, { kind: 'absent' }>): ArError {
  return new ArError(
    'not-held',
    `${order.response} holds nothing for ${order.target.text}`,
    'Nothing was changed. "ar-exec list" shows what is held.',
  );
}

function lost(): Carriage {
  return {
    outcome: new ArError('internal', 'a batch lost one of its effects', 'Please report it.'),
  };
}
