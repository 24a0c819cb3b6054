/** What `ipset` says of sets that somebody else made. */
import type { FoundEffect } from '../driver.ts';
import { parsePrinted } from '../printed.ts';
import type { CommandStep, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { complaint, type Family } from './xtables.ts';

export interface SetName {
  readonly family: Family;
  readonly name: string;
}

/** How a set was made: its type, `inet` or `inet6`, and the words behind them. */
export interface Header {
  readonly type: string;
  readonly family: string;
  readonly options: readonly string[];
}

export interface Entry extends FoundEffect<AddressTarget> {
  readonly comment?: string;
}

export type Saved =
  | { readonly there: true; readonly header: Header; readonly entries: readonly Entry[] }
  | { readonly there: false }
  | { readonly there: 'unknown'; readonly why: string };

/**
 * Asks for the names of all sets and for the content of those named. ipset ends with status 1 for a
 * set that is not there and for every other trouble alike, so the list of names decides.
 */
export function askSaved(names: readonly SetName[]): CommandStep[] {
  const save = ({ name }: SetName): CommandStep => {
    return { kind: 'command', tool: 'ipset', args: ['save', name] };
  };
  return [{ kind: 'command', tool: 'ipset', args: ['list', '-n'] }, ...names.map(save)];
}

/** Understands the answers to `askSaved`, in the order of the names. */
export function readSaved(names: readonly SetName[], results: readonly StepResult[]): Saved[] {
  const [list, ...contents] = results;
  const listed = list?.failure === undefined ? list?.stdout.split('\n') : undefined;
  return names.map((name, index) => {
    const content = contents[index];
    const saved = content?.failure === undefined ? readContent(name, content?.stdout) : undefined;
    if (saved !== undefined) return saved;
    const absent = content?.failure === 'exit' && listed?.includes(name.name) === false;
    if (absent) return { there: false };
    return { there: 'unknown', why: `ipset ${name.name}: ${complaint(content)}` };
  });
}

/** One question can be asked for many targets, and its answer is long. */
const understood = new WeakMap<StepResult, Saved[]>();

/** The same, for who asks again and again about the same answers. */
export function readSavedOnce(names: readonly SetName[], results: readonly StepResult[]): Saved[] {
  const [list] = results;
  const known = list === undefined ? undefined : understood.get(list);
  if (known !== undefined) return known;
  const saved = readSaved(names, results);
  if (list !== undefined) understood.set(list, saved);
  return saved;
}

function readContent({ name, family }: SetName, text = ''): Saved | undefined {
  const [create = '', ...adds] = text.split('\n').filter((line) => line !== '');
  const [word, named, type = '', ...rest] = create.split(' ');
  if (word !== 'create' || named !== name) return undefined;
  const [key, protocol = '', ...options] = rest;
  const header = { type, family: key === 'family' ? protocol : '', options };
  const entries = adds.flatMap((line) => readEntry(name, family, line) ?? []);
  return { there: true, header, entries };
}

/**
 * Undefined for what is no plain entry of the family: a set of another kind, or `nomatch`, which
 * excepts an address from what is blocked.
 */
function readEntry(name: string, family: Family, line: string): Entry | undefined {
  const [, set, text = '', rest = ''] = /^add (\S+) (\S+)(.*)$/.exec(line) ?? [];
  const [, facts = '', comment] = /^(.*?)(?: comment "(.*)")?$/.exec(rest.trimEnd()) ?? [];
  const target = parsePrinted(text);
  if (set !== name || target?.family !== family || / nomatch( |$)/.test(facts)) return undefined;
  const seconds = / timeout (\d+)/.exec(facts)?.[1] ?? '0';
  return {
    target,
    ...(seconds === '0' ? {} : { expiresInMs: Number(seconds) * 1_000 }),
    ...(comment === undefined ? {} : { comment }),
  };
}
