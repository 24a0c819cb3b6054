/**
 * A circuit breaker: when alerts ask for more than a machine could stand to lose, what they ask for is
 * refused until it is calm again. Whoever can forge alerts could block everybody else with them.
 */
import { ArError } from '../errors.ts';
import type { Origin } from '../words.ts';

export interface BreakerSettings {
  /** New targets within a minute; 0: any number. */
  readonly perMinute: number;
  /** What was asked for by alerts and stands at a time; 0: any number. */
  readonly held: number;
  /** So long below the rate, and it closes by itself. */
  readonly calmSeconds: number;
}

export interface BreakerState {
  readonly open: boolean;
  /** Which of the limits opened it. */
  readonly why?: 'rate' | 'held';
  /** Milliseconds since 1970. */
  readonly since?: number;
  /** Requests that were refused since then. */
  readonly refused?: number;
  /** Targets that were asked for anew within the last minute, as far as they are counted. */
  readonly lastMinute: number;
  readonly settings: BreakerSettings;
}

export interface Breaker {
  /**
   * To be called for each new wish of an alert; `pending` wait to be written down. Throws
   * `breaker-open`.
   */
  check(target: string, pending: number): void;
  state(): BreakerState;
  /** Closes it before it is calm; what was asked for until now counts no more. */
  close(): void;
}

interface BreakerOptions {
  settings(): BreakerSettings;
  /** How many that were asked for by alerts are held; need not be exact to the second. */
  held(): number;
  now(): number;
  /** Asked for within the last minute before this process began, the oldest first. */
  readonly before: readonly { readonly target: string; readonly at: number }[];
  onChange(state: BreakerState): void;
}

const minuteMs = 60_000;
/** It closes when so much of what may be held is held. */
const roomAgain = 0.9;

export function createBreaker({ settings, held, now, before, onChange }: BreakerOptions): Breaker {
  /** When each target was asked for last, the oldest first; never more than one above the limit. */
  const recent = new Map(before.map(({ target, at }) => [target, at]));
  let opened:
    | { readonly why: 'rate' | 'held'; readonly since: number; refused: number }
    | undefined;
  let excessAt = 0;

  const forget = (): void => {
    const { perMinute } = settings();
    for (const [target, at] of recent) {
      if (at > now() - minuteMs && recent.size <= perMinute + 1) return;
      recent.delete(target);
    }
  };
  const state = (): BreakerState => ({
    open: opened !== undefined,
    ...opened,
    lastMinute: recent.size,
    settings: settings(),
  });
  const open = (why: 'rate' | 'held'): void => {
    if (opened !== undefined) return;
    opened = { why, since: now(), refused: 0 };
    onChange(state());
  };
  const shut = (): void => {
    if (opened === undefined) return;
    const last = state();
    opened = undefined;
    onChange({ ...last, open: false });
  };
  /** Opens or closes it, as things are now. */
  const look = (pending = 0): void => {
    const limits = settings();
    forget();
    const tooFast = limits.perMinute > 0 && recent.size > limits.perMinute;
    if (tooFast) excessAt = now();
    const holds = limits.held > 0 ? held() + pending : 0;
    if (opened?.why === 'held' && (limits.held === 0 || holds < limits.held * roomAgain)) shut();
    if (opened?.why === 'rate' && !tooFast) {
      if (limits.perMinute === 0 || now() - excessAt >= limits.calmSeconds * 1_000) shut();
    }
    if (tooFast) open('rate');
    else if (limits.held > 0 && holds >= limits.held) open('held');
  };

  return {
    check: (target, pending) => {
      recent.delete(target);
      recent.set(target, now());
      look(pending);
      if (opened === undefined) return;
      opened.refused += 1;
      throw refusal(opened.why, settings());
    },
    state: () => {
      look();
      return state();
    },
    close: () => {
      recent.clear();
      shut();
      look();
    },
  };
}

/** Whether nobody asked for it but an alert, or a manager because of one. */
export function isAutomatic({ dialect }: Origin): boolean {
  return dialect !== 'native' && dialect !== 'recovered';
}

function refusal(why: 'rate' | 'held', { perMinute, held }: BreakerSettings): ArError {
  const what =
    why === 'rate'
      ? `alerts asked for more than ${perMinute} new targets within a minute`
      : `alerts hold ${held} actions already`;
  return new ArError(
    'breaker-open',
    `the breaker is open: ${what}`,
    'See whether the alerts are genuine. People can still add; "ar-exec breaker close" closes it.',
  );
}
