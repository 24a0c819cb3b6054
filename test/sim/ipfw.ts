/**
 * ipfw(8) of FreeBSD 13 and 15, as far as the transcripts ipfw, ipfw-extra, ipfw-bulk and its sources
 * (sbin/ipfw/main.c, ipfw2.c, tables.c) say. `switches.unloaded`: the kernel has no ipfw.
 */
import { addressKey, Ended, fail, type Ipfw, notKnown, stateOf, status } from './ipfw-state.ts';
import { makeTable, type Options, type Printed, tableCommand } from './ipfw-tables.ts';
import { type Answer, answer, type Call, type Parts, type SimSystem } from './simulator.ts';

export function simulate(call: Call, parts: Parts): Answer {
  try {
    return answer(0, run(call, stateOf(parts)));
  } catch (ended) {
    if (ended instanceof Ended) return ended.answer;
    throw ended;
  }
}

function run({ args, system, switches }: Call, ipfw: Ipfw): Printed {
  if (!system.startsWith('freebsd')) notKnown(`ipfw of ${system}`);
  if (args.length === 0) {
    return fail(status.usage, 'usage: ipfw [options]\ndo "ipfw -h" or "man ipfw" for details');
  }
  const leading: string[] = [];
  for (const word of args) {
    if (!/^-[qnf]$/.test(word)) break;
    leading.push(word);
  }
  const words = args.slice(leading.length);
  if (words[0]?.startsWith('-') === true) notKnown(args.join(' '));
  const options = { quiet: leading.includes('-q'), testOnly: leading.includes('-n') };
  // ipfw2.c, do_cmd: a raw socket comes first.
  if ((switches.euid ?? 0) !== 0 && !options.testOnly) {
    fail(status.unavailable, 'socket: Operation not permitted');
  }
  const [command, ...rest] = words;
  if (switches['unloaded'] === true) withoutModule(command, rest);
  switch (command) {
    case 'table':
      return tableCommand(ipfw, rest, options);
    case 'add':
      return addRule(ipfw, rest, options);
    case 'list':
    case 'show':
      return listRules(ipfw, rest, { system, counters: command === 'show' });
    case 'delete':
      return deleteRules(ipfw, rest, options);
    case 'flush':
      // Without a question, as its standard input is no terminal (main.c; transcript ipfw).
      ipfw.rules = [];
      return options.quiet ? {} : { out: ['Flushed all rules.'] };
    case 'set':
      return rest[0] === 'list'
        ? fail(status.usage, 'invalid set command list\n')
        : notKnown(words.join(' '));
    default:
      return /^(enable|disable|zero|resetlog|pipe|queue|nat|sched|internal|print)$/.test(
        command ?? '',
      )
        ? notKnown(words.join(' '))
        : fail(status.usage, `bad command \`${command}'`);
  }
}

/** The kernel has no such options of a socket then: ENOPROTOOPT (ipfw2.c, ipfw_list; tables.c). */
function withoutModule(command: string | undefined, words: readonly string[]): never {
  if (command === 'list') fail(status.os, 'retrieving config failed: Protocol not available');
  if (command === 'table' && (words[1] === 'info' || words[1] === 'list')) {
    fail(status.os, 'failed to request table info: Protocol not available');
  }
  return notKnown(`ipfw ${command} without the kernel's part`);
}

interface AddOptions extends Options {
  readonly testOnly: boolean;
}

/** Actions and the name that `list` has for them (ipfw2.c, rule_actions). */
const actions = new Map([
  ['allow', 'allow'],
  ['pass', 'allow'],
  ['deny', 'deny'],
  ['drop', 'deny'],
  ['count', 'count'],
]);

