import type { Facts, Memory } from '../../platform/driver.ts';
import { restoreTarget } from '../../platform/target.ts';
import type { Action, ActionState, Instance, Origin } from '../words.ts';
import { isOver } from './settle.ts';

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

const states: ReadonlySet<string> = new Set<ActionState>([
  'intended',
  'active',
  'missing',
  'reverting',
  'reverted',
  'failed',
  'forgotten',
  'done',
]);

/** Whether a row can be what was once written; one whose page is damaged can hold anything. */
export function isSoundRow(row: Row): boolean {
  const { id, response, target, instance, state, created_at, ended_at, origin, kind } = row;
  const numbers = [id, instance, created_at, row.pre_existing, row.attempts];
  const times = [row.deadline_at, row.due_at, ended_at];
  const texts = [row.manager_line, row.trouble];
  return (
    numbers.every(Number.isSafeInteger) &&
    times.every((time) => time === null || Number.isSafeInteger(time)) &&
    texts.every((text) => text === null || typeof text === 'string') &&
    typeof response === 'string' &&
    states.has(state) &&
    isOver(state) === (ended_at !== null) &&
    isJson(origin, (value) => typeof value['dialect'] === 'string') &&
    (row.memory === null || isJson(row.memory)) &&
    (row.facts === null || isJson(row.facts)) &&
    typeof target === 'string' &&
    restoreTarget(kind, target)?.text === target
  );
}

function isJson(text: unknown, fits = (_: Record<string, unknown>): boolean => true): boolean {
  if (typeof text !== 'string') return false;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && fits(value as Record<string, unknown>);
  } catch {
    return false;
  }
}
