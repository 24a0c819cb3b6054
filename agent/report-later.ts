import type { Reporter } from './desk.ts';

/** A reply goes out before anything is told of it; the logs follow a few times a second. */
const tellEveryMs = 200;
/** More events than this do not wait. */
const waitingAtMost = 20_000;

export interface LaterReporter extends Reporter {
  /** Tells what still waits to be told. */
  flush(): void;
}

/** Tells the same in the same order, once those who wait for a reply have it. */
export function reportLater(reporter: Reporter): LaterReporter {
  let waiting: (() => void)[] = [];
  let timer: NodeJS.Timeout | undefined;

  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    const events = waiting;
    waiting = [];
    for (const tell of events) tell();
  };
  const later = (tell: () => void): void => {
    waiting.push(tell);
    if (waiting.length >= waitingAtMost) flush();
    else timer ??= setTimeout(flush, tellEveryMs);
  };

  return {
    refused: (request, error) => later(() => reporter.refused(request, error)),
    outcome: (order, outcome) => later(() => reporter.outcome(order, outcome)),
    repaired: (instance, repaired) => later(() => reporter.repaired(instance, repaired)),
    trouble: (instance, error) => later(() => reporter.trouble(instance, error)),
    flush,
  };
}
