import { uptime } from 'node:os';
import { performance } from 'node:perf_hooks';

/** A step of the wall clock that is larger than this is taken for somebody setting it. */
const stepMs = 1_500;

export interface Clock {
  /** The time, in milliseconds since 1970. Does not jump when the wall clock is set. */
  now(): number;
  /** Compares with the wall clock; returns by how much it was set since the last look (0: not). */
  checkWall(): number;
}

/**
 * Time that goes on evenly while the wall clock is set back and forth.
 *
 * The wall clock gives the start, the monotonic clock what has passed since; the time since boot
 * counts through a suspend (CLOCK_BOOTTIME), during which the monotonic clock stands still.
 */
export function createClock(): Clock {
  let base = Date.now();
  let monotonic = performance.now();
  let sinceBoot = uptime() * 1_000;
  const now = (): number => Math.round(base + (performance.now() - monotonic));

  return {
    now,
    checkWall: () => {
      const passed = performance.now() - monotonic;
      const passedSinceBoot = uptime() * 1_000 - sinceBoot;
      const suspended = passedSinceBoot - passed > stepMs ? passedSinceBoot - passed : 0;
      base = now() + suspended;
      monotonic = performance.now();
      sinceBoot = uptime() * 1_000;
      const ahead = Date.now() - base;
      base += ahead;
      // Small differences are the wall clock being slewed: they are followed, and mean nothing.
      return Math.abs(ahead) > stepMs ? ahead : 0;
    },
  };
}
