import type { Facts, Memory } from '../../platform/driver.ts';
import { restoreTarget } from '../../platform/target.ts';
import type { Action, ActionState, Instance, Origin } from '../words.ts';

/** A row of the table `actions`, as SQLite gives it. */
export interface Row {
  readonly id: number;
  readonly response: string;
  readonly target: string;
  readonly instance: number;
  readonly state: ActionState;
  readonly created_at: number;
  readonly deadline_at: number | null;
  readonly due_at: number | null;
  readonly ended_at: number | null;
  readonly origin: string;
  readonly manager_line: string | null;
  readonly pre_existing: number;
  readonly attempts: number;
  readonly trouble: string | null;
  readonly kind: string;
  readonly memory: string | null;
  readonly facts: string | null;
}

export function toAction(row: Row, instance: Instance): Action {
  const target = restoreTarget(row.kind, row.target);
  if (target === undefined) throw new Error(`the journal has a ${row.kind} "${row.target}"`);
  return {
    id: row.id,
    response: row.response,
    target,
    instance,
    state: row.state,
    createdAt: row.created_at,
    deadlineAt: row.deadline_at ?? undefined,
    dueAt: row.due_at ?? undefined,
    endedAt: row.ended_at ?? undefined,
    origin: JSON.parse(row.origin) as Origin,
    preExisting: row.pre_existing === 1,
    attempts: row.attempts,
    trouble: row.trouble ?? undefined,
    managerLine: row.manager_line ?? undefined,
    memory: row.memory === null ? undefined : (JSON.parse(row.memory) as Memory),
    facts: row.facts === null ? undefined : (JSON.parse(row.facts) as Facts),
  };
}
