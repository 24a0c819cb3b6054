import { readFileSync } from 'node:fs';

/** `Sat May  7 03:17:27 UTC 2011`, as date(1) writes it in the C locale: what OSSEC's decoders read. */
export function cDate(time: Date, zone = zoneRule()): string {
  const [day, month, date, year, clock] = time.toString().split(' ');
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${clock} ${zoneName(time, zone)} ${year}`;
}

/**
 * The short name of the zone that holds at `time`. `rule` is in the form of POSIX, as the last line of a
 * zone file has it: `CET-1CEST,M3.5.0,M10.5.0/3` (RFC 9636, 3.3).
 */
export function zoneName(time: Date, rule: string): string {
  const name = '<?([A-Za-z0-9+-]{3,}?)>?';
  const found = new RegExp(`^${name}([+-]?\\d[\\d:]*)(?:${name}(?=[-+\\d,]|$))?`).exec(rule);
  const [, standard, offset = '', summer] = found ?? [];
  if (standard === undefined) return time.getTimezoneOffset() === 0 ? 'UTC' : numeric(time);
  const apart = Math.abs(minutes(offset) - time.getTimezoneOffset());
  if (apart === 0) return standard;
  return apart <= 60 && summer !== undefined ? summer : numeric(time);
}

/** What date(1) writes for zones without a name: `+03`. */
function numeric(time: Date): string {
  const offset = -time.getTimezoneOffset();
  const hours = String(Math.trunc(Math.abs(offset) / 60)).padStart(2, '0');
  const rest = Math.abs(offset) % 60;
  return `${offset < 0 ? '-' : '+'}${hours}${rest === 0 ? '' : String(rest).padStart(2, '0')}`;
}

function minutes(offset: string): number {
  const [hours = 0, rest = 0] = offset.replace(/^[+-]/, '').split(':').map(Number);
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + rest);
}

/** It is read once: the process keeps to the zone that it began with, too. */
let knownRule: string | undefined;

function zoneRule(): string {
  knownRule ??= readZoneRule();
  return knownRule;
}

function readZoneRule(): string {
  const named = process.env['TZ']?.replace(/^:/, '');
  if (named?.includes('..') === true) return '';
  const file =
    named === undefined || named === ''
      ? '/etc/localtime'
      : named.startsWith('/')
        ? named
        : `/usr/share/zoneinfo/${named}`;
  try {
    return readFileSync(file, 'latin1').trimEnd().split('\n').at(-1) ?? '';
  } catch {
    return named ?? '';
  }
}
