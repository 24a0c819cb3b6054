/** `ipfw table …` of FreeBSD: sbin/ipfw/tables.c, and the transcripts ipfw and ipfw-extra. */
import {
  addressKey,
  type Entry,
  fail,
  type Ipfw,
  type IpfwTable,
  inTableOrder,
  notKnown,
  status,
  unmasked,
} from './ipfw-state.ts';

export interface Options {
  readonly quiet: boolean;
}

/** Returns what is printed; `err` is for warnings. */
export interface Printed {
  readonly out?: readonly string[];
  readonly err?: readonly string[];
}

export function tableCommand(ipfw: Ipfw, words: readonly string[], options: Options): Printed {
  const [name = '', first, ...rest] = words;
  if (name !== 'all' && !/^\S{1,63}$/.test(name)) {
    fail(status.usage, `table name ${name} is invalid`);
  }
  if (name === 'all') return first === 'list' ? listAll(ipfw) : notKnown(words.join(' '));
  if (first === 'atomic' && rest[0] === 'add') return add(ipfw, name, rest.slice(1), options, true);
  switch (first) {
    case 'create':
      return create(ipfw, name, rest);
    case 'add':
      return add(ipfw, name, rest, options, false);
    case 'delete':
      return remove(ipfw, name, rest, options);
    case 'list':
      return { out: listed(wanted(ipfw, name)) };
    case 'info':
    case 'detail':
      return { out: info(ipfw, name, first === 'detail') };
    case 'lookup':
      return lookup(ipfw, name, rest);
    case 'flush': {
      const table = ipfw.tables[name];
      if (table === undefined) return absent(`failed to flush table ${name} info`, options);
      table.entries = [];
      return {};
    }
    case 'destroy':
      return destroy(ipfw, name, options);
    default:
      return notKnown(`table ${words.join(' ')}`);
  }
}

function create(ipfw: Ipfw, name: string, words: readonly string[]): Printed {
  const text = words.join(' ');
  if (!/^(type (addr|iface) ?)?(missing|or-flush)?$/.test(text)) notKnown(`create ${text}`);
  const type = words[1] === 'iface' ? 'iface' : 'addr';
  const here = ipfw.tables[name];
  if (here === undefined) {
    makeTable(ipfw, name, type);
    return {};
  }
  const [last] = words.slice(-1);
  if (last !== 'missing' && last !== 'or-flush') {
    fail(status.os, 'Table creation failed: File exists');
  }
  if (here.type !== type) {
    // tables.c, table_create: "Check that existing table is the same we are trying to create".
    fail(status.data, 'The existing table is not compatible with one you are creating.');
  }
  if (last === 'or-flush') here.entries = [];
  return {};
}

export function makeTable(ipfw: Ipfw, name: string, type: IpfwTable['type']): IpfwTable {
  const used = new Set(Object.values(ipfw.tables).map(({ index }) => index));
  let index = 1;
  while (used.has(index)) index += 1;
  const table: IpfwTable = { type, index, entries: [] };
  ipfw.tables[name] = table;
  return table;
}

function add(
  ipfw: Ipfw,
  name: string,
  words: readonly string[],
  { quiet }: Options,
  atomic: boolean,
): Printed {
  if (words.length === 0) fail(status.usage, 'address required');
  const err: string[] = [];
  let table = ipfw.tables[name];
  if (table?.locked === true) notKnown('adding to a table that is locked');
  const wanted: Wanted[] = [];
  // Keys and values in turn; all are read before any is added (tables.c, table_modify_record).
  for (let index = 0; index < words.length; index += 2) {
    const [key = '', value = '0'] = words.slice(index, index + 2);
    const type: IpfwTable['type'] = table?.type ?? guess(name, key);
    const read = type === 'addr' ? addressKey(key) : key;
    const said = type === 'addr' ? addressKey(key, unmasked) : key;
    if (table === undefined) {
      if (!quiet) {
        err.push(
          `ipfw: DEPRECATED: inserting data into non-existent table ${name}. (auto-created)`,
        );
      }
      table = makeTable(ipfw, name, type);
    }
    if (!/^\d+$/.test(value)) fail(status.os, `Unable to parse value ${value}`);
    wanted.push({ key: read, value, said });
  }
  return { ...enter(table as IpfwTable, wanted, quiet, atomic), err };
}

interface Wanted extends Entry {
  readonly said: string;
}

/** The kernel goes on after one that is there, unless it is to be all or nothing (ip_fw_table.c). */
function enter(
  table: IpfwTable,
  wanted: readonly Wanted[],
  quiet: boolean,
  atomic: boolean,
): Printed {
  const before = [...table.entries];
  const results: string[] = [];
  let failed = false;
  for (const { key, value, said } of wanted) {
    const here = table.entries.find((entry) => entry.key === key);
    if (failed && atomic) {
      results.push(`ignored: ${said} ${value}`);
    } else if (here === undefined) {
      table.entries.push({ key, value });
      results.push(`added: ${said} ${value}`);
    } else if (quiet) {
      // With -q an entry is updated (tables.c, ipfw_table_handler; IPFW_TF_UPDATE).
      here.value = value;
    } else {
      failed = true;
      results.push(`exists: ${said} ${value}`);
    }
  }
  if (quiet) return {};
  if (!failed) return { out: results };
  if (atomic) {
    if (results.some((line) => line.startsWith('added'))) notKnown('what is said of a rollback');
    table.entries = before;
  }
  const stdout = results.map((line) => `${line}\n`).join('');
  return fail(status.os, 'Adding record failed: record already exists', stdout);
}

