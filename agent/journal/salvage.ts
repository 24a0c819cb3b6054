/**
 * What can still be read of a journal that SQLite refuses: the rows of its pages, each looked at by
 * itself. The damaged files are read and never written to.
 */
import { readFileSync } from 'node:fs';
import { type PageOf, readRecords, type Value } from './pages.ts';
import { isSoundRow, type Row } from './rows.ts';
import { readWal } from './wal.ts';

export interface Salvage {
  readonly instances: readonly { id: number; driver: string; settings: string }[];
  readonly actions: readonly Row[];
  readonly offences: readonly (readonly Value[])[];
  readonly followed: readonly (readonly Value[])[];
  /** Entries that were there and could not be read. */
  readonly unreadable: number;
}

/** Of a row of `actions` as the file has it; rows that an older version wrote end earlier. */
const columns = [
  'id',
  'response',
  'target',
  'instance',
  'state',
  'created_at',
  'deadline_at',
  'due_at',
  'ended_at',
  'origin',
  'manager_line',
  'pre_existing',
  'attempts',
  'trouble',
  'kind',
  'memory',
  'facts',
] as const;
const fewestColumns = 14;
const isOver = ({ ended_at: endedAt }: Row): boolean => endedAt !== null;

/** Reads the journal at this path and the log beside it. Files that are not there are empty. */
export function salvageJournal(file: string): Salvage {
  return salvage(read(file), read(`${file}-wal`));
}

function salvage(main: Uint8Array, log: Uint8Array): Salvage {
  const wal = readWal(log);
  const pageSize = wal?.pageSize ?? pageSizeOf(main);
  const count = Math.max(Math.ceil(main.length / pageSize), ...(wal?.pages.keys() ?? []), 0);
  const pageOf: PageOf = (number) => {
    const start = wal?.pages.get(number);
    if (start !== undefined) return log.subarray(start, start + pageSize);
    const page = main.subarray((number - 1) * pageSize, number * pageSize);
    return page.length === pageSize ? page : undefined;
  };
  const { rows, keys, unreadable } = readRecords(pageOf, Math.min(count, mostPages));
  const instances = new Map<number, Salvage['instances'][number]>();
  const actions = new Map<number, Row>();
  let unsound = 0;
  // They stand in their index once more, should their page be gone.
  for (const [driver, settings, id] of keys) addInstance(instances, id, driver, settings);
  for (const { id, values } of rows) {
    if (values.length === 3) addInstance(instances, id, values[1], values[2]);
  }
  for (const { id, values } of rows) {
    if (values.length < fewestColumns || values.length > columns.length) continue;
    const row = rowOf(id, values);
    if (!isSoundRow(row) || !instances.has(row.instance)) {
      unsound += 1;
      continue;
    }
    const other = actions.get(id);
    // A page that is no longer in use can have an older version; what is over stays over.
    if (other === undefined || isOver(row)) actions.set(id, row);
  }
  return {
    instances: [...instances.values()],
    actions: withoutDoubles([...actions.values()].sort((a, b) => a.id - b.id)),
    offences: keys.filter((key) => fits(key, ['string', 'string', 'number', 'number'])),
    followed: keys.filter((key) => fits(key, ['string', 'string', 'number', 'string', 'number'])),
    unreadable: unreadable + unsound,
  };
}

/** One live action for a response and a target: the newer one knows better. */
function withoutDoubles(rows: readonly Row[]): Row[] {
  const live = new Map(
    rows.filter((row) => !isOver(row)).map((row) => [`${row.response} ${row.target}`, row.id]),
  );
  return rows.filter((row) => isOver(row) || live.get(`${row.response} ${row.target}`) === row.id);
}

function addInstance(
  instances: Map<number, Salvage['instances'][number]>,
  id: Value | undefined,
  driver: Value | undefined,
  settings: Value | undefined,
): void {
  if (typeof id !== 'number' || typeof driver !== 'string' || typeof settings !== 'string') return;
  if (!isObject(settings) || !/^[a-z][a-z0-9-]*$/.test(driver)) return;
  instances.set(id, { id, driver, settings });
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function rowOf(id: number, values: readonly Value[]): Row {
  const defaults: Record<string, Value> = { kind: 'address', memory: null, facts: null };
  const entries = columns.map((name, index) => [name, values[index] ?? defaults[name] ?? null]);
  return { ...Object.fromEntries(entries), id } as Row;
}

function fits(key: readonly Value[], types: readonly string[]): boolean {
  return key.length === types.length && types.every((type, index) => typeof key[index] === type);
}

/** A file that names more pages than this is damaged in what names them. */
const mostPages = 4_194_304;

function pageSizeOf(main: Uint8Array): number {
  const size = ((main[16] ?? 0) << 8) | (main[17] ?? 0);
  return size >= 512 && (size & (size - 1)) === 0 ? size : 4_096;
}

function read(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Uint8Array();
    throw error;
  }
}
