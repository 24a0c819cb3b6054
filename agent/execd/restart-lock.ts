/** Keeps the manager's agent from being restarted for a while, as its own upgrade asks for. */
export interface RestartLock {
  /** 0 ends it. */
  lock(seconds: number): void;
  /** Seconds that are left; 0 when there is none. */
  remaining(): number;
}

/** `now` in milliseconds, of a clock that nobody sets. */
export function createRestartLock(now: () => number = () => performance.now()): RestartLock {
  let until = 0;
  return {
    lock: (seconds) => {
      until = now() + seconds * 1_000;
    },
    remaining: () => Math.max(0, Math.ceil((until - now()) / 1_000)),
  };
}
