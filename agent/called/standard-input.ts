import type { Readable } from 'node:stream';

/** Upstream reads a line with fgets and a buffer of 65,536 bytes; what is behind that is the next line. */
const longestLine = 65_535;
const newline = 0x0a;

/**
 * Reads lines, their ends included. Resolves with undefined at the end, and when nothing came within
 * `limitMs`; from then on nothing comes any more.
 */
export function createLineReader(
  source: Readable,
  limitMs: number,
): () => Promise<Buffer | undefined> {
  let waiting = Buffer.alloc(0);
  let ended = false;
  let wake: () => void = () => {};
  const end = (): void => {
    ended = true;
    wake();
  };
  source.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    if (waiting.length >= longestLine) source.pause();
    wake();
  });
  for (const event of ['end', 'error', 'close']) source.on(event, end);

  const more = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(end, limitMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      source.resume();
    });

  return async () => {
    for (;;) {
      const lineEnd = waiting.indexOf(newline) + 1;
      if (lineEnd > 0 || waiting.length >= longestLine || ended) {
        const length = Math.min(lineEnd > 0 ? lineEnd : waiting.length, longestLine);
        const line = waiting.subarray(0, length);
        waiting = waiting.subarray(length);
        return line.length === 0 ? undefined : line;
      }
      await more();
    }
  };
}
