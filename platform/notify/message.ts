/** What a notification says, before it has the form that somebody's service wants. */
import type { Facts } from '../driver.ts';

export interface Message {
  /** One line. */
  readonly title: string;
  /** Any number of lines; empty when there is nothing to add to the title. */
  readonly text: string;
  readonly level: number | undefined;
  /** Upstream's classes: up to 4, up to 7, above (wazuh-slack). No level counts as the lowest. */
  readonly severity: 'good' | 'warning' | 'danger';
  /** Names and values, each one line. The first ones are those that upstream sends. */
  readonly fields: readonly (readonly [string, string])[];
  /** When the alert came about, in milliseconds since 1970. */
  readonly at: number | undefined;
  /** How many other alerts it stands for, and which. */
  readonly more: number;
  readonly moreText: string;
}

/** So many kinds of other alerts are named. */
const kindsNamed = 5;
const longestText = 3_000;

/** `also` are the facts of others that are told by the same message; `host` is this machine. */
export function messageOf(facts: Facts, also: readonly Facts[], host: string): Message {
  const { level, alertAt, alertId } = facts;
  return {
    title: titleOf(facts),
    text: cut(lines(facts.text ?? ''), longestText),
    level,
    severity: level === undefined || level <= 4 ? 'good' : level <= 7 ? 'warning' : 'danger',
    fields: fieldsOf(facts, host),
    at: alertAt ?? timeIn(alertId),
    more: also.length,
    moreText: also.length === 0 ? '' : summaryOf(also),
  };
}

/** Text and summary together, each where there is one. */
export function bodyOf({ text, moreText }: Message): string {
  return [text, moreText].filter((part) => part !== '').join('\n\n');
}

/** At most so many code points, the last of them a sign that something is missing. */
export function cut(text: string, longest: number): string {
  if (text.length <= longest) return text;
  const points = [...text];
  return points.length <= longest ? text : `${points.slice(0, longest - 1).join('')}…`;
}

/** The same for services that count UTF-16 code units. */
export function cutUnits(text: string, longest: number): string {
  return text.length <= longest ? text : `${text.slice(0, longest - 1).toWellFormed()}…`;
}

function titleOf({ title, text, ruleId }: Facts): string {
  const first = oneLine(title ?? '') || oneLine(beginning(text ?? ''));
  const rule = oneLine(ruleId ?? '');
  return cut(first || (rule === '' ? 'An alert without a title' : `Rule ${rule}`), 250);
}

/** The first line that says something; many alerts can be told at once, and all be long. */
function beginning(text: string): string {
  return lines(text.slice(0, 300)).split('\n', 1)[0] ?? '';
}

function fieldsOf(facts: Facts, host: string): [string, string][] {
  const { agentId, agentName, location, ruleId, level, srcip, user } = facts;
  const agent =
    agentId === undefined && agentName === undefined
      ? undefined
      : `(${agentId ?? 'N/A'}) - ${agentName ?? 'N/A'}`;
  const rule = ruleId === undefined ? undefined : `${ruleId} (level ${level ?? 'N/A'})`;
  const byHand = ruleId === undefined ? level : undefined;
  const found: [string, string | undefined][] = [
    ['Agent', agent],
    ['Location', location],
    ['Rule ID', rule],
    ['Level', byHand?.toString()],
    ['Address', srcip],
    ['User', user],
    ['Told by', host],
  ];
  return found.flatMap(([name, value]) => {
    const line = oneLine(value ?? '');
    return line === '' ? [] : [[name, cut(line, 250)]];
  });
}

/** The most frequent titles first. */
function summaryOf(also: readonly Facts[]): string {
  const counts = new Map<string, number>();
  for (const facts of also) {
    const title = cut(titleOf(facts), 100);
    counts.set(title, (counts.get(title) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  const named = sorted.slice(0, kindsNamed).map(([title, count]) => `${count} × ${title}`);
  const rest = sorted.length - named.length;
  const others = rest === 0 ? [] : [`and ${rest} other kind${rest === 1 ? '' : 's'}`];
  return [`and ${also.length} more:`, ...named, ...others].join('\n');
}

/** An id of analysisd begins with the time in seconds (`1609869.80794`). */
function timeIn(alertId: string | undefined): number | undefined {
  const seconds = /^(\d{9,11})\.\d+$/.exec(alertId ?? '')?.[1];
  return seconds === undefined ? undefined : Number(seconds) * 1_000;
}

/**
 * Data of a stranger as text: no control characters, nothing that turns the direction of writing, no
 * halves of characters.
 */
function lines(text: string): string {
  return text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
    .trim();
}

export function oneLine(text: string): string {
  return lines(text).replace(/\s+/g, ' ').trim();
}
