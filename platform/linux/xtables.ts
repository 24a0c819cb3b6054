/**
 * What the iptables and the ipset driver share: a chain of ours in table mangle, entered first from
 * INPUT and FORWARD, read with `iptables-save` and changed with `iptables-restore --noflush`, which
 * carries out all of its input or nothing of it.
 *
 * Packets come to table mangle before table filter, with the same addresses. Docker puts its chains in
 * front of all others of FORWARD in table filter whenever it starts, and so do others; whoever stood
 * there first would be passed by until somebody looked again.
 */
import type { Settings, Watch } from '../driver.ts';
import type { CommandStep, ReadFileStep, Step, StepResult } from '../step.ts';

export type Family = 4 | 6;

export const families = [4, 6] as const;
export const chain = 'ar-exec';
export const defaults: Settings = { variant: '', table: 'mangle' };

export const hooks = ['INPUT', 'FORWARD'] as const;
type Hook = (typeof hooks)[number];
const jump = `-j ${chain}`;

/**
 * How long a restore may take. The nft variant walks the chain for every rule it takes away: 1,000
 * rules at the end of 10,000 took 3.8 s (iptables 1.8.9, kernel 6.18).
 */
const restoreDeadlineMs = 60_000;

/** The table of one family, as far as it concerns us. */
export interface Table {
  /** Our chain is there. */
  readonly chain: boolean;
  /** The places, counted from 1, at which our jump stands in each hook. */
  readonly jumps: Readonly<Record<Hook, readonly number[]>>;
  /** The rules of our chain, without the `-A ar-exec ` in front. */
  readonly rules: readonly string[];
  /** Every other rule of the table, as printed. */
  readonly others: readonly string[];
}

/** Both tables; a kernel without IPv6 has no second one. */
export type Tables =
  | { readonly known: false; readonly why: string }
  | { readonly known: true; readonly 4: Table; readonly 6: Table | undefined };

const nothing: Table = {
  chain: false,
  jumps: { INPUT: [], FORWARD: [] },
  rules: [],
  others: [],
};

/** The program that does `job` for a family: iptables-save, ip6tables-nft-restore … */
export function toolName(settings: Settings, family: Family, job: '' | 'save' | 'restore'): string {
  const parts = [family === 4 ? 'iptables' : 'ip6tables', settings['variant'] ?? '', job];
  return parts.filter((part) => part !== '').join('-');
}

/** Agents before it was written down used the table filter. */
export function tableName(settings: Settings): string {
  return settings['table'] ?? 'filter';
}

/** Asks for both tables; `readTables` understands the answers. */
export function askTables(settings: Settings): Step[] {
  return [
    ...families.map((family): CommandStep => {
      const tool = toolName(settings, family, 'save');
      return { kind: 'command', tool, args: ['-t', tableName(settings)] };
    }),
    ipv6InKernel,
  ];
}

/**
 * Stays empty when the kernel has no IPv6 or was booted with ipv6.disable=1; otherwise it always has
 * content (net/ipv6/proc.c). Without IPv6 there is nothing that ip6tables could hold.
 */
const ipv6InKernel: ReadFileStep = { kind: 'read-file', path: '/proc/net/sockstat6' };

/** Tools before 1.8 have no variants: they are what is called legacy by now. */
export function watchTables(settings: Settings): Watch[] {
  const table = tableName(settings);
  return settings['variant'] === 'nft'
    ? families.map((family) => ({
        kind: 'nftables',
        family: family === 4 ? 'ip' : 'ip6',
        table,
      }))
    : [{ kind: 'xtables', table }];
}

/** Understands the answers to `askTables`, which are the first three of `results`. */
export function readTables(settings: Settings, results: readonly StepResult[]): Tables {
  const table = tableName(settings);
  const ipv4 = readTable(`IPv4 table ${table}`, table, results[0]);
  if (typeof ipv4 === 'string') return { known: false, why: ipv4 };
  const ipv6 = readTable(`IPv6 table ${table}`, table, results[1]);
  if (typeof ipv6 !== 'string') return { known: true, 4: ipv4, 6: ipv6 };
  if (isEmpty(results[2])) return { known: true, 4: ipv4, 6: undefined };
  return { known: false, why: ipv6 };
}

/** One transaction: all of `lines`, or nothing. Never flushes. */
export function restore(settings: Settings, family: Family, lines: readonly string[]): CommandStep {
  return {
    kind: 'command',
    tool: toolName(settings, family, 'restore'),
    args: ['--noflush', '-w', '5'],
    stdin: script(settings, lines),
    deadlineMs: restoreDeadlineMs,
  };
}

