/** `netsh advfirewall`: rules, the profiles' switch, reset. Rules stand in the registry, as the firewall writes them. */
import { readAddresses, writeRule } from './netsh-rule.ts';
import type { Answer, Call, Parts } from './simulator.ts';
import {
  defaultRules,
  firewall,
  profiles,
  registryOf,
  rulesKey,
  type Values,
} from './windows-registry.ts';
import { filled, print, unknown, type Words, wordsOf } from './windows-words.ts';

/** What `add` and `set … new` take. */
const keys = [
  'name',
  'dir',
  'action',
  'program',
  'service',
  'description',
  'enable',
  'profile',
  'localip',
  'remoteip',
  'localport',
  'remoteport',
  'protocol',
  'interfacetype',
  'edge',
  'security',
] as const;
/** What `delete`, and `set` before `new`, find rules by. */
const finding = ['name', 'dir', 'profile', 'program', 'service', 'localip', 'remoteip', 'protocol'];

export type Given = ReadonlyMap<string, string>;

export function firewallCommand(call: Call, args: readonly string[], parts: Parts): Answer {
  const words = wordsOf(call);
  const line = args.join(' ').toLowerCase();
  if (line === '?') return print(0, [filled(words.usage, 'advfirewall')]);
  if (call.switches['limited'] === true) return print(1, [words.elevation, '']);
  if ((call.switches['stopped'] as readonly string[] | undefined)?.includes('mpssvc')) {
    return print(1, ['', words.service, '']);
  }
  if (line === 'reset') return reset(words, parts);
  const state = /^set allprofiles state (on|off)$/.exec(line);
  if (state !== null) return turn(words, parts, state[1] === 'on');
  const [context, verb = '', what, ...rest] = args;
  if (context?.toLowerCase() !== 'firewall' || what?.toLowerCase() !== 'rule') {
    return unknown(`netsh advfirewall ${args.join(' ')}`);
  }
  const values = rulesOf(parts);
  switch (verb.toLowerCase()) {
    case 'add':
      return add(words, values, rest);
    case 'set':
      return set(words, values, rest);
    case 'delete':
      return remove(words, values, rest);
    default:
      return unknown(`netsh advfirewall ${args.join(' ')}`);
  }
}

function rulesOf(parts: Parts): Values {
  const registry = registryOf(parts);
  registry[rulesKey] ??= {};
  return registry[rulesKey];
}

function reset(words: Words, parts: Parts): Answer {
  registryOf(parts)[rulesKey] = defaultRules();
  return print(0, [words.ok, '']);
}

function turn(words: Words, parts: Parts, on: boolean): Answer {
  const registry = registryOf(parts);
  for (const name of profiles) {
    registry[`${firewall}\\${name}`] = {
      ...registry[`${firewall}\\${name}`],
      EnableFirewall: ['REG_DWORD', on ? '0x1' : '0x0'],
    };
  }
  return print(0, [words.ok, '']);
}

function add(words: Words, values: Values, args: readonly string[]): Answer {
  const given = readGiven(words, args, keys);
  if ('exitCode' in given) return given;
  if (!['name', 'dir', 'action'].every((key) => given.has(key))) {
    return failed(words, words.missing, 'add');
  }
  const wrong = wrongValue(words, given);
  if (wrong !== undefined) return failed(words, wrong, 'add');
  values[freeId(values)] = ['REG_SZ', writeRule(given)];
  return print(0, [words.ok, '']);
}

function set(words: Words, values: Values, args: readonly string[]): Answer {
  const at = args.findIndex((word) => word.toLowerCase() === 'new');
  const by = readGiven(words, at === -1 ? args : args.slice(0, at), finding);
  if ('exitCode' in by) return by;
  const changed = readGiven(words, at === -1 ? [] : args.slice(at + 1), keys);
  if ('exitCode' in changed) return changed;
  if (!by.has('name') || changed.size === 0) return failed(words, words.missing, 'set');
  const wrong = wrongValue(words, changed);
  if (wrong !== undefined) return failed(words, wrong, 'set');
  const found = matching(values, by);
  if (found.length === 0) return print(1, ['', words.noMatch, '']);
  for (const id of found) {
    values[id] = ['REG_SZ', writeRule(changed, values[id]?.[1])];
  }
  return print(0, ['', filled(words.updated, found.length), words.ok, '']);
}

