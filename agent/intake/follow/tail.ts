import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { FollowedPosition } from '../../words.ts';

/** An open file that grows at its end, read line by line. */
export interface Tail {
  readonly path: string;
  /** Its device and number. */
  readonly file: string;
  /** Up to the end of the last line that was read. */
  position(): FollowedPosition;
  /** What comes next, of one read; `lines` can be empty though there was something. */
  read(): Promise<Reading>;
  /** The line that the file ends with, if it has no end of its own; it counts as read then. */
  takeRest(): string | undefined;
  written(): Promise<Written>;
  close(): Promise<void>;
}

export type Reading =
  | { readonly kind: 'lines'; readonly lines: readonly string[] }
  | { readonly kind: 'end' }
  /** What was read before is no longer there: it was cut off, or is another's. */
  | { readonly kind: 'replaced' };

export interface TailOptions {
  /** Absent: from the beginning. `end`: from the last end of a line. */
  readonly from?: FollowedPosition | 'end' | undefined;
  /** A line was longer than `longestLineBytes`, and is passed over. */
  onTooLong?(): void;
}

/** Bytes of a line. */
const longestLineBytes = 1_048_576;
const chunkBytes = 262_144;
/** So many bytes before a position tell one file from another: alerts have their time in them. */
const knownBytes = 256;
const nothing = Buffer.alloc(0);
const newline = 0x0a;

/** Resolves with undefined when there is no such file, or it is not the one that `from` is in. */
export async function openTail(path: string, options: TailOptions = {}): Promise<Tail | undefined> {
  const { from } = options;
  let handle: FileHandle;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  try {
    const file = await regularFile(handle, path);
    const offset = from === 'end' ? await lastLineEnd(handle) : (from?.offset ?? 0);
    const before = await bytesBefore(handle, offset);
    const isOther =
      from !== undefined &&
      from !== 'end' &&
      (offset === 0 ? from.file !== file : fingerprint(before) !== from.fingerprint);
    if (!isOther) return createTail(handle, { path, file, offset, before }, options);
    await handle.close();
    return undefined;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** When a file was written to last, and when it was made, in nanoseconds since 1970. */
export interface Written {
  readonly at: bigint;
  readonly born: bigint;
}

export function writtenOf(found: {
  readonly mtimeNs: bigint;
  readonly birthtimeNs: bigint;
}): Written {
  return { at: found.mtimeNs, born: found.birthtimeNs };
}

/** The device and number of the file that a path names now; undefined when there is none. */
export async function fileAt(path: string): Promise<string | undefined> {
  try {
    return numberOf(await stat(path, { bigint: true }));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

export function numberOf({ dev, ino }: { readonly dev: bigint; readonly ino: bigint }): string {
  return `${dev}:${ino}`;
}

interface Place {
  readonly path: string;
  readonly file: string;
  readonly offset: number;
  readonly before: Buffer;
}

function createTail(handle: FileHandle, place: Place, { onTooLong }: TailOptions): Tail {
  const buffer = Buffer.allocUnsafe(knownBytes + chunkBytes);
  let { offset, before } = place;
  /** How far was read, and the bytes before that. */
  let readTo = offset;
  let seen = before;
  /** What was read of a line that has no end yet. */
  let rest: Buffer = nothing;
  let passingOver = false;

  const tooLong = (): void => {
    rest = nothing;
    onTooLong?.();
  };

  const linesIn = (fresh: Buffer): string[] => {
    const lines: string[] = [];
    let start = 0;
    for (let end = fresh.indexOf(newline); end !== -1; end = fresh.indexOf(newline, start)) {
      const piece = fresh.subarray(start, end);
      if (passingOver) passingOver = false;
      else if (rest.length + piece.length > longestLineBytes) tooLong();
      else
        lines.push(rest.length === 0 ? piece.toString() : Buffer.concat([rest, piece]).toString());
      rest = nothing;
      start = end + 1;
    }
    if (passingOver) return lines;
    rest = Buffer.concat([rest, fresh.subarray(start)]);
    if (rest.length > longestLineBytes) {
      passingOver = true;
      tooLong();
    }
    return lines;
  };

  return {
    path: place.path,
    file: place.file,
    position: () => ({ file: place.file, offset, fingerprint: fingerprint(before) }),
    read: async () => {
      const { bytesRead } = await handle.read(
        buffer,
        0,
        seen.length + chunkBytes,
        readTo - seen.length,
      );
      if (!buffer.subarray(0, Math.min(bytesRead, seen.length)).equals(seen)) {
        return { kind: 'replaced' };
      }
      const fresh = buffer.subarray(seen.length, bytesRead);
      if (fresh.length === 0) return { kind: 'end' };
      const lastEnd = fresh.lastIndexOf(newline) + 1;
      if (lastEnd > 0) {
        before = lastKnown(seen, fresh.subarray(0, lastEnd));
        offset = readTo + lastEnd;
      }
      const lines = linesIn(fresh);
      seen = lastKnown(seen, fresh);
      readTo += fresh.length;
      return { kind: 'lines', lines };
    },
    takeRest: () => {
      if (readTo === offset) return undefined;
      const text = rest.toString();
      offset = readTo;
      before = seen;
      rest = nothing;
      passingOver = false;
      return text === '' ? undefined : text;
    },
    written: async () => writtenOf(await handle.stat({ bigint: true })),
    close: () => handle.close(),
  };
}

function lastKnown(earlier: Buffer, later: Buffer): Buffer {
  // A copy: the buffer that it was read into is read into again.
  return later.length >= knownBytes
    ? Buffer.from(later.subarray(-knownBytes))
    : Buffer.concat([earlier, later]).subarray(-knownBytes);
}

async function regularFile(handle: FileHandle, path: string): Promise<string> {
  const found = await handle.stat({ bigint: true });
  if (!found.isFile()) throw new Error(`${path} is no regular file`);
  return numberOf(found);
}

async function bytesBefore(handle: FileHandle, offset: number): Promise<Buffer> {
  const length = Math.min(knownBytes, offset);
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await handle.read(buffer, 0, length, offset - length);
  return buffer.subarray(0, bytesRead);
}

/** What is half-written when it is opened will be a new line. */
async function lastLineEnd(handle: FileHandle): Promise<number> {
  const { size } = await handle.stat();
  const from = Math.max(0, size - longestLineBytes);
  const buffer = Buffer.alloc(size - from);
  const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
  const end = buffer.subarray(0, bytesRead).lastIndexOf(newline);
  return end === -1 && from > 0 ? size : from + end + 1;
}

function fingerprint(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex').slice(0, 32);
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