/** The type of a table that is made by adding to it (tables.c, guess_key_type). */
function guess(name: string, key: string): IpfwTable['type'] {
  if (/^[0-9a-f:]/i.test(key)) {
    try {
      addressKey(key);
      return 'addr';
    } catch {
      if (/^\d+$/.test(key)) notKnown('a table of numbers');
    }
  }
  if (!key.includes('.')) return 'iface';
  return fail(status.usage, `Table ${name} does not exist, cannot guess key '${key}' type`);
}

function remove(ipfw: Ipfw, name: string, words: readonly string[], { quiet }: Options): Printed {
  if (words.length === 0) fail(status.usage, 'address required');
  const table = ipfw.tables[name];
  if (table === undefined) return fail(status.data, `Table ${name} does not exist`);
  const results: string[] = [];
  let failed = false;
  for (const key of words.map((word) => (table.type === 'addr' ? addressKey(word) : word))) {
    const kept = table.entries.filter((entry) => entry.key !== key);
    const found = kept.length < table.entries.length;
    results.push(`${found ? 'deleted' : 'notfound'}: ${key} 0`);
    table.entries = kept;
    if (!found) failed = true;
  }
  if (quiet) return {};
  if (!failed) return { out: results };
  const stdout = results.map((line) => `${line}\n`).join('');
  return fail(status.os, 'Deleting record failed: record not found', stdout);
}

function wanted(ipfw: Ipfw, name: string): IpfwTable {
  return ipfw.tables[name] ?? fail(status.os, 'failed to request table info: No such process');
}

function listed({ type, entries }: IpfwTable): string[] {
  const ordered = type === 'addr' ? inTableOrder(entries) : entries;
  return ordered.map(({ key, value }) => `${key} ${value}`);
}

/** Sorted by name, numbers by their value (tables.c, tablename_cmp). */
function listAll({ tables }: Ipfw): Printed {
  const names = Object.keys(tables).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  return {
    out: names.flatMap((name) => [
      `--- table(${name}), set(0) ---`,
      ...listed(tables[name] as IpfwTable),
    ]),
  };
}

function info(ipfw: Ipfw, name: string, detailed: boolean): string[] {
  const table = wanted(ipfw, name);
  const { entries, index, type, locked } = table;
  if (type !== 'addr') notKnown(`info of a table of type ${type}`);
  const references = ipfw.rules.filter(({ text }) => text.includes(`table(${name})`)).length;
  const v6 = entries.filter(({ key }) => key.includes(':')).length;
  return [
    `--- table(${name}), set(0) ---`,
    ` kindex: ${index}, type: ${type}${locked === true ? ', locked' : ''}`,
    ` references: ${references}, valtype: legacy`,
    ' algorithm: addr:radix',
    // 656 for three entries in the transcripts; what it is for other numbers nobody may rely on.
    ` items: ${entries.length}, size: ${224 + entries.length * 144}`,
    ...(detailed
      ? [
          ' IPv4 algorithm radix info',
          `  items: ${entries.length - v6} itemsize: 120`,
          ' IPv6 algorithm radix info',
          `  items: ${v6} itemsize: 128`,
        ]
      : []),
  ];
}

function lookup(ipfw: Ipfw, name: string, [key = '']: readonly string[]): Printed {
  const table = wanted(ipfw, name);
  const [address = ''] = addressKey(key).split('/');
  const covers = (entry: Entry): boolean => {
    const [, length = ''] = entry.key.split('/');
    if (entry.key.includes(':') !== address.includes(':')) return false;
    return addressKey(`${address}/${length}`) === entry.key;
  };
  const length = ({ key: text }: Entry): number => Number(text.split('/')[1]);
  const [found] = table.entries.filter(covers).sort((a, b) => length(b) - length(a));
  if (found === undefined) return fail(status.unavailable, `Entry ${key} not found`);
  return { out: [`${found.key} ${found.value}`] };
}

function destroy(ipfw: Ipfw, name: string, options: Options): Printed {
  if (ipfw.tables[name] === undefined) return absent(`failed to destroy table ${name}`, options);
  if (ipfw.rules.some(({ text }) => text.includes(`table(${name})`))) {
    fail(status.os, `failed to destroy table ${name}: Device busy`);
  }
  delete ipfw.tables[name];
  return {};
}

function absent(what: string, { quiet }: Options): Printed {
  return quiet ? {} : { err: [`ipfw: ${what}: No such process`] };
}
