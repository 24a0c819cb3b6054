/** What alerts asked for, as the journal has it: the breaker goes by that. */
import type { Journal } from './journal/journal.ts';
import { isAutomatic } from './policy/breaker.ts';

const freshMs = 1_000;

/** How many that alerts asked for are held. It is only counted where it could be `limit` at all. */
export function heldByAlerts(
  journal: Pick<Journal, 'liveCount' | 'countByAlerts'>,
  clock: { now(): number },
  limit: () => number,
): () => number {
  let countedAt = Number.NEGATIVE_INFINITY;
  let counted = 0;
  let liveThen = 0;
  const count = (live: number): number => {
    counted = journal.countByAlerts();
    countedAt = clock.now();
    liveThen = live;
    return counted;
  };
  return () => {
    const live = journal.liveCount();
    // No more than this can be of alerts; close to the limit it has to be known.
    if (live < limit() * 0.9) return live;
    if (clock.now() - countedAt > freshMs) return count(live);
    const atMost = counted + live - liveThen;
    // What came since may be people's, which does not count: it is not guessed where it would decide.
    return atMost >= limit() && live !== liveThen ? count(live) : atMost;
  };
}

/** What they asked for since then, the oldest first: an agent that was restarted goes on counting. */
export function askedByAlerts(
  journal: Pick<Journal, 'lastMade'>,
  since: number,
  atMost: number,
): { target: string; at: number }[] {
  return journal
    .lastMade(atMost + 1)
    .filter(({ createdAt, origin }) => createdAt > since && isAutomatic(origin))
    .map(({ target, createdAt }) => ({ target: target.text, at: createdAt }))
    .reverse();
}
