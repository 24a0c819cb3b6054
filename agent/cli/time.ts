import { describeDuration } from '../config/duration.ts';

/** `2026-11-21 14:19:16`, local time. */
export function moment(iso: string): string {
  const date = new Date(iso);
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, 19).replace('T', ' ');
}

/** How long it is until then: `9m 58s`. */
export function left(iso: string): string {
  return describeDuration(Math.max(0, Math.round((Date.parse(iso) - Date.now()) / 1_000)));
}