function addRule(ipfw: Ipfw, words: readonly string[], options: AddOptions): Printed {
  const rest = [...words];
  const given = /^\d+$/.test(rest[0] ?? '') ? Number(rest.shift()) : 0;
  let set = 0;
  if (rest[0] === 'set') {
    rest.shift();
    set = Number(rest.shift());
  }
  const text = ruleText(rest);
  if (given > 65_534) fail(status.unavailable, 'getsockopt(IP_FW_XADD): Invalid argument');
  if (!options.testOnly) {
    // net.inet.ip.fw.autoinc_step (ipfw(8)); what is printed is still 0 (transcript ipfw).
    const number = given === 0 ? (ipfw.rules.at(-1)?.number ?? 0) + 100 : given;
    const place = ipfw.rules.findIndex((rule) => rule.number > number);
    ipfw.rules.splice(place === -1 ? ipfw.rules.length : place, 0, { number, set, text });
    // A rule makes the tables that it names (ip_fw_table.c; transcript ipfw, nosuch3).
    for (const [, name = ''] of text.matchAll(/table\(([^)]+)\)/g)) {
      if (ipfw.tables[name] === undefined) makeTable(ipfw, name, 'addr');
    }
  }
  return options.quiet ? {} : { out: [line(given, text)] };
}

function ruleText(words: readonly string[]): string {
  const at = words.indexOf('//');
  const [body, comment] = at === -1 ? [words, []] : [words.slice(0, at), words.slice(at + 1)];
  const [action = '', protocol, from, source = '', to, destination = '', ...rest] = body;
  const name = actions.get(action);
  if (name === undefined || protocol !== 'ip' || from !== 'from') notKnown(words.join(' '));
  if (to !== 'to') fail(status.usage, "missing ``to''");
  const addresses = [source, destination].map(place);
  const [option] = rest;
  if (option !== undefined) fail(status.usage, `unrecognised option [-1] ${option}\n`);
  const tail = comment.length === 0 ? '' : ` // ${comment.join(' ')}`;
  return `${name} ip from ${addresses[0]} to ${addresses[1]}${tail}`;
}

/** A single address is listed without its length (transcript ipfw, rule 300). */
function place(text: string): string {
  if (text === 'any' || text === 'me' || /^table\([\w-]{1,63}\)$/.test(text)) return text;
  return addressKey(text).replace(/\/32$/, '');
}

interface ListOptions {
  readonly system: SimSystem;
  readonly counters: boolean;
}

function listRules(ipfw: Ipfw, words: readonly string[], options: ListOptions): Printed {
  if (words.some((word) => !/^\d+$/.test(word)) || words.length > 1) notKnown(words.join(' '));
  const all = [...ipfw.rules.map(({ number, text }) => ({ number, text, counted: [0, 0] }))];
  const last = { number: 65_535, text: `${ipfw.last ?? 'allow'} ip from any to any` };
  // transcript ipfw.freebsd15
  const orphaned = 'count ip from any to any not // orphaned dynamic states counter';
  if (options.system === 'freebsd15') all.push({ number: 65_535, text: orphaned, counted: [0, 0] });
  all.push({ ...last, counted: [...(ipfw.counted ?? [0, 0])] });
  const wanted =
    words[0] === undefined ? all : all.filter((one) => one.number === Number(words[0]));
  if (wanted.length === 0) fail(status.unavailable, `rule ${words[0]} does not exist`);
  if (!options.counters) return { out: wanted.map(({ number, text }) => line(number, text)) };
  // As wide as the widest of all of them.
  const width = (column: number): number =>
    Math.max(...all.map(({ counted }) => String(counted[column]).length));
  const widths = [width(0), width(1)];
  return {
    out: wanted.map(({ number, text, counted }) => {
      const numbers = counted.map((count, column) => String(count).padStart(widths[column] ?? 0));
      return `${String(number).padStart(5, '0')} ${numbers.join(' ')} ${text}`;
    }),
  };
}

function line(number: number, text: string): string {
  return `${String(number).padStart(5, '0')} ${text}`;
}

function deleteRules(ipfw: Ipfw, words: readonly string[], { quiet }: Options): Printed {
  const bySet = words[0] === 'set';
  const numbers = bySet ? words.slice(1) : words;
  if (numbers.length === 0 || numbers.some((word) => !/^\d+$/.test(word))) {
    notKnown(`delete ${words.join(' ')}`);
  }
  const err: string[] = [];
  for (const number of numbers.map(Number)) {
    const kept = ipfw.rules.filter((rule) => (bySet ? rule.set : rule.number) !== number);
    // Status 0: its standard input is no terminal, which forces it (ipfw2.c, ipfw_delete).
    if (kept.length === ipfw.rules.length && !bySet && !quiet) {
      err.push(`ipfw: rule ${number} not found`);
    }
    ipfw.rules = kept;
  }
  return { err };
}
