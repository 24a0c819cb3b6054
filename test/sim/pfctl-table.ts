/** `pfctl -t TABLE -T …` (pfctl_table.c; transcripts pf-tables). */
import {
  anchorAt,
  covers,
  forgetEmpty,
  type Pf,
  type PfTable,
  parseEntry,
  sortEntries,
} from './pf-world.ts';
import { type PfctlOptions, type Said, unknown } from './pfctl-options.ts';
import { type Answer, answer, type Call, type SimSystem } from './simulator.ts';

const failed = (...err: string[]): Said => ({ err, exitCode: 255 });

export function changeTable(call: Call, asked: PfctlOptions, pf: Pf): Said | Answer {
  const { command = '', table = '', anchor = '', words } = asked;
  if (asked.dry || asked.verbose > 0) return unknown(`-T ${command} with -n or -v`);
  const standing = pf.anchors[anchor]?.tables[table];
  switch (command) {
    case 'add':
      return add(call, asked, pf);
    case 'kill':
      return kill(call, pf, anchor, table);
    case 'delete':
    case 'test': {
      const read = addresses(call, asked, pf);
      if ('exitCode' in read) return read;
      if (standing === undefined) return failed(missing(call.system));
      return command === 'delete' ? remove(standing, read) : test(standing, read);
    }
    case 'flush': {
      // Transcript pf-tables.freebsd15.
      if (standing === undefined && call.system === 'freebsd15')
        return failed('pfctl: Operation not supported by device');
      if (standing === undefined) return failed(missing(call.system));
      const count = standing.entries.length;
      standing.entries = [];
      return { err: [`${count} addresses deleted.`] };
    }
    case 'show': {
      if (words.length > 0) return unknown(`-T show ${words.join(' ')}`);
      // Transcripts: FreeBSD 13 has no better words. macOS as FreeBSD 13.
      const isOld = call.system === 'freebsd13' || call.system === 'macos14';
      if (standing === undefined)
        return failed(isOld ? 'pfctl: Unknown error: -1.' : missing(call.system));
      return { out: standing.entries.map((one) => `  ${one.startsWith('!') ? '' : ' '}${one}`) };
    }
    default:
      return unknown(`-T ${command}`);
  }
}

/** OpenBSD has no dot at the end. */
function missing(system: SimSystem): string {
  return `pfctl: Table does not exist${system === 'openbsd76' ? '' : '.'}`;
}

function add(call: Call, asked: PfctlOptions, pf: Pf): Said | Answer {
  const { table = '', anchor = '' } = asked;
  const read = addresses(call, asked, pf);
  if ('exitCode' in read) return read;
  const err = [];
  const { tables } = anchorAt(pf, anchor);
  if (tables[table] === undefined) {
    err.push(...duplicates(call.system, pf, table));
    tables[table] = { persist: true, entries: [] };
    err.push('1 table created.');
  }
  const standing: PfTable = tables[table];
  // Transcripts pf-states: "const add rc=255".
  if (standing.constant === true) return failed('pfctl: Operation not permitted');
  const had = new Set(standing.entries.map(bare));
  const fresh = [...new Map(read.map((one) => [bare(one), one])).values()].filter(
    (one) => !had.has(bare(one)),
  );
  const used = Object.values(pf.anchors)
    .flatMap((one) => Object.values(one.tables))
    .reduce((sum, one) => sum + one.entries.length, 0);
  if (used + fresh.length > pf.entryLimit) {
    // Finding 3: FreeBSD adds nothing and says so; OpenBSD never comes back.
    if (call.system !== 'openbsd76') return failed(...err, 'pfctl: Cannot allocate memory.');
    pf.stuck = true;
    return { ...answer(0), hangs: true };
  }
  standing.entries = sortEntries([...standing.entries, ...fresh]);
  err.push(`${fresh.length}/${read.length} addresses added.`);
  return { err };
}

/** Transcripts pf-tables of FreeBSD 15 and OpenBSD; FreeBSD 13 says nothing. */
function duplicates(system: SimSystem, pf: Pf, table: string): string[] {
  if (system !== 'freebsd15' && system !== 'openbsd76') return [];
  return Object.entries(pf.anchors)
    .filter(([, { tables }]) => tables[table] !== undefined)
    .map(([path]) => {
      return `pfctl: warning: table <${table}> already defined in anchor "${path || '/'}"`;
    });
}

/** An exception stands in the way of the same entry without `!`, and the other way round. */
const bare = (entry: string): string => entry.replace('!', '');

/** Only the very entry: a host within a prefix is not there. */
function remove(table: PfTable, addresses: readonly string[]): Said {
  const count = new Set(addresses.filter((one) => table.entries.includes(one))).size;
  table.entries = table.entries.filter((one) => !addresses.includes(one));
  return { err: [`${count}/${addresses.length} addresses deleted.`] };
}

function test(table: PfTable, addresses: readonly string[]): Said {
  const found = addresses.filter((one) => table.entries.some((entry) => covers(entry, one)));
  return {
    err: [`${found.length}/${addresses.length} addresses match.`],
    exitCode: found.length < addresses.length ? 2 : 0,
  };
}

function kill({ system }: Call, pf: Pf, anchor: string, table: string): Said {
  const tables = pf.anchors[anchor]?.tables ?? {};
  const count = tables[table] === undefined ? 0 : 1;
  delete tables[table];
  if (system === 'openbsd76') forgetEmpty(pf, anchor);
  return { err: [`${count} table deleted.`] };
}

/** The words of the command line, or what it reads: one that it does not take, and nothing is done. */
function addresses(
  call: Call,
  { words, file }: PfctlOptions,
  pf: Pf,
): string[] | Required<Pick<Said, 'err' | 'exitCode'>> {
  const all: string[] = [];
  const given = file === undefined ? words : inFile(call, file);
  // Transcripts pf-limits: what errno happens to be.
  const noError = call.system === 'openbsd76' ? 'Undefined error: 0' : 'No error: 0';
  for (const word of given) {
    const isException = word.startsWith('!');
    if (word === 'self') {
      all.push(...pf.self);
      continue;
    }
    const entry = parseEntry(isException ? word.slice(1) : word);
    if (entry === undefined) {
      const err = [`no IP address found for ${word}`];
      if (file !== undefined) err.push(`pfctl: cannot load ${file}: ${noError}`);
      return { err, exitCode: 255 };
    }
    if (entry === 'bad-mask') {
      const what = file === undefined ? `decode ${word}` : `load ${file}`;
      return { err: [`pfctl: cannot ${what}: Invalid argument`], exitCode: 255 };
    }
    all.push(isException ? `!${entry}` : entry);
  }
  return all;
}

/** pfr_buf_load: words between blanks, `#` begins a comment. */
function inFile(call: Call, file: string): string[] {
  const text = file === '-' ? call.stdin : call.readFile(file);
  if (text === undefined) throw new Error(`no file ${file}`);
  return text
    .replace(/#.*$/gm, '')
    .split(/\s+/)
    .filter((word) => word !== '');
}
