/**
 * The routing tables of Windows, as route.exe prints them. Its words are translated; its lines, columns
 * and numbers are not.
 */
import { isIPv4 } from 'node:net';
import { parsePrinted } from '../printed.ts';
import type { CommandStep, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { saidOf } from './answers.ts';
import { lengthOfMask } from './firewall-rules.ts';

type Family = 4 | 6;

export interface Route {
  readonly target: AddressTarget;
  /** The next hop; undefined: there is none, packets go to the interface itself. */
  readonly gateway: string | undefined;
  /** Of IPv4 the address of the interface, of IPv6 its number: so they are printed. */
  readonly by: string;
}

export const families: readonly Family[] = [4, 6];

/** One question for each family. */
export const askRoutes: readonly CommandStep[] = families.map((family) => ({
  kind: 'command',
  tool: 'route',
  args: ['PRINT', `-${family}`],
}));

/**
 * The active routes of one family, or why the answer cannot be understood. Lines of equal signs part
 * what is printed: the interfaces, the title, the active routes, the persistent ones.
 */
export function readRoutes(result: StepResult | undefined, family: Family): Route[] | string {
  const trouble = (why: string): string => `routes of IPv${family}: ${why}`;
  if (result === undefined || result.failure !== undefined) {
    return trouble(saidOf(result));
  }
  const parts = result.stdout.split(/^={20,}\r?\n/m);
  const [, interfaces, , active] = parts;
  if (parts.length !== 5 || interfaces === undefined || active === undefined) {
    return trouble('no table was printed');
  }
  const lines = active.split(/\r?\n/).filter((line) => line.trim() !== '');
  const routes: Route[] = [];
  for (const [index, line] of lines.entries()) {
    const found = family === 4 ? readLine4(line) : readLine6(line, lines[index + 1]);
    if (found !== undefined) routes.push(found);
    else if (begins[family].test(line)) return trouble(`"${line.trim()}" is not understood`);
  }
  // No machine is without routes to itself; but IPv6 can be turned off.
  return routes.length === 0 && family === 4 ? trouble('no route was printed') : routes;
}

/** How lines with a route begin: with its destination, or with two numbers. */
const begins = { 4: /^\s*\d+\.\d/, 6: /^\s*\d+\s+\d/ } as const;

/** Destination, mask, next hop (an address, or words), address of the interface, metric. */
function readLine4(line: string): Route | undefined {
  const cells = line.trim().split(/\s+/);
  const [address = '', mask = ''] = cells;
  const [by = '', metric = ''] = cells.slice(-2);
  if (cells.length < 5 || ![address, mask, by].every((text) => isIPv4(text))) return undefined;
  const length = lengthOfMask(mask);
  if (length === undefined || !/^\d+$/.test(metric)) return undefined;
  const target = parsePrinted(length === 32 ? address : `${address}/${length}`);
  return target && { target, gateway: hop(cells.slice(2, -2).join(' '), isIPv4), by };
}

/** Number of the interface, metric, prefix, next hop; which is in the next line if the prefix is long. */
function readLine6(line: string, next: string | undefined): Route | undefined {
  const [, by, prefix = '', rest = ''] = /^\s*(\d+)\s+\d+\s+(\S+\/\d+)\s*(.*)$/.exec(line) ?? [];
  const target = parsePrinted(prefix);
  if (by === undefined || target?.family !== 6) return undefined;
  const said = rest.trim() === '' ? (next?.trim() ?? '') : rest.trim();
  return { target, gateway: hop(said, (text) => /^[0-9a-f:.]+(%\d+)?$/i.test(text)), by };
}

/** Words in the place of an address say that there is none. */
function hop(text: string, isAddress: (text: string) => boolean): string | undefined {
  return isAddress(text) ? text : undefined;
}

/** The number of the loopback interface, by the one thing that no other has: an MTU of 2^32 - 1. */
export function loopbackIndex(result: StepResult | undefined): number | undefined {
  if (result === undefined || result.failure !== undefined) return undefined;
  for (const line of result.stdout.split(/\r?\n/)) {
    const [, index, mtu] = /^\s*(\d+)\s+\d+\s+(\d+)\s+\S/.exec(line) ?? [];
    if (index !== undefined && mtu === '4294967295') return Number(index);
  }
  return undefined;
}
