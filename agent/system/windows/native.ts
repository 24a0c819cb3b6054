/**
 * What the native calls of Windows have in common: its libraries by their full path, memory, and what a
 * call answers. Calls are used that answer with a status themselves: what GetLastError says belongs to
 * the last call of the thread, and Node may have made one in between.
 */
import { type Ffi, withFfi } from '../ffi.ts';

export type Pointer = bigint;

/** A call that did not do what was asked: `code` is the system's number of the error. */
export class NativeFailure extends Error {
  readonly code: number;

  constructor(call: string, code: number) {
    super(`${call}: ${textOf(code)}`);
    this.code = code;
  }
}

/** Numbers of NTSTATUS (ntstatus.h) and of Win32 (winerror.h) that are told apart. */
export const status = {
  noSuchClass: 0xc000_0003,
  invalidHandle: 0xc000_0008,
  invalidParameter: 0xc000_000d,
  accessDenied: 0xc000_0022,
  tooSmall: 0xc000_0023,
  nameInvalid: 0xc000_0033,
  nameNotFound: 0xc000_0034,
  nameCollision: 0xc000_0035,
  pathNotFound: 0xc000_003a,
  sharing: 0xc000_0043,
  deletePending: 0xc000_0056,
  lengthMismatch: 0xc000_0004,
  pipeBusy: 0xc000_00ae,
  pipeInstance: 0xc000_00ab,
  pipeGone: 0xc000_00ac,
  otherVolume: 0xc000_00d4,
  isFolder: 0xc000_00ba,
  noFolder: 0xc000_0103,
  ended: 0xc000_010a,
  inUse: 0xc000_0121,
} as const;

const texts: Readonly<Record<number, string>> = {
  5: 'access is denied',
  1722: 'the service for it does not answer',
  2221: 'there is no such account',
  [status.accessDenied]: 'access is denied',
  [status.nameNotFound]: 'it is not there',
  [status.pathNotFound]: 'it is not there',
  [status.nameCollision]: 'something has that name already',
  [status.sharing]: 'a program has it open and lets nobody else at it',
  [status.inUse]: 'a program runs from it',
  [status.deletePending]: 'it is being deleted',
  [status.otherVolume]: 'it is on another volume',
};

function textOf(code: number): string {
  const number = code > 0xffff ? `0x${code.toString(16)}` : `${code}`;
  const text = texts[code];
  return text === undefined ? `error ${number}` : `${text} (${number})`;
}

/** What ends in `.dll` lies in System32, which nobody but Windows itself writes to. */
export function library(name: string): string {
  return `${process.env['SystemRoot'] ?? 'C:\\Windows'}\\System32\\${name}`;
}

let opened: Ffi | undefined;

/** Everything that is read from memory goes through this. */
export function memory(): Ffi {
  opened ??= withFfi((ffi) => ffi);
  return opened;
}

/** Makes something once, when it is asked for first. */
export function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Text as Windows takes it: UTF-16 with a zero at its end. */
export function wide(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf16le');
}

/** Text that ends with a zero, at most so many characters. */
export function readWide(at: Pointer, most = 32_768): string {
  if (at === 0n) return '';
  const { getUint16 } = memory();
  const units: number[] = [];
  while (units.length < most) {
    const unit = getUint16(at, units.length * 2);
    if (unit === 0) break;
    units.push(unit);
  }
  return units.map((unit) => String.fromCharCode(unit)).join('');
}

/** The address of what a buffer holds; good as long as the buffer is. */
export function addressOf(buffer: Buffer): Pointer {
  return memory().getRawPointer(buffer);
}

/** Room for a pointer, a handle or a number that a call gives back. */
export function room(bytes = 8): Buffer {
  return Buffer.alloc(bytes);
}

/** A security identifier as people write it: `S-1-5-21-…-500`. */
export function sidText(at: Pointer): string {
  const { getUint8, getUint32 } = memory();
  const count = getUint8(at, 1);
  let authority = 0;
  for (let index = 2; index < 8; index += 1) authority = authority * 256 + getUint8(at, index);
  const parts = Array.from({ length: count }, (_, index) => getUint32(at, 8 + index * 4));
  return ['S', getUint8(at, 0), authority, ...parts].join('-');
}

/** Throws what a call that answers with an NTSTATUS says; negative ones are errors. */
export function checkStatus(call: string, answer: number): void {
  if (answer < 0) throw new NativeFailure(call, answer >>> 0);
}

const caseInsensitive = 0x40;

/**
 * OBJECT_ATTRIBUTES for what has this name, whatever its letters. `pointedTo` has to be there until the call
 * that takes them is over.
 */
export function objectNamed(path: string): { attributes: Buffer; pointedTo: readonly Buffer[] } {
  const text = Buffer.from(`\\??\\${path}`, 'utf16le');
  // UNICODE_STRING
  const name = room(16);
  name.writeUInt16LE(text.length);
  name.writeUInt16LE(text.length, 2);
  name.writeBigUInt64LE(addressOf(text), 8);
  const attributes = room(48);
  attributes.writeUInt32LE(attributes.length);
  attributes.writeBigUInt64LE(addressOf(name), 16);
  attributes.writeUInt32LE(caseInsensitive, 24);
  return { attributes, pointedTo: [text, name] };
}
