/**
 * The records of a SQLite file, read page by page without SQLite, which refuses a file with one damaged
 * page (https://www.sqlite.org/fileformat.html#b_tree_pages). What leads from page to page is not
 * needed: every page says by itself what it is.
 */

export type Value = string | number | null;

export interface Records {
  /** Of tables: with the number of their row. */
  readonly rows: readonly { readonly id: number; readonly values: readonly Value[] }[];
  /** Of indexes, and of tables that are kept as one. */
  readonly keys: readonly (readonly Value[])[];
  /** Entries that could not be read. */
  readonly unreadable: number;
}

/** Page n of the file, counted from 1; undefined behind its end. */
export type PageOf = (number: number) => Uint8Array | undefined;

const tableLeaf = 0x0d;
const indexLeaf = 0x0a;
const indexInterior = 0x02;

export function readRecords(pageOf: PageOf, count: number): Records {
  const rows: { id: number; values: readonly Value[] }[] = [];
  const keys: (readonly Value[])[] = [];
  let unreadable = 0;
  for (let number = 1; number <= count; number += 1) {
    const page = pageOf(number);
    if (page === undefined) continue;
    const start = number === 1 ? 100 : 0;
    const type = page[start] ?? 0;
    if (type !== tableLeaf && type !== indexLeaf && type !== indexInterior) continue;
    const view = viewOf(page);
    const cells = view.getUint16(start + 3);
    const pointers = start + (type === indexInterior ? 12 : 8);
    if (pointers + cells * 2 > page.length) {
      unreadable += 1;
      continue;
    }
    for (let index = 0; index < cells; index += 1) {
      try {
        const cell = readCell(page, view.getUint16(pointers + index * 2), type, pageOf);
        const values = readRecord(cell.payload);
        if (type === tableLeaf) rows.push({ id: cell.id, values });
        else keys.push(values);
      } catch {
        unreadable += 1;
      }
    }
  }
  return { rows, keys, unreadable };
}

interface Cell {
  readonly id: number;
  readonly payload: Uint8Array;
}

function readCell(page: Uint8Array, start: number, type: number, pageOf: PageOf): Cell {
  let at = type === indexInterior ? start + 4 : start;
  const [length, afterLength] = readVarint(page, at);
  at = afterLength;
  let id = 0;
  if (type === tableLeaf) [id, at] = readVarint(page, at);
  const size = page.length;
  const most = type === tableLeaf ? size - 35 : Math.floor(((size - 12) * 64) / 255) - 23;
  if (length <= most) return { id, payload: slice(page, at, length) };
  const least = Math.floor(((size - 12) * 32) / 255) - 23;
  const wanted = least + ((length - least) % (size - 4));
  const here = wanted <= most ? wanted : least;
  const next = viewOf(page).getUint32(at + here);
  return { id, payload: withOverflow(slice(page, at, here), length, next, pageOf) };
}

/** What does not fit into its page goes on in a chain of others. */
function withOverflow(
  first: Uint8Array,
  length: number,
  start: number,
  pageOf: PageOf,
): Uint8Array {
  if (length > 64 * 1_048_576) throw new Error('no record is that long');
  const payload = new Uint8Array(length);
  payload.set(first);
  let filled = first.length;
  let next = start;
  while (filled < length) {
    const page = pageOf(next);
    if (page === undefined) throw new Error('the chain ends early');
    const part = page.subarray(4, Math.min(page.length, 4 + length - filled));
    payload.set(part, filled);
    filled += part.length;
    next = viewOf(page).getUint32(0);
  }
  return payload;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function readRecord(payload: Uint8Array): Value[] {
  const [headerLength, afterLength] = readVarint(payload, 0);
  const values: Value[] = [];
  let at = afterLength;
  let data = headerLength;
  while (at < headerLength) {
    const [type, next] = readVarint(payload, at);
    at = next;
    const size = sizeOf(type);
    values.push(readValue(slice(payload, data, size), type));
    data += size;
  }
  if (at !== headerLength || data !== payload.length) throw new Error('its lengths do not fit');
  return values;
}

const numberSizes = [0, 1, 2, 3, 4, 6, 8, 8, 0, 0] as const;

function sizeOf(type: number): number {
  if (type >= 12) return Math.floor((type - 12) / 2);
  const size = numberSizes[type];
  if (size === undefined) throw new Error(`there is no type ${type}`);
  return size;
}

function readValue(bytes: Uint8Array, type: number): Value {
  if (type === 0) return null;
  if (type === 8 || type === 9) return type - 8;
  if (type === 7) return viewOf(bytes).getFloat64(0);
  if (type < 7) {
    let number = BigInt.asIntN(8, BigInt(bytes[0] ?? 0));
    for (const byte of bytes.subarray(1)) number = (number << 8n) | BigInt(byte);
    return Number(number);
  }
  if (type % 2 === 0) throw new Error('a journal has no blobs');
  return decoder.decode(bytes);
}

function readVarint(bytes: Uint8Array, start: number): [value: number, next: number] {
  let value = 0;
  for (let index = 0; index < 8; index += 1) {
    const byte = bytes[start + index];
    if (byte === undefined) throw new Error('it ends early');
    value = value * 128 + (byte & 0x7f);
    if (byte < 0x80) {
      if (!Number.isSafeInteger(value)) break;
      return [value, start + index + 1];
    }
  }
  throw new Error('no number here is that large');
}

function slice(bytes: Uint8Array, start: number, length: number): Uint8Array {
  if (start + length > bytes.length) throw new Error('it ends early');
  return bytes.subarray(start, start + length);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
