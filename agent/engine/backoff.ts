const firstPauseMs = 1_000;
const longestPauseMs = 300_000;

/** The pause before the next try, doubling from one second to five minutes; `attempts` counts from 0. */
export function pauseMs(attempts: number): number {
  return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(attempts, 20));
}
