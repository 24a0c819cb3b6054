/** Which code has run, as V8 itself counts it block by block. */
import { Session } from 'node:inspector';

interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

interface Script {
  readonly url: string;
  readonly functions: readonly { readonly ranges: readonly Range[] }[];
}

export interface Novelty {
  note(): void;
}

export interface Coverage {
  /** What ran since the last look and had never run before; it stays new until it is noted. */
  look(): Novelty | undefined;
  /** Characters of the project's code that ran, and those of all functions that were loaded. */
  readonly reached: { readonly ran: number; readonly all: number };
}

/** `isOurs` says of which files. */
export function startCoverage(isOurs: (url: string) => boolean): Coverage {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const maps = new Map<string, Uint8Array>();
  const sizes = new Map<string, number>();

  const take = (): readonly Script[] => {
    let result: readonly Script[] = [];
    session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error !== null) throw new Error(error.message);
      ({ result } = answer as { result: readonly Script[] });
    });
    return result;
  };
  const mapOf = (url: string, length: number): Uint8Array => {
    const known = maps.get(url) ?? new Uint8Array(0);
    if (known.length >= length) return known;
    const grown = new Uint8Array(Math.max(length, known.length * 2));
    grown.set(known);
    maps.set(url, grown);
    return grown;
  };
  return {
    look: () => {
      const found: (Stretch & { url: string })[] = [];
      for (const { url, functions } of take()) {
        if (!isOurs(url)) continue;
        const end = functions.reduce((far, one) => Math.max(far, one.ranges[0]?.endOffset ?? 0), 0);
        sizes.set(url, Math.max(sizes.get(url) ?? 0, end));
        const map = mapOf(url, end);
        for (const { ranges } of functions)
          found.push(...unseen(map, ranges).map((one) => ({ ...one, url })));
      }
      if (found.length === 0) return undefined;
      return {
        note: () => {
          for (const { url, from, to } of found) maps.get(url)?.fill(1, from, to);
        },
      };
    },
    get reached() {
      let ran = 0;
      for (const map of maps.values()) for (const one of map) ran += one;
      return { ran, all: [...sizes.values()].reduce((sum, size) => sum + size, 0) };
    },
  };
}

interface Stretch {
  readonly from: number;
  readonly to: number;
}

/**
 * Ranges stand in order, the inner ones behind those that they are in; the innermost one counts. Notes
 * nothing.
 */
function unseen(map: Uint8Array, ranges: readonly Range[]): Stretch[] {
  const found: Stretch[] = [];
  const open: Range[] = [];
  let at = ranges[0]?.startOffset ?? 0;
  const advance = (to: number): void => {
    const first = (open.at(-1)?.count ?? 0) > 0 ? map.indexOf(0, at) : -1;
    if (first !== -1 && first < to) found.push({ from: first, to });
    at = Math.max(at, to);
  };
  const closeUpTo = (start: number): void => {
    for (let top = open.at(-1); top !== undefined && top.endOffset <= start; top = open.at(-1)) {
      advance(top.endOffset);
      open.pop();
    }
  };
  for (const range of ranges) {
    closeUpTo(range.startOffset);
    advance(range.startOffset);
    open.push(range);
  }
  closeUpTo(Number.POSITIVE_INFINITY);
  return found;
}
