import type { Plan } from './plan.ts';
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
  readonly ended?: string;
  readonly reason?: string;
  readonly by?: string;
  readonly ruleId?: string;
  readonly alertId?: string;
  readonly dialect: string;
  readonly preExisting: boolean;
  readonly attempts: number;
  readonly trouble?: string;
}

export function describeAction(action: Action): ActionReply {
  const { dialect, by, reason, ruleId, alertId } = action.origin;
  return {
    action: action.id,
    response: action.response,
    target: action.target.text,
    state: action.state,
    driver: action.instance.driver,
    since: new Date(action.createdAt).toISOString(),
    until: action.deadlineAt === undefined ? null : new Date(action.deadlineAt).toISOString(),
    ...(action.endedAt === undefined ? {} : { ended: new Date(action.endedAt).toISOString() }),
    ...(reason === undefined ? {} : { reason }),
    ...(by === undefined ? {} : { by }),
    ...(ruleId === undefined ? {} : { ruleId }),
    ...(alertId === undefined ? {} : { alertId }),
    dialect,
    preExisting: action.preExisting,
    attempts: action.attempts,
    ...(action.trouble === undefined ? {} : { trouble: action.trouble }),
  };
}

/** The members of the reply to an accepted request. */
export function describeOutcome(outcome: Outcome | Plan): object {
  if (outcome.kind === 'plan') {
    const { driver, why, steps } = outcome;
    return { ok: true, dryRun: true, driver, why, steps };
  }
  const { state: _, ...action } = describeAction(outcome.action);
  switch (outcome.kind) {
    case 'active':
      return { ok: true, state: 'active', refreshed: outcome.refreshed, ...action };
    case 'reverted':
      return { ok: true, state: 'reverted', stillHeldBy: outcome.stillHeldBy, ...action };
    case 'forgotten':
      return { ok: true, state: 'forgotten', ...action };
  }
}
