import type { Reporter } from '../desk/desk.ts';

/** A reply goes out before anything is told of it; the logs follow a few times a second. */
const tellEveryMs = 200;
/** So many at a time; requests that came in meanwhile have their turn in between. */
const toldAtOnce = 256;
/** More events than this do not wait. */
const waitingAtMost = 50_000;

export interface LaterReporter extends Reporter {
  /** Tells what still waits to be told. */
  flush(): void;
}

/** Tells the same in the same order, once those who wait for a reply have it. */
export function reportLater(reporter: Reporter): LaterReporter {
  let waiting: (() => void)[] = [];
  let told = 0;
  let planned = false;

  const tell = (upTo: number): void => {
    for (; told < upTo; told += 1) waiting[told]?.();
    if (told < waiting.length) return;
    waiting = [];
    told = 0;
  };
  const tellSome = (): void => {
    tell(Math.min(waiting.length, told + toldAtOnce));
    planned = waiting.length > 0;
    if (planned) setImmediate(tellSome);
  };
  const later = (event: () => void): void => {
    waiting.push(event);
    if (waiting.length >= waitingAtMost) tell(waiting.length);
    if (planned) return;
    planned = true;
    setTimeout(tellSome, tellEveryMs);
  };

  return {
    refused: (request, error) => later(() => reporter.refused(request, error)),
    outcome: (order, outcome) => later(() => reporter.outcome(order, outcome)),
    repaired: (instance, repaired, cause) =>
      later(() => reporter.repaired(instance, repaired, cause)),
    fight: (instance, fight) => later(() => reporter.fight?.(instance, fight)),
    flowsEnded: (ended) => later(() => reporter.flowsEnded?.(ended)),
    breaker: (state) => later(() => reporter.breaker?.(state)),
    released: (action, what) => later(() => reporter.released?.(action, what)),
    trouble: (instance, error) => later(() => reporter.trouble(instance, error)),
    flush: () => tell(waiting.length),
  };
}