/** All that match; of the name `all`, every rule there is. */
function remove(words: Words, values: Values, args: readonly string[]): Answer {
  const by = readGiven(words, args, finding);
  if ('exitCode' in by) return by;
  if (!by.has('name')) return failed(words, words.missing, 'delete');
  const found = matching(values, by);
  if (found.length === 0) return print(1, ['', words.noMatch, '']);
  for (const id of found) delete values[id];
  return print(0, ['', filled(words.deleted, found.length), words.ok, '']);
}

function matching(values: Values, by: Given): string[] {
  return Object.entries(values).flatMap(([id, [, data]]) => {
    const fields = data.split('|').map((field) => field.split('=') as [string, string?]);
    const all = (key: string): string[] =>
      fields.flatMap(([name, value = '']) => (name === key ? [value] : []));
    const [name] = all('Name');
    const wanted = by.get('name')?.toLowerCase();
    const dir = by.get('dir')?.toLowerCase();
    const remote = by.get('remoteip');
    const addresses = [...all('RA4'), ...all('RA6')].sort().join();
    const fits =
      (wanted === 'all' || wanted === name?.toLowerCase()) &&
      (dir === undefined || dir === all('Dir')[0]?.toLowerCase()) &&
      (remote === undefined || writtenAddresses(remote) === addresses);
    return fits ? [id] : [];
  });
}

function writtenAddresses(text: string): string {
  const read = readAddresses(text) ?? [];
  return read
    .map(({ written }) => written)
    .sort()
    .join();
}

/** Words are `key=value`, a key may be shortened, and none may come twice. */
function readGiven(
  words: Words,
  args: readonly string[],
  known: readonly string[],
): Given | Answer {
  const given = new Map<string, string>();
  for (const word of args) {
    const at = word.indexOf('=');
    const said = word.slice(0, Math.max(at, 0)).toLowerCase();
    const fitting = known.filter((key) => key.startsWith(said));
    const [key] = known.includes(said) ? [said] : fitting;
    const verb = known === finding ? 'delete' : 'add';
    if (at <= 0 || key === undefined || (fitting.length > 1 && !known.includes(said))) {
      return failed(words, filled(words.argument, at <= 0 ? word : said), verb);
    }
    if (given.has(key)) return failed(words, words.syntax, verb);
    given.set(key, word.slice(at + 1));
  }
  return given;
}

const allowed: Readonly<Record<string, RegExp>> = {
  dir: /^(in|out)$/i,
  action: /^(allow|block|bypass)$/i,
  enable: /^(yes|no)$/i,
  profile: /^((public|private|domain)(,(public|private|domain))*|any)$/i,
  // A name must not be what stands for all of them, and none of the registry's signs.
  name: /^(?!all$)[^|]+$/i,
  description: /^[^|]*$/,
};

function wrongValue(words: Words, given: Given): string | undefined {
  for (const [key, value] of given) {
    if (allowed[key]?.test(value) === false) return words.value;
    if (key.endsWith('ip') && readAddresses(value) === undefined) return words.address;
  }
  return undefined;
}

/** Errors go where everything goes, and the usage follows. */
function failed(words: Words, why: string, verb: string): Answer {
  return print(1, ['', why, '', filled(words.usage, verb), '      dir=in|out', '']);
}

/** A GUID, and the same one for the same work. */
function freeId(values: Values): string {
  for (let number = 1; ; number += 1) {
    const id = `{${number.toString(16).toUpperCase().padStart(8, '0')}-6B1F-4C55-9A01-5D2E7A3C0001}`;
    if (!(id in values)) return id;
  }
}
