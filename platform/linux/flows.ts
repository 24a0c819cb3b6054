/**
 * Ends connections that stand: sockets of this machine with `ss -K`, which tells their process and the
 * other side, then the kernel's memory of connections (`conntrack -D`), without which a packet of a
 * forwarded or translated connection is a new one and has to pass the rules.
 *
 * In this order: a socket that goes on sending would be remembered anew at once.
 */
import type { FlowPlan, FlowsRead, PlanFlows } from '../flows.ts';
import type { CommandStep, StepResult } from '../step.ts';
import { type AddressTarget, isHost } from '../target.ts';
import { type Match, matchesIn } from './flow-listing.ts';

/**
 * ss gives its filter to the kernel as a program in one netlink attribute (64 kB at most), about 40
 * bytes an IPv6 address, and reads lines of 4 kB (iproute2 6.1): so a line an address, and not too
 * many. 500 take 0.05 s.
 */
const targetsPerFilter = 500;
/**
 * `conntrack -D` takes one address and reads the kernel's whole table, a quarter of a second for
 * 100,000 connections. So only one address is asked for as it is; for more the table is read once, and
 * those that have connections are asked for, so many of them. (`conntrack -R` would take a list of
 * commands, but reads the table for each all the same, and does not open a pipe: 1.4.7.)
 */
const removalsAtMost = 200;

export const planFlows: PlanFlows = (all) => {
  // A block of everything ends by itself whatever it ends.
  const targets = all.filter(({ prefixLength }) => prefixLength > 0);
  const sockets = socketSteps(targets);
  const direct = targets.length === 1 && targets.every(isHost);
  const table = direct ? targets.flatMap(everyPlace).map(removal) : listings(targets);
  return {
    steps: [...sockets, ...table],
    read: (results) => {
      const ended = readSockets(results.slice(0, sockets.length));
      const rest = results.slice(sockets.length);
      return direct
        ? sum(ended, readRemovals(targets, rest))
        : sum(ended, readListings(targets, rest));
    },
  };
};

const states = ['state', 'connected', 'exclude', 'time-wait'] as const;
/** No header, TCP and UDP, numbers; the addresses come by standard input. */
const options = ['-H', '-t', '-u', '-n', ...states, '-F', '-'] as const;

/** Sockets that the kernel cannot end are passed over in silence; so what is left is asked for. */
function socketSteps(targets: readonly AddressTarget[]): CommandStep[] {
  return chunks(targets, targetsPerFilter).flatMap((some): CommandStep[] => {
    const stdin = `${some.map(dst).join(' or\n')}\n`;
    return [
      { kind: 'command', tool: 'ss', args: ['-K', ...options], stdin },
      { kind: 'command', tool: 'ss', args: options, stdin },
    ];
  });
}

function dst({ family, text }: AddressTarget): string {
  return family === 4 ? `dst ${text}` : `dst [${text}]`;
}

function readSockets(results: readonly StepResult[]): FlowsRead {
  const all = chunks(results, 2).map(([killed, left]) => {
    if (killed === undefined || left === undefined) return nothing;
    if (killed.failure !== undefined) return trouble(`ss: ${said(killed)}`);
    const sockets = linesIn(killed);
    const standing = linesIn(left);
    if (standing === 0) return { sockets, flows: 0, troubles: [] };
    const why = killed.stderr.trim() || 'the kernel cannot (CONFIG_INET_DIAG_DESTROY)';
    return { sockets, flows: 0, troubles: [`ss: ${standing} sockets are left: ${why}`] };
  });
  return all.reduce(sum, nothing);
}

/** The direction and the end of a connection at which an address stands, as conntrack names them. */
const places = ['-s', '-d', '-r', '-q'] as const;

function everyPlace({ family, text }: AddressTarget): Match[] {
  return places.map((place) => ({ family, place, text }));
}

function removal({ family, place, text }: Match): CommandStep {
  return { kind: 'command', tool: 'conntrack', args: ['-D', '-f', `ipv${family}`, place, text] };
}

/** What was removed is printed; that there was nothing to remove is status 1. */
function readRemovals(
  targets: readonly AddressTarget[],
  results: readonly StepResult[],
): FlowsRead {
  const read = results.map(readRemoval).reduce(sum, nothing);
  return read.flows === 0 ? read : { ...read, again: targets };
}

function readRemoval(result: StepResult): FlowsRead {
  const nothingThere = result.exitCode === 1 && /: 0 flow entries/.test(result.stderr);
  if (result.failure !== undefined && !nothingThere) return trouble(`conntrack: ${said(result)}`);
  return { sockets: 0, flows: linesIn(result), troubles: [] };
}

function listings(targets: readonly AddressTarget[]): CommandStep[] {
  return familiesOf(targets).map((family) => {
    return { kind: 'command', tool: 'conntrack', args: ['-L', '-f', `ipv${family}`] };
  });
}

function familiesOf(targets: readonly AddressTarget[]): (4 | 6)[] {
  return ([4, 6] as const).filter((family) => targets.some((one) => one.family === family));
}

function readListings(
  targets: readonly AddressTarget[],
  results: readonly StepResult[],
): FlowsRead {
  const matches: Match[] = [];
  const troubles: string[] = [];
  for (const [index, family] of familiesOf(targets).entries()) {
    const result = results[index];
    if (result === undefined) continue;
    if (result.failure !== undefined) troubles.push(`conntrack: ${said(result)}`);
    else
      matches.push(
        ...matchesIn(
          result.stdout,
          targets.filter((one) => one.family === family),
        ),
      );
  }
  const some = matches.slice(0, removalsAtMost);
  const left = matches.length - some.length;
  if (left > 0)
    troubles.push(`conntrack: more connections than can be ended at once, ${left} left`);
  const read = { sockets: 0, flows: 0, troubles };
  return some.length === 0 ? read : { ...read, next: removeEach(some) };
}

function removeEach(matches: readonly Match[]): FlowPlan {
  const hosts = new Map(matches.map((match) => [match.text, hostOf(match)]));
  return {
    steps: matches.map(removal),
    read: (results) => readRemovals([...hosts.values()], results),
  };
}

function hostOf({ family, text }: Match): AddressTarget {
  return { kind: 'address', family, text, address: text, prefixLength: family === 4 ? 32 : 128 };
}

const nothing: FlowsRead = { sockets: 0, flows: 0, troubles: [] };

function trouble(why: string): FlowsRead {
  return { ...nothing, troubles: [why] };
}

/** The same trouble is told once. */
function sum(one: FlowsRead, other: FlowsRead): FlowsRead {
  const next = one.next ?? other.next;
  const again = [...(one.again ?? []), ...(other.again ?? [])];
  return {
    sockets: one.sockets + other.sockets,
    flows: one.flows + other.flows,
    troubles: [...new Set([...one.troubles, ...other.troubles])],
    ...(again.length === 0 ? {} : { again }),
    ...(next === undefined ? {} : { next }),
  };
}

function said({ failure, stderr }: StepResult): string {
  if (failure === 'missing') return 'not installed';
  const [first = ''] = stderr.trim().split('\n');
  return first.replace(/^conntrack v\S+ \(conntrack-tools\): /, '') || (failure ?? 'no answer');
}

function linesIn({ stdout }: StepResult): number {
  return stdout.split('\n').filter((line) => line !== '').length;
}

function chunks<Item>(items: readonly Item[], size: number): Item[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}
