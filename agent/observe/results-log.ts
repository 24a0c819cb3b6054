/**
 * The results log: what came of each request, and of what is held later, one JSON object a line, for
 * machines. A manager's agent reads it as JSON, and its rules find the members as `ar_exec.result`
 * and so on. docs/logs.md explains each; names and meanings stay.
 */
import { hideAddresses } from './hide-addresses.ts';
import { createLineFile } from './line-file.ts';

/**
 * - `applied`, `refreshed`: in force, newly or already before
 * - `done`, `waiting`: a one-shot that was carried out, or is tried again later
 * - `refused`, `failed`: not done; not even tried, or tried in vain
 * - `reverted`, `expired`, `forgotten`: over; by a request, by its end, or given up by a person
 * - `repaired`: what differed from the journal was put right
 * - `released`: taken back because it must never be blocked
 * - `suspended`, `resumed`: what alerts ask for anew is refused, all of it; it is not any more
 */
export type ResultKind =
  | 'applied'
  | 'refreshed'
  | 'done'
  | 'waiting'
  | 'refused'
  | 'failed'
  | 'reverted'
  | 'expired'
  | 'forgotten'
  | 'repaired'
  | 'released'
  | 'suspended'
  | 'resumed';

/** Its members in the order in which they are written; times in ISO 8601, UTC. */
export interface Result {
  readonly result: ResultKind;
  /** What was to be done. */
  readonly verb: 'add' | 'delete' | 'repair' | 'breaker';
  readonly response?: string | undefined;
  readonly target?: string | undefined;
  /** The target again, if it is an address. */
  readonly srcip?: string | undefined;
  /** The target again, if it is an account. */
  readonly user?: string | undefined;
  readonly driver?: string | undefined;
  /** The number by which `ar-exec list` has it. */
  readonly action?: number | undefined;
  /** Absent: held until it is deleted. */
  readonly until?: string | undefined;
  readonly next_try?: string | undefined;
  readonly pre_existing?: true | undefined;
  /** Names of responses, with commas between them. */
  readonly still_held_by?: string | undefined;
  /** Of docs/errors.md. */
  readonly code?: string | undefined;
  /** Why it was not done, or what went wrong besides. */
  readonly reason?: string | undefined;
  readonly dialect?: string | undefined;
  readonly by?: string | undefined;
  /** What it was asked for: the rule's description, or the words of a person. */
  readonly cause?: string | undefined;
  readonly rule_id?: string | undefined;
  readonly alert_id?: string | undefined;
  /** How many effects a repair put back, took away, left standing and wrote down as found. */
  readonly reapplied?: number | undefined;
  readonly removed?: number | undefined;
  readonly adopted?: number | undefined;
  /** How many requests were refused while the breaker was open. */
  readonly refused?: number | undefined;
}

export interface ResultsLog {
  record(result: Result): void;
  /** Resolves when all that was handed over is written, or cannot be. */
  flush(): Promise<void>;
}

export function createResultsLog(file: string, onTrouble: (error: unknown) => void): ResultsLog {
  const { append, flush } = createLineFile(file, onTrouble);
  return { record: (result) => append(resultLine(result, new Date())), flush };
}

/** A line break within a text cannot end it: JSON escapes them. */
export function resultLine(result: Result, at: Date): string {
  const { target, reason, by, cause } = result;
  const shown = {
    time: at.toISOString(),
    ...result,
    target: seen(target),
    reason: seen(reason),
    by: seen(by),
    cause: seen(cause),
  };
  return `${JSON.stringify({ ar_exec: shown })}\n`;
}

/** What a stranger wrote is of any length, and what a tool said can have the address of a webhook. */
function seen(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const short = text.length > 1_024 ? `${text.slice(0, 1_023)}…` : text;
  return short.includes('/') ? String(hideAddresses(short)) : short;
}
