/** The words that `netsh advfirewall firewall` is told, and what of the firewall is ours. */
import type { CommandStep } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import type { Direction } from './firewall-rules.ts';

/** One command of netsh, as its words. */
export type NetshCommand = readonly string[];

const context = ['advfirewall', 'firewall'];
const description = 'Made and looked after by ar-exec';

/**
 * `action` stands last and is wanted: of a line that was cut short nothing is made. A list must never
 * be empty, which means any address there is.
 */
export function addRule(
  name: string,
  direction: Direction,
  targets: readonly AddressTarget[],
): NetshCommand {
  const words = [`name=${name}`, `description=${description}`, `dir=${direction}`, list(targets)];
  return [...context, 'add', 'rule', ...words, 'action=block'];
}

/** Only as an argument vector: cut short it would still be a command, and name somebody else. */
export function setAddresses(
  name: string,
  direction: Direction,
  targets: readonly AddressTarget[],
): NetshCommand {
  const found = [`name=${name}`, `dir=${direction}`];
  return [...context, 'set', 'rule', ...found, 'new', list(targets)];
}

/** Both directions. */
export function deleteRules(name: string): NetshCommand {
  return [...context, 'delete', 'rule', `name=${name}`];
}

function list(targets: readonly AddressTarget[]): string {
  if (targets.length === 0) throw new Error('a rule without an address would block every address');
  return `remoteip=${targets.map(({ text }) => text).join(',')}`;
}

/** A process for each; the first that fails is the last that runs. */
export function oneByOne(commands: readonly NetshCommand[]): CommandStep[] {
  return commands.map((args) => ({
    kind: 'command',
    tool: 'netsh',
    args,
    complainsFirst: true,
  }));
}

/**
 * All of them in one process, which reads them as a person would type them. It goes on after a command
 * that failed, and its status tells nothing: they must not depend on each other.
 */
export function inOneProcess(commands: readonly NetshCommand[]): CommandStep {
  const lines = [...commands.map((words) => words.map(quoted).join(' ')), 'exit'];
  const stdin = lines.map((line) => `${line}\r\n`).join('');
  return { kind: 'command', tool: 'netsh', args: [], stdin, deadlineMs: 60_000 };
}

/** No word of ours has a quotation mark in it. */
function quoted(word: string): string {
  if (!word.includes(' ')) return word;
  const at = word.indexOf('=') + 1;
  return `${word.slice(0, at)}"${word.slice(at)}"`;
}
