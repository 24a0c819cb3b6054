import type { Frame, FrameParser } from 'node-ipc';

/** A line that has begun and not ended. */
export interface Partial {
  text: string;
}

/**
 * What the parser hands on:
 * - `line`: a whole line, without its end (`data`: string)
 * - `partial`: a line has begun (`data`: Partial; it grows until the next `line`)
 * - `oversize`: a line is longer than the limit; nothing of this connection is read any more
 */
export type LineFrame = 'line' | 'partial' | 'oversize';

/** Marks a connection of which nothing is read any more. */
const closed = Symbol('closed');

/** Newline-delimited messages for node-ipc, bounded: nothing longer than `limitBytes` is kept. */
export function createLineParser(limitBytes: number): FrameParser {
  return {
    raw: false,
    encoding: 'utf8',
    encode: (_type, data) => `${String(data)}\n`,
    read: (remainder, chunk, receive) => {
      if (remainder === closed) return closed;
      const partial = isPartial(remainder) ? remainder : undefined;
      return readLines(partial, chunk, limitBytes, receive);
    },
  };
}

function readLines(
  partial: Partial | undefined,
  chunk: string,
  limitBytes: number,
  receive: (frame: Frame) => void,
): unknown {
  let start = 0;
  let begun = partial;
  for (let end = chunk.indexOf('\n'); end !== -1; end = chunk.indexOf('\n', start)) {
    const line = `${begun?.text ?? ''}${chunk.slice(start, end)}`;
    if (tooLong(line, limitBytes)) return refuse(limitBytes, receive);
    begun = undefined;
    start = end + 1;
    receive({ type: 'line' satisfies LineFrame, data: line });
  }
  if (start === chunk.length) return begun ?? '';
  const rest = chunk.slice(start);
  if ((begun?.text.length ?? 0) + rest.length > limitBytes) return refuse(limitBytes, receive);
  if (begun !== undefined) {
    begun.text += rest;
    return begun;
  }
  const fresh: Partial = { text: rest };
  receive({ type: 'partial' satisfies LineFrame, data: fresh });
  return fresh;
}

function tooLong(line: string, limitBytes: number): boolean {
  return line.length * 3 > limitBytes && Buffer.byteLength(line) > limitBytes;
}

function refuse(limitBytes: number, receive: (frame: Frame) => void): typeof closed {
  receive({ type: 'oversize' satisfies LineFrame, data: limitBytes });
  return closed;
}

function isPartial(remainder: unknown): remainder is Partial {
  return typeof remainder === 'object' && remainder !== null && 'text' in remainder;
}
