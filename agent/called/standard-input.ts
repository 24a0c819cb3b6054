import { fstatSync, readSync } from 'node:fs';
import { Socket } from 'node:net';

/** Upstream reads a line with fgets and a buffer of 65,536 bytes; what is behind that is the next line. */
const longestLine = 65_535;
const newline = 0x0a;

/**
 * Reads lines, their ends included, from a descriptor: a pipe or a socket, or a file, where nothing has
 * to be waited for. Resolves with undefined at the end, and when nothing came within `limitMs`.
 */
export function createLineReader(
  descriptor: number,
  limitMs: number,
): () => Promise<Buffer | undefined> {
  let waiting = Buffer.alloc(0);
  let ended = false;
  let wake: () => void = () => {};
  const source = openSource(descriptor);
  source?.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    if (waiting.length >= longestLine) source.pause();
    wake();
  });
  for (const event of ['end', 'error', 'close']) {
    source?.on(event, () => {
      ended = true;
      wake();
    });
  }

  const fill = (): Promise<void> =>
    new Promise((resolve) => {
      if (source === undefined) {
        const chunk = readBlock(descriptor);
        if (chunk.length === 0) ended = true;
        waiting = Buffer.concat([waiting, chunk]);
        resolve();
        return;
      }
      const timer = setTimeout(() => {
        ended = true;
        wake();
      }, limitMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
      source.resume();
    });

  return async () => {
    for (;;) {
      const end = waiting.indexOf(newline) + 1;
      if (end > 0 || waiting.length >= longestLine || ended) {
        const length = Math.min(end > 0 ? end : waiting.length, longestLine);
        const line = waiting.subarray(0, length);
        waiting = waiting.subarray(length);
        return line.length === 0 ? undefined : line;
      }
      await fill();
    }
  };
}

/** Undefined for what can be read at once. */
function openSource(descriptor: number): Socket | undefined {
  const found = fstatSync(descriptor);
  if (!found.isFIFO() && !found.isSocket()) return undefined;
  return new Socket({ fd: descriptor, readable: true, writable: false }).pause();
}

function readBlock(descriptor: number): Buffer {
  const block = Buffer.alloc(longestLine);
  try {
    return block.subarray(0, readSync(descriptor, block));
  } catch {
    return block.subarray(0, 0);
  }
}
