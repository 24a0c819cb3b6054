/**
 * SQLite's write-ahead log, read without SQLite (https://www.sqlite.org/fileformat.html#walformat).
 *
 * SQLite itself takes what follows a frame with a wrong checksum for the rest of an older log, and says
 * nothing. That is right for a write that was cut off, and wrong for a log with a damaged bit in it.
 */

export interface Wal {
  readonly pageSize: number;
  /** What was committed, as far as can be told, the newest version of each page: where it begins. */
  readonly pages: ReadonlyMap<number, number>;
  /**
   * `torn`: the last transaction was cut off, or its bytes are damaged; whatever was in it is not known.
   * `damaged`: something was committed after the place where SQLite stops reading.
   */
  readonly state: 'whole' | 'torn' | 'damaged';
}

const headerBytes = 32;
const frameHeaderBytes = 24;
const magic = 0x377f0682;

interface Frame {
  readonly page: number;
  readonly start: number;
  readonly isCommit: boolean;
  readonly isSound: boolean;
}

/** Undefined: there is nothing in it. */
export function readWal(bytes: Uint8Array): Wal | undefined {
  if (bytes.length < headerBytes + frameHeaderBytes) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isLittle = (view.getUint32(0) & 1) === 0;
  const headerSum = checksum(view, 0, 24, isLittle, [0, 0]);
  const isHeaderSound =
    (view.getUint32(0) & ~1) >>> 0 === magic &&
    headerSum[0] === view.getUint32(24) &&
    headerSum[1] === view.getUint32(28);
  const pageSize = isHeaderSound ? view.getUint32(8) : likelyPageSize(view);
  if (pageSize === undefined) return undefined;
  const frames = readFrames(
    view,
    pageSize,
    isHeaderSound ? { isLittle, sum: headerSum } : undefined,
  );
  const lastCommit = frames.findLastIndex(({ isCommit }) => isCommit);
  const firstUnsound = frames.findIndex(({ isSound }) => !isSound);
  const beyond =
    firstUnsound < 0 ? 0 : frames.slice(firstUnsound).filter(({ isCommit }) => isCommit).length;
  const pages = new Map<number, number>();
  for (const { page, start } of frames.slice(0, lastCommit + 1)) pages.set(page, start);
  const isDamaged = beyond > 1 || (beyond > 0 && !isHeaderSound);
  return { pageSize, pages, state: isDamaged ? 'damaged' : firstUnsound < 0 ? 'whole' : 'torn' };
}

/** The frames of the generation that is being written: older ones have other salts. */
function readFrames(
  view: DataView,
  pageSize: number,
  header: { readonly isLittle: boolean; readonly sum: Sum } | undefined,
): Frame[] {
  const frames: Frame[] = [];
  const saltAt = header === undefined ? headerBytes + 8 : 16;
  const salts = [view.getUint32(saltAt), view.getUint32(saltAt + 4)];
  const step = frameHeaderBytes + pageSize;
  let sum = header?.sum ?? [0, 0];
  let isSound = header !== undefined;
  for (let at = headerBytes; at + step <= view.byteLength; at += step) {
    const strange = differingBits(view, at + 8, salts);
    if (strange > mostDamagedBits) break;
    if (header !== undefined && isSound) {
      sum = checksum(view, at, 8, header.isLittle, sum);
      sum = checksum(view, at + frameHeaderBytes, pageSize, header.isLittle, sum);
      isSound =
        strange === 0 && sum[0] === view.getUint32(at + 16) && sum[1] === view.getUint32(at + 20);
    }
    const isCommit = view.getUint32(at + 4) !== 0;
    frames.push({ page: view.getUint32(at), start: at + frameHeaderBytes, isCommit, isSound });
  }
  return frames;
}

/** A new generation has salts of its own, one of them drawn by lot: damage leaves more of them. */
const mostDamagedBits = 2;

function differingBits(view: DataView, at: number, salts: readonly number[]): number {
  let count = 0;
  for (const [index, salt] of salts.entries()) {
    for (let bits = view.getUint32(at + index * 4) ^ salt; bits !== 0; bits &= bits - 1) count += 1;
  }
  return count;
}

/** That of the frames, if the header cannot be trusted: two frames with the same salts lie so far apart. */
function likelyPageSize(view: DataView): number | undefined {
  const salt = view.getUint32(headerBytes + 8);
  for (let size = 512; size <= 65_536; size *= 2) {
    const next = headerBytes + frameHeaderBytes + size;
    if (next + frameHeaderBytes > view.byteLength) break;
    if (view.getUint32(next + 8) === salt) return size;
  }
  const alone = view.byteLength - headerBytes - frameHeaderBytes;
  return alone >= 512 && (alone & (alone - 1)) === 0 ? alone : undefined;
}

type Sum = readonly [number, number];

function checksum(
  view: DataView,
  start: number,
  length: number,
  isLittle: boolean,
  [first, second]: Sum,
): Sum {
  let [a, b] = [first, second];
  for (let at = start; at < start + length; at += 8) {
    a = (a + view.getUint32(at, isLittle) + b) >>> 0;
    b = (b + view.getUint32(at + 4, isLittle) + a) >>> 0;
  }
  return [a, b];
}
