/**
 * When a desk compares journal and machine because something has happened on the machine: at once, but
 * never more than a tenth of the time for nothing, and slower and slower if somebody goes on undoing what is put back.
 */
import type { Watch, WatchEvent } from '../../platform/driver.ts';

/** Why journal and machine are compared. */
export interface Cause {
  readonly by: 'start' | 'watch' | 'interval' | 'batch' | 'again';
  /** What happened, as far as somebody told. */
  readonly what?: string | undefined;
}

/** Somebody listens for a driver's `watch`; see agent/system/watch/watcher.ts. */
export interface Listening {
  hasHeardAll(): Promise<boolean>;
  trouble(): string | undefined;
  held(isHeld: boolean): void;
  stop(): void;
}

export type Listen = (watch: Watch, onEvent: (event: WatchEvent) => void) => Listening;

/** What a look came to. */
export interface Looked {
  readonly tookMs: number;
  /** Something did not stand as it should. */
  readonly damage: boolean;
}

/** What ar-exec puts back is undone again and again. */
export interface Fight {
  readonly times: number;
  readonly withinMs: number;
  readonly what: string | undefined;
  /** How long it is left as it is before it is put back the next time. */
  readonly pauseMs: number;
}

export interface AttentionOptions {
  readonly watches: readonly Watch[];
  readonly listen: Listen;
  look(cause: Cause): Promise<Looked>;
  /** Whether there is anything that could have gone. */
  inUse(): boolean;
  /** How many effects must stand at least. */
  standing(): number;
  onFight(fight: Fight): void;
  onCalm(): void;
}

export interface Attention {
  /** Nothing can have happened since the last look without being known. */
  hasHeardAll(): Promise<boolean>;
  /** Whether there is something to lose now. */
  held(isHeld: boolean): void;
  state(): {
    /** What is listened to. */
    readonly watched: readonly Watch['kind'][];
    readonly troubles: readonly string[];
    readonly fighting: boolean;
  };
  stop(): void;
}

/** Who flushes one thing mostly flushes another right after. */
const settleMs = 10;
/** Looks that find nothing may take a tenth of the time, after so much of it at once. */
const share = 0.1;
const atOnceMs = 1_000;
const longestRestMs = 10_000;
/** So many repairs within this time are no accident. */
const fightTimes = 4;
const fightWithinMs = 15_000;
const firstPauseMs = 1_000;
const longestPauseMs = 60_000;
const calmMs = 30_000;

export function createAttention(options: AttentionOptions): Attention {
  const { watches, look } = options;
  let timer: NodeJS.Timeout | undefined;
  let calm: NodeJS.Timeout | undefined;
  let looking = false;
  let stopped = false;
  /** What happened and was not looked at yet. */
  let news: { what: string } | undefined;
  let notBefore = 0;
  /** How long looks may still take that find nothing, as it was at a time. */
  let allowance = { ms: atOnceMs, at: performance.now() };
  let damagedAt: number[] = [];
  let pauseMs: number | undefined;

  const onEvent = ({ kind, what, stand }: WatchEvent): void => {
    // What comes back can bring along what is held no longer.
    if (kind === 'gone' && !options.inUse()) return;
    if (stand !== undefined && stand >= options.standing()) return;
    news ??= { what };
    plan();
  };

  const plan = (): void => {
    if (timer !== undefined || looking || stopped) return;
    timer = setTimeout(() => void turn(), Math.max(settleMs, notBefore - performance.now()));
  };

  const turn = async (): Promise<void> => {
    timer = undefined;
    looking = true;
    const what = news?.what;
    news = undefined;
    const { tookMs, damage } = await look({ by: 'watch', what });
    looking = false;
    const now = performance.now();
    if (damage) noteDamage(now, what);
    else spend(now, tookMs);
    if (news !== undefined) plan();
  };

  /** Others may do a lot that is none of our business, and that only a look can tell. */
  const spend = (now: number, tookMs: number): void => {
    const earned = Math.min(atOnceMs, allowance.ms + (now - allowance.at) * share);
    allowance = { ms: earned - tookMs, at: now };
    const debt = Math.max(0, -allowance.ms);
    notBefore = Math.max(notBefore, now + Math.min(longestRestMs, debt / share));
  };

  const noteDamage = (now: number, what: string | undefined): void => {
    damagedAt = [...damagedAt.filter((at) => at > now - fightWithinMs), now];
    const times = damagedAt.length;
    if (pauseMs === undefined && times < fightTimes) return;
    pauseMs = pauseMs === undefined ? firstPauseMs : Math.min(longestPauseMs, pauseMs * 2);
    notBefore = now + pauseMs;
    const withinMs = Math.round(now - (damagedAt[0] ?? now));
    options.onFight({ times, withinMs, what, pauseMs });
    clearTimeout(calm);
    calm = setTimeout(endFight, Math.max(calmMs, 2 * pauseMs));
    calm.unref();
  };

  const endFight = (): void => {
    pauseMs = undefined;
    damagedAt = [];
    options.onCalm();
  };

  const listening = watches.map((watch) => options.listen(watch, onEvent));

  return {
    hasHeardAll: async () => {
      if (listening.length === 0) return false;
      const heard = await Promise.all(listening.map((one) => one.hasHeardAll()));
      return heard.every((all) => all) && news === undefined && !looking && timer === undefined;
    },
    held: (isHeld) => {
      for (const one of listening) one.held(isHeld);
    },
    state: () => ({
      watched: watches.map(({ kind }) => kind),
      troubles: listening.flatMap((one) => one.trouble() ?? []),
      fighting: pauseMs !== undefined,
    }),
    stop: () => {
      stopped = true;
      clearTimeout(timer);
      clearTimeout(calm);
      for (const one of listening) one.stop();
    },
  };
}
