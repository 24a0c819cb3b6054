import type { Readable } from 'node:stream';

/** Of what a script prints, so much is kept; the rest is read and thrown away. */
const keptBytes = 64 * 1024;

export interface Kept {
  /** What was kept, as text. */
  text(): string;
}

/** Reads a stream to its end, so that whoever writes never waits, and keeps the beginning. */
export function keepBeginning(stream: Readable): Kept {
  const pieces: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (piece: Buffer) => {
    const room = keptBytes - bytes;
    if (room <= 0) return;
    // A copy: a short piece would keep the whole buffer alive that it was read into.
    pieces.push(Buffer.from(piece.subarray(0, room)));
    bytes += Math.min(room, piece.length);
  });
  stream.on('error', () => {});
  return { text: () => Buffer.concat(pieces).toString('utf8') };
}

/** Hands over each line, without its end, until it is told that no more are wanted. Long ones are left out. */
export function readLines(
  stream: Readable,
  longestBytes: number,
  take: (line: string) => 'more' | 'enough',
): void {
  let begun: Buffer[] = [];
  let bytes = 0;
  let enough = false;
  const end = (): void => {
    const line = bytes <= longestBytes ? Buffer.concat(begun).toString('utf8') : undefined;
    begun = [];
    bytes = 0;
    if (line !== undefined && line !== '' && take(line) === 'enough') enough = true;
  };
  const onData = (piece: Buffer): void => {
    let start = 0;
    while (!enough) {
      const newline = piece.indexOf(10, start);
      const rest = piece.subarray(start, newline === -1 ? undefined : newline);
      bytes += rest.length;
      if (bytes <= longestBytes) begun.push(Buffer.from(rest));
      if (newline === -1) break;
      end();
      start = newline + 1;
    }
    if (!enough) return;
    begun = [];
    stream.off('data', onData);
  };
  stream.on('data', onData);
  // The last line may lack its end.
  stream.once('end', () => {
    if (!enough) end();
  });
}
