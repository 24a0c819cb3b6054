/** What became of a request or a mail, from its result. */
import type { Facts, Judgement, OneShotTraits, Settings } from '../driver.ts';
import type { StepResult } from '../step.ts';

/**
 * Tried for about an hour in all. Nobody is harmed by a notification that comes twice. `perMinute`
 * comes from the configuration.
 */
export function notifierTraits({ perMinute = '10' }: Settings): OneShotTraits {
  return { tries: 20, repeatable: true, atOnce: 4, everyMs: 60_000, burst: Number(perMinute) };
}

/** Alerts without a level count as wanted: somebody asked for them by hand. */
export function belowLevel({ minLevel }: Settings, { level }: Facts): string | undefined {
  if (minLevel === undefined || level === undefined || level >= Number(minLevel)) return undefined;
  return `level ${level} is below its min_level ${minLevel}`;
}

/** HTTP: what asks for patience, and faults of the other side, can pass (RFC 9110, 15). */
export function judgeHttp([result]: readonly StepResult[]): Judgement {
  return judge(result, (status) => status >= 500 || [408, 425, 429].includes(status));
}

/** SMTP: 4xx is transient, 5xx permanent (RFC 5321, 4.2.1). */
export function judgeMail([result]: readonly StepResult[]): Judgement {
  return judge(result, (status) => status < 500);
}

function judge(result: StepResult | undefined, canPass: (status: number) => boolean): Judgement {
  if (result === undefined) return { done: false, why: 'nothing was sent', again: false };
  const { failure, status, retryAfterMs, stderr } = result;
  if (failure === undefined) return { done: true };
  const again = status === undefined || canPass(status);
  const afterMs = again && retryAfterMs !== undefined ? { afterMs: retryAfterMs } : {};
  return { done: false, why: stderr, again, ...afterMs };
}
