/**
 * What nobody tells of changes, and what costs next to nothing to be asked: a table of the legacy
 * iptables how large it is (IPT_SO_GET_INFO, linux/netfilter_ipv4/ip_tables.h), and sets of ipset how
 * much is in them (IPSET_CMD_LIST for the header, linux/netfilter/ipset/ip_set.h). Both are single calls
 * to the kernel; no program is started.
 */
import type { IpsetWatch, XtablesWatch } from '../../../platform/driver.ts';
import { type Libc, loadLibc } from '../libc.ts';
import {
  readAttributes,
  readMessages,
  textOf,
  writeAttribute,
  writeMessage,
} from './netlink-message.ts';
import { netfilterProtocol } from './nftables-message.ts';
import { ipsetPlace, type OwnWork, xtablesPlace } from './own-work.ts';
import type { OnEvent, Watcher } from './watcher.ts';

/** Twenty times a second, as long as a look takes less than a twentieth of that. */
const everyMs = 50;
const share = 20;
const longestMs = 5_000;

/**
 * Looks now and then while something is held; `look` throws what the system says. `stopHearing` ends what
 * is heard of our own work.
 */
function nowAndThen(look: () => void, forget: () => void, stopHearing: () => void): Watcher {
  let timer: NodeJS.Timeout | undefined;
  let trouble: string | undefined;
  let isHeld = false;
  const turn = (): void => {
    const startedAt = performance.now();
    try {
      look();
      trouble = undefined;
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
    }
    const took = performance.now() - startedAt;
    const pause = trouble === undefined ? Math.max(everyMs, took * share) : longestMs;
    timer = setTimeout(turn, Math.min(longestMs, pause));
    timer.unref();
  };
  return {
    // It sees how much there is, not what.
    hasHeardAll: async () => false,
    trouble: () => trouble,
    held: (now) => {
      if (now === isHeld) return;
      isHeld = now;
      clearTimeout(timer);
      forget();
      if (now) turn();
    },
    stop: () => {
      stopHearing();
      clearTimeout(timer);
      forget();
    },
  };
}

/** struct ipt_getinfo and ip6t_getinfo: a name, and 13 numbers. */
const infoBytes = 84;
const nameBytes = 32;
/** IPPROTO_IP and IPPROTO_IPV6; IPT_SO_GET_INFO and IP6T_SO_GET_INFO. */
const levels = { 4: 0, 6: 41 } as const;
const getInfo = 64;

export function watchXtables({ table }: XtablesWatch, own: OwnWork, onEvent: OnEvent): Watcher {
  let sockets: { readonly libc: Libc; readonly of: ReadonlyMap<4 | 6, number> } | undefined;
  let seen: string | undefined;
  const open = (): typeof sockets => {
    const libc = loadLibc();
    const of = new Map<4 | 6, number>();
    sockets = { libc, of };
    for (const family of [4, 6] as const) {
      // A kernel without IPv6 has none of the second kind.
      try {
        of.set(family, libc.rawSocket(family));
      } catch (error) {
        if (family === 4) throw error;
      }
    }
    return sockets;
  };
  const sizes = (): string => {
    const { libc, of } = sockets ?? (open() as NonNullable<typeof sockets>);
    return [...of].map(([family, descriptor]) => sizeOf(libc, descriptor, family, table)).join(' ');
  };
  const look = (): void => {
    if (own.isBusy(xtablesPlace)) return;
    const now = sizes();
    if (seen !== undefined && now !== seen) {
      onEvent({ kind: 'changed', what: `table ${table} of iptables changed` });
    }
    seen = now;
  };
  const stopHearing = own.onDone(xtablesPlace, () => {
    if (seen !== undefined && !own.isBusy(xtablesPlace)) seen = sizes();
  });
  const forget = (): void => {
    seen = undefined;
    for (const descriptor of sockets?.of.values() ?? []) sockets?.libc.close(descriptor);
    sockets = undefined;
  };
  return nowAndThen(look, forget, stopHearing);
}

function sizeOf(libc: Libc, descriptor: number, family: 4 | 6, table: string): string {
  const info = Buffer.alloc(infoBytes);
  info.write(table, 0, nameBytes - 1, 'latin1');
  try {
    libc.askOption(descriptor, levels[family], getInfo, info);
  } catch {
    return 'none';
  }
  return info.toString('hex', nameBytes);
}

