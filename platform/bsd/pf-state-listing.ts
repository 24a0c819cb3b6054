/** Whose states `pfctl -s states` lists. */
import { parsePrinted } from '../printed.ts';
import { type AddressTarget, addressRange, isHost } from '../target.ts';

/** A state with one of the addresses that were asked for. */
export interface FoundState {
  readonly target: AddressTarget;
  /** Its number, as `-vv` prints it. */
  readonly id: string | undefined;
  /** `pfctl -k` with the target ends it: the target has begun it, and nothing is translated. */
  readonly byTarget: boolean;
}

/**
 * A state is a line that begins with an interface, and lines with blanks before them (print_state in
 * pf_print_state.c):
 *
 *     all tcp 192.0.2.1:22 <- 203.0.113.7:61022       ESTABLISHED:ESTABLISHED
 *        [3163270384 + 65535] wscale 6  [3163270384 + 66048] wscale 6
 *        id: 03be016b00000000 creatorid: 8cf59fbf gateway: 0.0.0.0
 */
export function statesIn(listing: string, targets: readonly AddressTarget[]): FoundState[] {
  const find = createMatcher(targets);
  const found: FoundState[] = [];
  let last: Omit<FoundState, 'id'> | undefined;
  let id: string | undefined;
  const end = (): void => {
    if (last !== undefined) found.push({ ...last, id });
    last = undefined;
    id = undefined;
  };
  for (const line of listing.split('\n')) {
    if (line.startsWith(' ')) {
      if (last !== undefined) id ??= /^ +id: ([0-9a-f]+) /.exec(line)?.[1];
      continue;
    }
    end();
    last = readState(line, find);
  }
  end();
  return found;
}

type Find = (printed: string) => AddressTarget | undefined;

function readState(line: string, find: Find): Omit<FoundState, 'id'> | undefined {
  const [, left, arrow, right] = /^\S+ \S+ (\S.*?) (->|<-) (.*?) {2,}\S/.exec(line) ?? [];
  if (left === undefined || right === undefined) return undefined;
  const [source, destination] = arrow === '->' ? [left, right] : [right, left];
  const begun = find(hostOf(source));
  // A word that stands alone is neither translated nor of another routing domain.
  if (begun !== undefined && !source.includes(' ')) return { target: begun, byTarget: true };
  for (const word of `${source} ${destination}`.split(' ')) {
    const target = find(hostOf(word.replace(/^\(|\)$/g, '')));
    if (target !== undefined) return { target, byTarget: false };
  }
  return undefined;
}

/** The address of `192.0.2.1:22` or `2001:db8::1[22]`; ports are left out where there are none. */
function hostOf(word: string): string {
  return word.includes('[') || word.split(':').length > 2
    ? word.replace(/\[\d+\]$/, '')
    : word.replace(/:\d+$/, '');
}

function createMatcher(targets: readonly AddressTarget[]): Find {
  const hosts = new Map(targets.filter(isHost).map((target) => [target.text, target]));
  const wide = targets
    .filter((target) => !isHost(target))
    .map((target) => ({ target, ...addressRange(target) }));
  const seen = new Map<string, AddressTarget | undefined>();
  const judge: Find = (printed) => {
    const one = parsePrinted(printed);
    if (one === undefined) return undefined;
    const { first } = addressRange(one);
    const isIn = ({ target, ...range }: (typeof wide)[number]): boolean =>
      target.family === one.family && range.first <= first && first <= range.last;
    return hosts.get(one.text) ?? wide.find(isIn)?.target;
  };
  return (printed) => {
    if (!seen.has(printed)) seen.set(printed, judge(printed));
    return seen.get(printed);
  };
}
