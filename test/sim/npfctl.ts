/**
 * npfctl(8) of NetBSD 10, as far as these say: what was seen of the real one with its tables in a
 * process (status and messages of `table` and `rule`), and the sources of npf (npfctl/npf_cmd.c and
 * npf_show.c; kern/npf_tableset.c), which NetBSD has. `switches.unloaded`: the kernel has no npf.
 */
import ipaddr from 'ipaddr.js';
import { type Answer, answer, type Call, type Parts } from './simulator.ts';

export interface NpfTable {
  readonly type: 'ipset' | 'lpm' | 'const';
  /** The newest first, as they are listed. No length: a single address. */
  entries: { readonly address: string; readonly length?: number }[];
}

export interface Npf {
  active: boolean;
  tables: Record<string, NpfTable>;
  /** As npf.conf has them: what opens a group, and its rules, as they are shown. */
  groups: { readonly head: string; rules: string[] }[];
  /** Dynamic rulesets, and the number that was given last. */
  rulesets?: Record<string, { readonly id: number; readonly text: string }[]>;
  lastId?: number;
}

export function stateOf(parts: Parts): Npf {
  parts['npf'] ??= { active: false, tables: {}, groups: [] };
  return parts['npf'] as Npf;
}

/** errx(3) and err(3), always with status 1. */
const failed = (message: string): Answer => answer(1, { err: [`npfctl: ${message}`] });
const invalid = 'invalid address, mask or table ID';

export function simulate({ args, stdin, system, switches }: Call, parts: Parts): Answer {
  const unknown = answer(99, { err: [`simulator: not known: npfctl ${args.join(' ')}`] });
  if (system !== 'netbsd10') return unknown;
  // npfctl.c, npfctl_open_dev: "cannot open '%s'"; the device is for root only.
  if ((switches.euid ?? 0) !== 0) return failed("cannot open '/dev/npf': Permission denied");
  if (switches['unloaded'] === true) return failed("cannot open '/dev/npf': Device not configured");
  const npf = stateOf(parts);
  const [command, name = '', action, ...rest] = args;
  if (command === 'show' && args.length === 1) return show(npf);
  if (command === 'table' && action === 'replace')
    return replace(npf, name, rest, stdin) ?? unknown;
  if (command === 'table') return tableCommand(npf, name, action, rest) ?? unknown;
  if (command === 'rule') return ruleCommand(npf, name, action, rest) ?? unknown;
  return unknown;
}

/** npf_show.c. Where it cannot tell its place in the output, as in a pipe, it leaves one empty line. */
function show(npf: Npf): Answer {
  let id = 0;
  const withId = (rule: string, indent = '\t'): string => {
    id += 1;
    return `${indent}${rule} # id="${id.toString(16)}" `;
  };
  return answer(0, {
    out: [
      `# filtering:\t${npf.active ? 'active' : 'inactive'}`,
      `# config:\t${npf.groups.length > 0 ? 'loaded' : 'empty'}`,
      '',
      ...Object.entries(npf.tables).map(([name, { type }]) => `table <${name}> type ${type}`),
      ...npf.groups.flatMap(({ head, rules }) => [
        withId(`${head} {`, ''),
        ...rules.map((rule) => withId(rule)),
        '}',
      ]),
    ],
  });
}

function tableCommand(
  npf: Npf,
  name: string,
  action: string | undefined,
  words: readonly string[],
): Answer | undefined {
  const table = npf.tables[name];
  if (action === 'list' && words.length === 0) {
    if (table === undefined) return failed(invalid);
    // The length of an address is shown after `replace` only.
    return answer(0, { out: table.entries.map(({ address, length }) => shown(address, length)) });
  }
  if (action === 'flush' && words.length === 0) {
    if (table === undefined || table.type === 'const') return failed(invalid);
    table.entries = [];
    return answer(0, { err: ['npfctl: success'] });
  }
  const [text, ...more] = words;
  if (text === undefined || more.length > 0) return undefined;
  const read = readAddress(text);
  if (read === undefined) return undefined;
  if ('stderr' in read) return read;
  if (table === undefined) return failed(invalid);
  if (action === 'add') return add(table, read);
  if (action === 'rem') return remove(table, read);
  if (action !== 'test') return undefined;
  return lookup(table, read) === undefined
    ? failed('not found')
    : answer(0, { err: ['npfctl: match'] });
}

interface Address {
  readonly address: string;
  readonly length?: number;
}

function shown(address: string, length: number | undefined): string {
  return length === undefined ? address : `${address}/${length}`;
}

