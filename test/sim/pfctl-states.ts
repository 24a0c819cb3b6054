/** pf's states: `pfctl -s states`, `pfctl -k`. */
import { covers, type Pf, type PfState, parseEntry } from './pf-world.ts';
import type { Said } from './pfctl-options.ts';
import type { Call, SimSystem } from './simulator.ts';

/** print_state in pf_print_state.c; transcripts pf-states2.freebsd15, pf-states.openbsd76. */
export function printState(system: SimSystem, state: PfState, verbose: number): string[] {
  const { direction, domain, proto, id } = state;
  const host = (name: string, before?: string): string => {
    const where = domain === undefined ? '' : `(${domain}) `;
    return `${where}${name}${before === undefined ? '' : ` (${where}${before})`}`;
  };
  const source = host(state.source, state.sourceBefore);
  const destination = host(state.destination, state.destinationBefore);
  const ends = direction === 'out' ? `${source} -> ${destination}` : `${destination} <- ${source}`;
  const gateway = system === 'freebsd15' ? ' gateway: 0.0.0.0' : '';
  return [
    `all ${proto} ${ends}       ${state.ended}`,
    ...(verbose > 0
      ? [
          '   [3163270384 + 65535] wscale 6  [3163270384 + 66048] wscale 6',
          '   age 00:00:10, expires in 23:59:50, 3:2 pkts, 172:112 bytes, rule 0',
        ]
      : []),
    ...(verbose > 1 ? [`   id: ${id} creatorid: 8cf59fbf${gateway}`] : []),
  ];
}

export function killStates({ system }: Call, kill: readonly string[], pf: Pf): Said {
  const [first = '', second] = kill;
  // pfctl(8) of macOS knows hosts and networks alone.
  if (first === 'id' && second !== undefined && system !== 'macos14') {
    return killed(
      pf,
      ({ id }) => id === second,
      (count) => `killed ${count} states`,
    );
  }
  const hosts: string[] = [];
  for (const word of kill) {
    const host = readHost(system, word);
    if (host === undefined)
      return { err: [`pfctl: getaddrinfo: ${noName(system, word)}`], exitCode: 1 };
    hosts.push(host);
  }
  const [from = '', to] = hosts;
  const says = (count: number): string =>
    `killed ${count} states from 1 sources and ${to === undefined ? 0 : 1} destinations`;
  // Finding 2: FreeBSD 15 writes the second address over the first, and nothing fits.
  if (to !== undefined && system === 'freebsd15') return killed(pf, () => false, says);
  return killed(
    pf,
    (state) =>
      state.domain === undefined &&
      covers(from, hostOf(state.source)) &&
      (to === undefined || covers(to, hostOf(state.destination))),
    says,
  );
}

/** Transcripts: `0/0` is a network on FreeBSD, and a name that nobody has on OpenBSD. */
function readHost(system: SimSystem, word: string): string | undefined {
  if (word === '0/0' && system !== 'openbsd76') return '0.0.0.0/0';
  const entry = parseEntry(word);
  return entry === 'bad-mask' ? undefined : entry;
}

/** Transcripts pf-tables, pf-states; of macOS its C library. */
function noName(system: SimSystem, word: string): string {
  switch (system) {
    case 'freebsd13':
      return 'Name does not resolve';
    case 'freebsd15':
      return 'Name could not be resolved at this time';
    case 'openbsd76':
      return word === '0/0' ? 'no address associated with name' : 'name or service is not known';
    default:
      return 'nodename nor servname provided, or not known';
  }
}

function killed(pf: Pf, fits: (state: PfState) => boolean, says: (count: number) => string): Said {
  const before = pf.states.length;
  pf.states = pf.states.filter((state) => !fits(state));
  return { err: [says(before - pf.states.length)] };
}

function hostOf(place: string): string {
  return place.includes('[') || place.split(':').length > 2
    ? place.replace(/\[\d+\]$/, '')
    : place.replace(/:\d+$/, '');
}
