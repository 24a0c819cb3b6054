/** What the kernel tells of changes to nftables (linux/netfilter/nf_tables.h). */
import type { NftablesWatch } from '../../../platform/driver.ts';
import { type NetlinkMessage, readAttributes, textOf } from './netlink-message.ts';

/** NETLINK_NETFILTER, and its group NFNLGRP_NFTABLES. */
export const netfilterProtocol = 12;
export const nftablesGroup = 7;

export interface NftablesChange {
  readonly verb: 'made' | 'gone';
  readonly thing: 'table' | 'chain' | 'rule' | 'set' | 'element' | 'object' | 'flowtable';
  readonly family: number;
  readonly table: string;
  /** Of sets and elements: the name of the set. */
  readonly set: string | undefined;
}

const subsystem = 10;
/** NFPROTO_*, linux/netfilter.h. */
const families = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const;
const kinds = new Map<number, Pick<NftablesChange, 'verb' | 'thing'>>([
  [0, { verb: 'made', thing: 'table' }],
  [2, { verb: 'gone', thing: 'table' }],
  [3, { verb: 'made', thing: 'chain' }],
  [5, { verb: 'gone', thing: 'chain' }],
  [6, { verb: 'made', thing: 'rule' }],
  [8, { verb: 'gone', thing: 'rule' }],
  [9, { verb: 'made', thing: 'set' }],
  [11, { verb: 'gone', thing: 'set' }],
  [12, { verb: 'made', thing: 'element' }],
  [14, { verb: 'gone', thing: 'element' }],
  [18, { verb: 'made', thing: 'object' }],
  [20, { verb: 'gone', thing: 'object' }],
  [22, { verb: 'made', thing: 'flowtable' }],
  [24, { verb: 'gone', thing: 'flowtable' }],
]);
const newGeneration = 15;
/** The table's name is the first attribute of each, the set's name the second of those that have one. */
const attribute = { table: 1, set: 2, programOfGeneration: 3 } as const;
const headerBytes = 4;

export function readChange({ type, payload }: NetlinkMessage): NftablesChange | undefined {
  const kind = type >> 8 === subsystem ? kinds.get(type & 0xff) : undefined;
  if (kind === undefined || payload.length < headerBytes) return undefined;
  const named = readAttributes(payload, headerBytes);
  const text = (of: number): string | undefined => {
    const found = named.find((one) => one.type === of);
    return found === undefined ? undefined : textOf(found.value);
  };
  const table = text(attribute.table);
  if (table === undefined) return undefined;
  const inSet = kind.thing === 'set' || kind.thing === 'element';
  const set = inSet ? text(attribute.set) : undefined;
  return { ...kind, family: payload[0] ?? 0, table, set };
}

/** The name of the program that made the changes before this message, if it ends them. */
export function programOf({ type, payload }: NetlinkMessage): string | undefined {
  if (type !== ((subsystem << 8) | newGeneration)) return undefined;
  const named = readAttributes(payload, headerBytes);
  const found = named.find((one) => one.type === attribute.programOfGeneration);
  return found === undefined ? undefined : textOf(found.value);
}

/** Whether a change can concern what is watched. */
export function concerns({ family, table, set }: NftablesWatch, change: NftablesChange): boolean {
  if (change.table !== table || change.family !== families[family]) return false;
  if (set === undefined) return true;
  // In somebody else's table: what comes beside ours is theirs, and a rule is none of our business.
  if (change.thing === 'table') return change.verb === 'gone';
  if (change.set !== set) return false;
  return change.verb === 'gone' || change.thing === 'set';
}

export function describeChange(change: NftablesChange, { family }: NftablesWatch): string {
  const where = `table ${family} ${change.table}`;
  if (change.thing === 'table') return `${where} ${change.verb === 'gone' ? 'deleted' : 'changed'}`;
  const of = change.set === undefined ? '' : ` ${change.set}`;
  const what = change.thing === 'element' ? `element of${of}` : `${change.thing}${of}`;
  return `${where}: ${what} ${change.verb === 'gone' ? 'deleted' : 'added'}`;
}