/** Anything but an address is looked up as a name. Undefined: what comes of it nobody has seen. */
function readAddress(text: string): Address | Answer | undefined {
  const [address = '', length, ...more] = text.split('/');
  if (more.length > 0) return undefined;
  if (!ipaddr.isValid(address) || address.includes('%')) {
    if (!/^[a-z-]+$/i.test(address)) return undefined;
    const what = `(null):1:0: cannot parse '${address}' (Name or service not known)`;
    return { stdout: '', stderr: `${what}\n`, exitCode: 1 };
  }
  const parsed = ipaddr.parse(address);
  if (parsed.toString() !== address) return undefined;
  if (length === undefined) return { address };
  const most = parsed.kind() === 'ipv4' ? 32 : 128;
  if (!/^\d+$/.test(length) || Number(length) > most) return failed(invalid);
  const network = ipaddr.parseCIDR(`${address}/${length}`);
  const [{ constructor: Kind }] = network;
  const base = (Kind as typeof ipaddr.IPv4).networkAddressFromCIDR(`${address}/${length}`);
  // Whether the bits behind the prefix are cleared nobody has seen.
  return base.toString() === address ? { address, length: Number(length) } : undefined;
}

/** npf_tableset.c, npf_table_insert. */
function add(table: NpfTable, entry: Address): Answer {
  if (table.type === 'const') return failed(invalid);
  if (table.type === 'ipset' && entry.length !== undefined) return failed(invalid);
  if (lookup(table, entry) !== undefined) {
    return failed('entry already exists or is conflicting');
  }
  table.entries.unshift(entry);
  return answer(0, { err: ['npfctl: success'] });
}

/** npf_table_remove: a table of type lpm loses what the address is found by, whatever its length. */
function remove(table: NpfTable, entry: Address): Answer {
  if (table.type === 'const') return failed(invalid);
  const found = lookup(table, entry);
  if (found === undefined) return failed('not found');
  table.entries = table.entries.filter((one) => one !== found);
  return answer(0, { err: ['npfctl: success'] });
}

/** By the address alone; the longest prefix that has it, in a table of type lpm. */
function lookup(table: NpfTable, { address }: Address): Address | undefined {
  const wanted = ipaddr.parse(address);
  const lengthOf = (one: Address): number =>
    one.length ?? (ipaddr.parse(one.address).kind() === 'ipv4' ? 32 : 128);
  return table.entries
    .filter((one) => {
      const base = ipaddr.parse(one.address);
      if (base.kind() !== wanted.kind()) return false;
      if (table.type !== 'lpm') return one.address === address;
      return wanted.match(base as ipaddr.IPv4, lengthOf(one));
    })
    .sort((a, b) => lengthOf(b) - lengthOf(a))[0];
}

/** npf_cmd.c, npfctl_table_replace, with what is to be in it on standard input. */
function replace(
  npf: Npf,
  name: string,
  words: readonly string[],
  stdin: string,
): Answer | undefined {
  if (words.join(' ') !== '-') return undefined;
  const table = npf.tables[name];
  if (table === undefined) return failed(`table '${name}' not found in the active configuration`);
  const entries: Address[] = [];
  for (const [index, line] of stdin.trimEnd().split('\n').entries()) {
    const read = readAddress(line);
    if (read === undefined || 'stderr' in read) return undefined;
    if (table.type !== 'lpm' && read.length !== undefined) {
      const what = 'mask used with the table type other than "lpm"';
      return answer(1, { err: [`npfctl: stdin:${index + 1}: ${what}`] });
    }
    const most = read.address.includes(':') ? 128 : 32;
    entries.unshift(table.type === 'lpm' ? { ...read, length: read.length ?? most } : read);
  }
  table.entries = entries;
  return answer(0);
}

/** Rules have numbers that are written, and read, in hexadecimal. */
function ruleCommand(
  npf: Npf,
  name: string,
  action: string | undefined,
  words: readonly string[],
): Answer | undefined {
  npf.rulesets ??= {};
  const rules = npf.rulesets[name];
  if (action === 'list' && words.length === 0) {
    const lines = (rules ?? []).map(({ id, text }) => `${text} # id="${id.toString(16)}" `);
    return answer(0, { out: lines });
  }
  if (rules === undefined) return undefined;
  if (action === 'add' && words.length > 0) {
    npf.lastId = (npf.lastId ?? 0) + 1;
    rules.push({ id: npf.lastId, text: words.join(' ') });
    return answer(0, { out: [`OK ${npf.lastId.toString(16)}`] });
  }
  if (action === 'rem-id' && /^[0-9a-f]+$/.test(words[0] ?? '')) {
    const index = rules.findIndex(({ id }) => id === Number.parseInt(words[0] ?? '', 16));
    if (index === -1) return failed('rule was not found');
    rules.splice(index, 1);
    return answer(0);
  }
  return undefined;
}