/** Goes through the motions of a restore and changes nothing. */
export function testRestore(
  settings: Settings,
  family: Family,
  lines: readonly string[],
): CommandStep {
  const tool = toolName(settings, family, 'restore');
  return {
    kind: 'command',
    tool,
    args: ['--test', '--noflush', '-w', '5'],
    stdin: script(settings, lines),
  };
}

/** True when our chain stands and is what a packet meets first. */
export function isFirst(table: Table): boolean {
  return table.chain && hooks.every((hook) => isOnlyFirst(table.jumps[hook]));
}

/**
 * What it takes to make our chain stand and be met first. `-N` and not `:ar-exec`, which would empty
 * the chain if somebody made it since the table was read. `standing` is for jumps that are in order.
 */
export function raise(
  table: Table | undefined,
  standing: (hook: Hook) => readonly string[] = () => [],
): string[] {
  const { chain: stands, jumps } = table ?? nothing;
  const lines = stands ? [] : [`-N ${chain}`];
  for (const hook of hooks) {
    if (isOnlyFirst(jumps[hook])) lines.push(...standing(hook));
    else lines.push(...jumps[hook].map(() => `-D ${hook} ${jump}`), `-I ${hook} 1 ${jump}`);
  }
  return lines;
}

/**
 * What it takes to take our chain away. A chain in which somebody put a rule stays as it is, jumps
 * included, because that rule acts through them. One that somebody else jumps to stays, empty.
 */
export function lower(table: Table, foreignRules: boolean): string[] {
  if (!table.chain || foreignRules) return [];
  const lines = hooks.flatMap((hook) => table.jumps[hook].map(() => `-D ${hook} ${jump}`));
  const visited = table.others.some((line) => / -[jg] ar-exec( |$)/.test(line));
  return visited ? lines : [...lines, `-X ${chain}`];
}

/** Makes our chain the first again; fails when its jump is gone, and with it all of its transaction. */
export function renewJump(hook: Hook): string[] {
  return [`-D ${hook} ${jump}`, `-I ${hook} 1 ${jump}`];
}

/** Fails when a jump is gone, and with it all of its transaction. */
export function checkJump(hook: Hook): string[] {
  return [`-C ${hook} ${jump}`];
}

/** What a failed step said, in a few words. */
export function complaint(result: StepResult | undefined): string {
  if (result === undefined) return 'not asked';
  const said = result.stderr.trim().split('\n')[0] ?? '';
  return said === '' ? (result.failure ?? 'no answer') : said;
}

function readTable(name: string, table: string, result: StepResult | undefined): Table | string {
  if (result === undefined || result.failure !== undefined) {
    return `${name}: ${complaint(result)}`;
  }
  const lines = result.stdout.split('\n');
  const start = lines.indexOf(`*${table}`);
  const end = lines.indexOf('COMMIT', start);
  if (start === -1 || end === -1) {
    // The nft variant ends with status 0 and a remark when nft wrote rules it cannot show (1.8.9).
    const remark = lines.find((line) => line.startsWith('# Table'));
    return `${name}: ${remark?.slice(2) ?? 'the answer is not a table'}`;
  }
  return readRules(lines.slice(start + 1, end));
}

function readRules(lines: readonly string[]): Table {
  const jumps = { INPUT: [] as number[], FORWARD: [] as number[] };
  const places = { INPUT: 0, FORWARD: 0 };
  const rules: string[] = [];
  const others: string[] = [];
  const own = `-A ${chain} `;
  for (const line of lines) {
    if (line.startsWith(own)) rules.push(line.slice(own.length));
    else if (line.startsWith('-A ')) {
      const hook = hooks.find((name) => line.startsWith(`-A ${name} `));
      if (hook !== undefined) places[hook] += 1;
      if (hook !== undefined && line === `-A ${hook} ${jump}`) jumps[hook].push(places[hook]);
      else others.push(line);
    }
  }
  return { chain: lines.some((line) => line.startsWith(`:${chain} `)), jumps, rules, others };
}

function script(settings: Settings, lines: readonly string[]): string {
  return [`*${tableName(settings)}`, ...lines, 'COMMIT', ''].join('\n');
}

function isOnlyFirst(places: readonly number[]): boolean {
  return places.length === 1 && places[0] === 1;
}

function isEmpty(result: StepResult | undefined): boolean {
  return result !== undefined && result.failure === undefined && result.stdout === '';
}