/** Command 7 of subsystem 6; only the header of the set named. */
const listSet = (6 << 8) | 7;
const request = 1;
const headerOnly = Buffer.from([0, 0, 0, 4]);
const attribute = { protocol: 1, name: 2, flags: 6, data: 7, elements: 24 } as const;
/** NLA_F_NET_BYTEORDER */
const inNetworkOrder = 0x4000;
/** struct nfgenmsg: AF_INET, version 0, and a number that nobody uses. */
const netfilterHeader = Buffer.from([2, 0, 0, 0]);
const protocolVersion = 6;

/** What is empty is looked at once a second, unless we have put something into it. */
const emptyEvery = 20;

export function watchIpset({ sets }: IpsetWatch, own: OwnWork, onEvent: OnEvent): Watcher {
  let opened: { readonly libc: Libc; readonly descriptor: number } | undefined;
  let seen = 0;
  let before = 0;
  let filled: readonly string[] = [];
  let turnsToAll = 0;
  const room = Buffer.alloc(65_536);
  const open = (): NonNullable<typeof opened> => {
    const libc = loadLibc();
    opened = { libc, descriptor: libc.netlinkSocket(netfilterProtocol, [], 65_536) };
    return opened;
  };
  const look = (): void => {
    const { libc, descriptor } = opened ?? open();
    if (turnsToAll === 0) {
      filled = sets;
      turnsToAll = emptyEvery;
    }
    turnsToAll -= 1;
    const counts = filled.map((set) => countIn(libc, descriptor, set, room));
    filled = filled.filter((_, index) => counts[index] !== 0);
    const stand = counts.reduce((sum, count) => sum + count, 0);
    // Twice, as what was put in may be written down only now.
    if (stand < seen || stand < before) {
      const what = `${sets.join(', ')} of ipset: ${Math.max(seen, before) - stand} entries fewer`;
      onEvent({ kind: 'changed', what, stand });
    }
    before = seen;
    seen = stand;
  };
  const forget = (): void => {
    if (opened !== undefined) opened.libc.close(opened.descriptor);
    opened = undefined;
    seen = 0;
    before = 0;
    turnsToAll = 0;
  };
  const stopHearing = own.onDone(ipsetPlace, () => {
    turnsToAll = 0;
  });
  return nowAndThen(look, forget, stopHearing);
}

/** How many entries are in a set; none where there is no such set. */
function countIn(libc: Libc, descriptor: number, set: string, room: Buffer): number {
  libc.send(descriptor, writeMessage(listSet, request, askFor(set)));
  for (;;) {
    const length = libc.hear(descriptor, room);
    if (length === 'lost' || length < 0) return 0;
    for (const { type, payload } of readMessages(room.subarray(0, length))) {
      if (type !== listSet) continue;
      const count = elementsIn(payload, set);
      if (count !== undefined) {
        drain(libc, descriptor, room);
        return count;
      }
    }
  }
}

function askFor(set: string): Buffer {
  return Buffer.concat([
    netfilterHeader,
    writeAttribute(attribute.protocol, Buffer.from([protocolVersion])),
    writeAttribute(attribute.name, Buffer.from(`${set}\0`)),
    writeAttribute(attribute.flags | inNetworkOrder, headerOnly),
  ]);
}

function elementsIn(payload: Buffer, set: string): number | undefined {
  const outer = readAttributes(payload, netfilterHeader.length);
  const name = outer.find(({ type }) => type === attribute.name);
  const data = outer.find(({ type }) => type === attribute.data);
  if (name === undefined || data === undefined || textOf(name.value) !== set) return undefined;
  const count = readAttributes(data.value, 0).find(({ type }) => type === attribute.elements);
  return count?.value.length === 4 ? count.value.readUInt32BE(0) : undefined;
}

/** What follows the answer: that it was all. */
function drain(libc: Libc, descriptor: number, room: Buffer): void {
  for (;;) {
    const length = libc.hear(descriptor, room);
    if (length === 'lost' || length < 0) return;
  }
}
