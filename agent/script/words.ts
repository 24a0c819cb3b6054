/**
 * The arguments of OSSEC's scripts and of Wazuh's until 4.1:
 * `add|delete user ip alert-id rule-id location file-name extra…`, `-` for what is not known
 * (OSSEC source: src/analysisd/alerts/exec.c; Wazuh documentation 3.9, "remediation-faq").
 */
import type { System } from '../../platform/system.ts';
import { grammarOf, parseTarget } from '../../platform/target.ts';
import { currentSystem } from '../config/default-paths.ts';
import { alertOf, type Command, extraArgsOf, type Subject } from './message.ts';
import type { Script } from './settings.ts';

/**
 * An address and a user are written as they were checked, and `-` where they are no such thing. No
 * other word that comes from an alert begins with `-`: a tool could take it for an option.
 */
export function wordsOf(
  script: Script,
  subject: Subject,
  command: Command,
  system = currentSystem(),
): string[] {
  const alert = alertOf(subject);
  const { srcip, user } = subject.facts ?? {};
  return [
    command,
    // As it is: a name with a space in it, which Windows has, would be somebody else's without.
    (user === undefined ? undefined : accountWord(user, system)) ?? '-',
    orNothing(srcip === undefined ? undefined : parseTarget(srcip)?.text),
    orNothing(textAt(alert, 'id')),
    orNothing(textAt(alert, 'rule', 'id')),
    ...locationWords(alert).map(orNothing),
    orNothing(textAt(alert, 'syscheck', 'path')),
    // These come from a configuration, which may well mean an option.
    ...extraArgsOf(script, subject).map(oneWord),
  ];
}

/** What a request must not hold for a script that takes arguments, as a sentence; it is refused. */
export function unfitForWords(
  { srcip, user }: { srcip?: string | undefined; user?: string | undefined },
  system = currentSystem(),
): string | undefined {
  if (srcip !== undefined && parseTarget(srcip) === undefined) return 'its srcip is no address';
  if (user !== undefined && accountWord(user, system) === undefined) {
    return 'its user is no login name, or begins as an option does';
  }
  return undefined;
}

/** The name of an account as its system spells it, if it can be told as a word. */
function accountWord(user: string, system: System): string | undefined {
  const name = grammarOf(system).user(user)?.text;
  // PowerShell takes the longer dashes for the short one.
  return name === undefined || /^[-\u2013-\u2015]/.test(name) ? undefined : name;
}

/** An agent's event: `(name) any->/file`, in two words as a space stands in it; else `host->/file`. */
function locationWords(alert: unknown): string[] {
  const location = textAt(alert, 'location');
  if (location === undefined) return ['-'];
  const id = textAt(alert, 'agent', 'id');
  const name = textAt(alert, 'agent', 'name');
  if (name === undefined) return [location];
  if (id === undefined || Number(id) === 0) return [`${name}->${location}`];
  return [`(${name})`, `${textAt(alert, 'agent', 'ip') ?? 'any'}->${location}`];
}

function orNothing(text: string | undefined): string {
  const word = oneWord(text ?? '-');
  return word === '' || word.startsWith('-') ? '-' : word;
}

/** Spaces separate the words upstream, so none has any. The kernel ends a word at a zero byte. */
function oneWord(text: string): string {
  return text.toWellFormed().replace(/[\s\p{Cc}]+/gu, '_');
}

function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  let found: unknown = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name))
      return undefined;
    found = (found as Record<string, unknown>)[name];
  }
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined;
}
