import type { Action } from '../words.ts';

/** How often something may start: so many times (`burst`) within any `everyMs`, and no oftener. */
export interface Pace {
  /** How many may start now. */
  room(now: number): number;
  /** When there is room next; `now`, if there is. */
  nextAt(now: number): number;
  take(now: number): void;
}

/** `everyMs` 0: as often as one likes. */
export function createPace(everyMs: number, burst: number): Pace {
  if (everyMs === 0) {
    return { room: () => Number.POSITIVE_INFINITY, nextAt: (now) => now, take: () => {} };
  }
  let starts: number[] = [];
  /** Starts later than now were written down before the clock was set back. */
  const recent = (now: number): number[] => {
    starts = starts.filter((at) => at <= now && at > now - everyMs);
    return starts;
  };
  return {
    room: (now) => burst - recent(now).length,
    nextAt: (now) => {
      const taken = recent(now);
      return taken.length < burst ? now : (taken[taken.length - burst] ?? now) + everyMs;
    },
    take: (now) => {
      recent(now).push(now);
    },
  };
}

/**
 * What is due, as so many runs: one each where there is room, the most severe first; the last run is
 * for all that are left.
 */
export function intoRuns(due: readonly Action[], room: number): Action[][] {
  if (due.length <= room) return due.map((action) => [action]);
  const level = ({ facts }: Action): number => facts?.level ?? 0;
  const sorted = due.toSorted((a, b) => level(b) - level(a));
  const alone = Math.max(0, room - 1);
  return [...sorted.slice(0, alone).map((action) => [action]), sorted.slice(alone)];
}
