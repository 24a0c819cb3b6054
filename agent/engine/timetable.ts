/** Node's timers end at 2^31 ms, 24.8 days; a look every hour also bounds what a late timer costs. */
const longestSleepMs = 3_600_000;
/** After a failure of the work itself (a disk that is full), so that it is not tried in a loop. */
const troubleSleepMs = 1_000;

export interface TimetableOptions {
  now(): number;
  /** When something is due next, milliseconds since 1970. */
  nextDueAt(): number | undefined;
  /** Does what is due; whatever is still due afterwards is done in another turn. */
  work(): Promise<void>;
  onError(error: unknown): void;
}

export interface Timetable {
  /** Looks at the next deadline again, because something changed. */
  look(): void;
  stop(): void;
}

/** Wakes up when something is due. Holds no deadlines itself: the journal has them. */
export function createTimetable(options: TimetableOptions): Timetable {
  let timer: NodeJS.Timeout | undefined;
  let working = false;
  let stopped = false;

  const look = (): void => {
    if (working || stopped) return;
    clearTimeout(timer);
    try {
      const next = options.nextDueAt();
      if (next !== undefined) sleep(Math.max(0, next - options.now()));
    } catch (error) {
      options.onError(error);
      sleep(troubleSleepMs);
    }
  };

  const sleep = (ms: number): void => {
    clearTimeout(timer);
    if (!stopped) timer = setTimeout(() => void wake(), Math.min(longestSleepMs, Math.ceil(ms)));
  };

  const wake = async (): Promise<void> => {
    working = true;
    try {
      const next = options.nextDueAt();
      if (next !== undefined && next <= options.now()) await options.work();
      working = false;
      look();
    } catch (error) {
      working = false;
      options.onError(error);
      sleep(troubleSleepMs);
    }
  };

  return {
    look,
    stop: () => {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
