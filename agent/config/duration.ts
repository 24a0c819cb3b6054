import { ArError } from '../errors.ts';

const secondsPer = { d: 86_400, h: 3_600, m: 60, s: 1 } as const;

/** Ten years of 365 days. A longer wish is a slip: "for good" is said by naming no time at all. */
const longestSeconds = 10 * 365 * secondsPer.d;

/** `90`, or parts with a unit, the longer unit first, each unit once at most. */
const form = /^(?:(\d+)|(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)? ?(?:(\d+)s)?)$/;

/**
 * Understands `600` (seconds), `90s`, `10m`, `2h`, `7d` and `1h30m` or `1h 30m`; returns seconds.
 * Everything else is refused: a time that was misread is a block that ends at the wrong moment.
 */
export function parseDuration(text: string): number {
  const given = text.trim();
  const parts = given === '' ? null : form.exec(given);
  if (parts === null) throw refusal(given, 'is not a duration');
  const [, bare, days, hours, minutes, seconds] = parts.map((part) => Number(part ?? 0));
  const total =
    (bare ?? 0) +
    (days ?? 0) * secondsPer.d +
    (hours ?? 0) * secondsPer.h +
    (minutes ?? 0) * secondsPer.m +
    (seconds ?? 0);
  if (total === 0) throw refusal(given, 'is no time at all');
  if (total > longestSeconds) throw refusal(given, 'is longer than 10 years');
  return total;
}

/** Says a duration in the words that `parseDuration` takes back: `1h 30m`. */
export function describeDuration(seconds: number): string {
  let left = Math.max(0, Math.floor(seconds));
  const parts: string[] = [];
  for (const [unit, size] of Object.entries(secondsPer)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count}${unit}`);
  }
  return parts.length === 0 ? '0s' : parts.join(' ');
}

function refusal(given: string, why: string): ArError {
  const shown = JSON.stringify(given.length > 40 ? `${given.slice(0, 40)}…` : given);
  return new ArError(
    'timeout-invalid',
    `${shown} ${why}.`,
    'Write whole seconds (600) or days, hours, minutes and seconds (7d, 2h, 10m, 90s, 1h30m), more than none and 10 years at most.',
  );
}
