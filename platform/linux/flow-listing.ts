import { parsePrinted } from '../printed.ts';
import { type AddressTarget, addressRange, isHost } from '../target.ts';

/** Which connections to remove: those with the address at this place, as conntrack names it. */
export interface Match {
  readonly family: 4 | 6;
  /** Source and destination as the first packet had them, then those of the answers. */
  readonly place: '-s' | '-d' | '-r' | '-q';
  readonly text: string;
}

const places = ['-s', '-d', '-r', '-q'] as const;

/**
 * Where the targets, all of one family, stand in what `conntrack -L` printed. A table of 100,000 lines
 * takes about a tenth of a second.
 */
export function matchesIn(listing: string, targets: readonly AddressTarget[]): Match[] {
  const [first] = targets;
  if (first === undefined) return [];
  const { family } = first;
  const isTarget = createMatcher(targets);
  const found = new Map<string, Match>();
  for (const line of listing.split('\n')) {
    for (const [index, printed] of addressesIn(line).entries()) {
      const text = isTarget(printed);
      const place = places[index];
      if (text === undefined || place === undefined) continue;
      found.set(`${place} ${text}`, { family, place, text });
      // One is enough for it to be removed.
      break;
    }
  }
  return [...found.values()];
}

/** `src=`, `dst=` of the first packet, then of the answers. */
function addressesIn(line: string): string[] {
  const addresses: string[] = [];
  let place = 0;
  for (let index = 0; index < places.length; index += 1) {
    const start = line.indexOf(index % 2 === 0 ? 'src=' : 'dst=', place);
    if (start === -1) break;
    place = line.indexOf(' ', start);
    addresses.push(line.slice(start + 4, place === -1 ? undefined : place));
    if (place === -1) break;
  }
  return addresses;
}

/** The canonical spelling of a printed address that is a target or lies in one. */
function createMatcher(targets: readonly AddressTarget[]): (printed: string) => string | undefined {
  const hosts = new Set(targets.filter(isHost).map(({ text }) => text));
  const ranges = targets.filter((target) => !isHost(target)).map(addressRange);
  const seen = new Map<string, string | undefined>();
  const judge = (printed: string): string | undefined => {
    const target = parsePrinted(printed);
    if (target === undefined) return undefined;
    if (hosts.has(target.text)) return target.text;
    const { first } = addressRange(target);
    const inside = ranges.some((range) => range.first <= first && first <= range.last);
    return inside ? target.text : undefined;
  };
  return (printed) => {
    if (hosts.has(printed)) return printed;
    if (!seen.has(printed)) seen.set(printed, judge(printed));
    return seen.get(printed);
  };
}
