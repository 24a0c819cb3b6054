/** What pf holds on a simulated machine, and how its tools print addresses. */
import ipaddr from 'ipaddr.js';

export interface PfTable {
  readonly constant?: boolean;
  readonly persist: boolean;
  /** As they are printed, `!` before exceptions; in order. */
  entries: string[];
}

export interface PfAnchor {
  /** As they are printed. */
  rules: string[];
  tables: Record<string, PfTable>;
}

export interface PfState {
  /** 16 hexadecimal digits. */
  readonly id: string;
  readonly proto: string;
  /** As this machine sees it. */
  readonly direction: 'in' | 'out';
  readonly source: string;
  readonly destination: string;
  /** What stands behind the source or the destination in parentheses, where it is translated. */
  readonly sourceBefore?: string;
  readonly destinationBefore?: string;
  /** OpenBSD's routing domain, if not 0. */
  readonly domain?: number;
  readonly ended: string;
}

export interface Pf {
  enabled: boolean;
  /** By path; the main ruleset is ''. */
  anchors: Record<string, PfAnchor>;
  states: PfState[];
  entryLimit: number;
  /** Who keeps it enabled (macOS), the newest first. */
  tokens: string[];
  /** OpenBSD: somebody ran into the limit. */
  stuck: boolean;
  /** What the word `self` means in a table. */
  self: string[];
}

export function pfOf(parts: Record<string, unknown>): Pf {
  const fresh: Pf = {
    enabled: false,
    anchors: {},
    states: [],
    entryLimit: 200_000,
    tokens: [],
    stuck: false,
    self: [],
  };
  const world = { ...fresh, ...(parts['pf'] as Partial<Pf> | undefined) };
  world.anchors[''] ??= { rules: [], tables: {} };
  parts['pf'] = world;
  return world;
}

export function anchorAt(pf: Pf, path: string): PfAnchor {
  pf.anchors[path] ??= { rules: [], tables: {} };
  return pf.anchors[path];
}

/** An address as pfctl parses it: host bits are cleared without a word; undefined: it asks DNS. */
export function parseEntry(text: string): string | 'bad-mask' | undefined {
  const [plain = '', ...rest] = text.split('/');
  const address = plain.replace(/%.*$/, '');
  if (!ipaddr.IPv4.isValidFourPartDecimal(address) && !ipaddr.IPv6.isValid(address))
    return undefined;
  const parsed = ipaddr.parse(address);
  const full = parsed.kind() === 'ipv4' ? 32 : 128;
  const length = rest.length === 0 ? full : Number(rest[0]);
  if (!Number.isInteger(length) || length < 0 || length > full) return 'bad-mask';
  const bytes = parsed.toByteArray().map((byte, index) => {
    const bits = Math.min(8, Math.max(0, length - index * 8));
    return byte & (0xff << (8 - bits)) & 0xff;
  });
  const printed = print(bytes);
  return length === full ? printed : `${printed}/${length}`;
}

/** inet_ntop(3) of the BSDs: what begins with 96 bits of zeros ends in four decimal numbers. */
function print(bytes: number[]): string {
  const parsed = ipaddr.fromByteArray(bytes);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const words = parsed.parts;
  const zeros = words.findIndex((word) => word !== 0);
  const decimal = bytes.slice(12).join('.');
  if (zeros === 6 || (zeros === 7 && words[7] !== 1)) return `::${decimal}`;
  if (zeros === 5 && words[5] === 0xffff) return `::ffff:${decimal}`;
  return parsed.toRFC5952String();
}

/** IPv4 before IPv6, each by its bits, as the radix tree is walked. */
export function sortEntries(entries: readonly string[]): string[] {
  const key = (entry: string): string => {
    const [address = '', length = '999'] = entry.replace('!', '').split('/');
    const bytes = ipaddr.parse(address).toByteArray();
    const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return `${bytes.length === 4 ? 4 : 6} ${hex} ${length.padStart(3, '0')}`;
  };
  return entries
    .map((entry) => [key(entry), entry] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, entry]) => entry);
}

/** Whether an address, printed, lies in an entry. */
export function covers(entry: string, address: string): boolean {
  const [base = '', length] = entry.replace('!', '').split('/');
  const [one, other] = [ipaddr.parse(base), ipaddr.parse(address)];
  if (one.kind() !== other.kind()) return false;
  const bits = length === undefined ? (one.kind() === 'ipv4' ? 32 : 128) : Number(length);
  return one instanceof ipaddr.IPv4
    ? (other as ipaddr.IPv4).match(one, bits)
    : (other as ipaddr.IPv6).match(one, bits);
}

/** OpenBSD forgets an anchor that nothing is in (transcript pf-tables.openbsd76). */
export function forgetEmpty(pf: Pf, path: string): void {
  const anchor = pf.anchors[path];
  if (path === '' || anchor === undefined) return;
  if (anchor.rules.length + Object.keys(anchor.tables).length === 0) delete pf.anchors[path];
}
