/**
 * What of an agent's life stands in the event log of Windows, where people look first: its start, its end,
 * and what went wrong. Everything else is in its log file.
 */
import { hideAddresses } from './hide-addresses.ts';

type EventType = 'error' | 'warning' | 'information';

/** Numbers by which entries can be found and filtered; docs/platforms.md has them. */
const eventIds = {
  started: 1,
  stopped: 2,
  failed: 3,
  trouble: 4,
  held: 5,
} as const;

export interface EventEntries {
  started(text: string): void;
  stopped(): void;
  /** The agent does not run because of this. */
  failed(why: string): void;
  /** An error of the log, while it runs. Those that come too close are counted, and told later. */
  trouble(facts: object, event: string): void;
}

/** So many errors in so long; a log that is flooded hides what matters. */
const burst = 10;
const windowMs = 10 * 60_000;
const longest = 1_000;

export function createEventEntries(
  write: (type: EventType, id: number, text: string) => void,
  now: () => number,
): EventEntries {
  let begunAt = Number.NEGATIVE_INFINITY;
  let told = 0;
  let untold = 0;
  const tellUntold = (): void => {
    if (untold === 0) return;
    write('warning', eventIds.held, `${untold} more errors are in the log file of ar-exec alone.`);
    untold = 0;
  };
  return {
    started: (text) => write('information', eventIds.started, oneLine(text)),
    stopped: () => {
      tellUntold();
      write('information', eventIds.stopped, 'The agent has stopped.');
    },
    failed: (why) => write('error', eventIds.failed, `The agent does not run: ${oneLine(why)}`),
    trouble: (facts, event) => {
      if (now() - begunAt >= windowMs) {
        tellUntold();
        begunAt = now();
        told = 0;
      }
      if (told >= burst) {
        untold += 1;
        return;
      }
      told += 1;
      write('error', eventIds.trouble, oneLine(`${event}: ${JSON.stringify(facts)}`));
    },
  };
}

/** Of a webhook only its host; nothing that could look like another entry. */
function oneLine(text: string): string {
  const hidden = String(hideAddresses(text));
  return hidden.replace(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').slice(0, longest);
}
