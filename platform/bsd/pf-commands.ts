/** The words that pfctl(8) is told, and what of pf is ours. */
import type { Settings } from '../driver.ts';
import type { CommandStep, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';

export interface Place {
  /** The anchor that the table is in; empty: the main ruleset. */
  readonly anchor: string;
  readonly table: string;
  /** Anchor, rules and table are ours; otherwise they are the administrator's, and only filled. */
  readonly ours: boolean;
  /** Where the token of the reference is kept that keeps pf enabled (macOS); empty: pf is left as it is. */
  readonly token: string;
}

export const ownTable = 'ar_exec';

export function placeOf(settings: Settings): Place {
  const { anchor = 'ar-exec', table = ownTable, rules = 'ours', token = '' } = settings;
  return { anchor, table, ours: rules === 'ours', token };
}

export function pfctl(args: readonly string[], stdin?: string): CommandStep {
  const step = { kind: 'command', tool: 'pfctl', args } as const;
  return stdin === undefined ? step : { ...step, stdin };
}

/** Option `-a`, which must not be empty (OpenBSD, FreeBSD 15), or is the main ruleset (FreeBSD 13). */
export function inAnchor({ anchor }: Place): string[] {
  return anchor === '' ? [] : ['-a', anchor];
}

/**
 * As pfctl prints them. `quick`, or a later `pass` would win; both directions, or this machine could
 * still begin a connection, whose state then lets the answers in.
 */
export function ownRules({ table }: Place): string[] {
  return [
    `block drop in quick from <${table}> to any`,
    `block drop out quick from any to <${table}>`,
  ];
}

/**
 * Loads our rules into our anchor. A table that is `persist` keeps what is in it when they are loaded
 * again (transcripts pf-states).
 */
export function loadRules(place: Place): CommandStep {
  const lines = [`table <${place.table}> persist`, ...ownRules(place)];
  const stdin = lines.map((line) => `${line}\n`).join('');
  return pfctl(['-q', ...inAnchor(place), '-f', '-'], stdin);
}

/** pfctl takes all of its input or nothing: one element that it does not take fails the whole. */
export function changeTable(
  place: Place,
  command: 'add' | 'delete',
  targets: readonly AddressTarget[],
): CommandStep {
  const stdin = targets.map(({ text }) => `${text}\n`).join('');
  return pfctl(['-q', ...inAnchor(place), '-t', place.table, '-T', command, '-f', '-'], stdin);
}

/** What a step said of its failure, in a few words; chatter before it is passed over. */
export function said({ failure, stderr }: StepResult): string {
  if (failure === 'missing') return 'pfctl is not installed';
  const lines = stderr.split('\n').filter((line) => line !== '' && !/ALTQ/.test(line));
  const line = lines.find((one) => one.startsWith('pfctl: ')) ?? lines[0];
  return line ?? failure ?? 'no answer';
}

/** Only this says whether it went wrong: what is on stderr need not be about a failure. */
export function worked(
  result: StepResult | undefined,
): result is StepResult & { readonly failure?: never } {
  return result !== undefined && result.failure === undefined;
}
