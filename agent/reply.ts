import type { Plan } from './desk/plan.ts';
import type { BreakerState } from './policy/breaker.ts';
import type { Action, Outcome } from './words.ts';

/** What is told of an action, on the socket and by `--json`. Times in ISO 8601, UTC. */
export interface ActionReply {
  readonly action: number;
  readonly response: string;
  readonly target: string;
  readonly state: Action['state'];
  readonly driver: string;
  readonly since: string;
  /** null: held until it is deleted. */
  readonly until: string | null;
  readonly ended?: string | undefined;
  readonly reason?: string | undefined;
  readonly by?: string | undefined;
  readonly ruleId?: string | undefined;
  readonly alertId?: string | undefined;
  readonly dialect: string;
  readonly preExisting: boolean;
  readonly attempts: number;
  readonly trouble?: string | undefined;
  /** How often its target has set it off, where repeated offenders get it for longer. */
  readonly offence?: number | undefined;
}

export function describeAction(action: Action): ActionReply {
  const { origin } = action;
  return {
    action: action.id,
    response: action.response,
    target: action.target.text,
    state: action.state,
    driver: action.instance.driver,
    since: iso(action.createdAt),
    until: action.deadlineAt === undefined ? null : iso(action.deadlineAt),
    ended: action.endedAt === undefined ? undefined : iso(action.endedAt),
    reason: origin.reason,
    by: origin.by,
    ruleId: origin.ruleId,
    alertId: origin.alertId,
    dialect: origin.dialect,
    preExisting: action.preExisting,
    attempts: action.attempts,
    trouble: action.trouble,
  };
}

/** The reply to an accepted request: what is true now. `ar-exec list` tells the rest of an action. */
export interface OutcomeReply {
  readonly ok: true;
  readonly state: Action['state'];
  readonly action: number;
  readonly response: string;
  readonly target: string;
  readonly driver: string;
  readonly since: string;
  readonly until: string | null;
  /** A one-shot that did not come about yet: when it is tried again. */
  readonly nextTry?: string | undefined;
  /** What went wrong, though it counts as done or goes on. */
  readonly trouble?: string | undefined;
  /** It was held already, and its end may have moved. */
  readonly refreshed?: boolean | undefined;
  /** Something that is not ours does the same; it is left alone. */
  readonly preExisting?: true | undefined;
  /** Other responses for which the effect stays. */
  readonly stillHeldBy?: readonly string[] | undefined;
}

/** The members of the reply to an accepted request. */
export function describeOutcome(outcome: Outcome | Plan): object {
  if (outcome.kind === 'plan') {
    const { driver, why, steps } = outcome;
    return { ok: true, dryRun: true, driver, why, steps };
  }
  const { action } = outcome;
  return {
    ok: true,
    state: outcome.kind === 'waiting' ? 'intended' : outcome.kind,
    action: action.id,
    response: action.response,
    target: action.target.text,
    driver: action.instance.driver,
    since: iso(action.createdAt),
    until: action.deadlineAt === undefined ? null : iso(action.deadlineAt),
    refreshed: outcome.kind === 'active' ? outcome.refreshed : undefined,
    nextTry: outcome.kind === 'waiting' ? iso(outcome.nextAt) : undefined,
    trouble: action.trouble,
    preExisting: action.preExisting ? true : undefined,
    stillHeldBy: outcome.kind === 'reverted' ? outcome.stillHeldBy : undefined,
  } satisfies OutcomeReply;
}

/** How the breaker is, as `status` and `breaker` tell it. */
export interface BreakerReply {
  readonly open: boolean;
  readonly why?: string | undefined;
  readonly since?: string | undefined;
  /** Requests that were refused since then. */
  readonly refused?: number | undefined;
  readonly lastMinute: number;
  readonly perMinute: number;
  readonly held: number;
}

export function describeBreaker({ settings, ...state }: BreakerState): BreakerReply {
  return {
    open: state.open,
    why: state.why,
    since: state.since === undefined ? undefined : iso(state.since),
    refused: state.refused,
    lastMinute: state.lastMinute,
    perMinute: settings.perMinute,
    held: settings.held,
  };
}

/** A batch has few different times, and writing one out costs more than all the rest of a reply. */
const written = new Map<number, string>();

export function iso(time: number): string {
  let text = written.get(time);
  if (text === undefined) {
    if (written.size >= 64) written.clear();
    text = new Date(time).toISOString();
    written.set(time, text);
  }
  return text;
}
