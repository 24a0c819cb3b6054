/**
 * Listens to what the kernel tells of changes: a netlink socket for each part of it, read by events
 * (readable.ts). What processes of ours have done is passed over without being looked at.
 */
import { loadLibc } from '../libc.ts';
import { onReadable } from '../readable.ts';
import { causeOf, type NetlinkMessage, readMessages } from './netlink-message.ts';
import type { OwnWork } from './own-work.ts';

export interface NetlinkListener {
  /** What somebody else did, one call for each of their messages to the kernel. */
  onMessages(messages: readonly NetlinkMessage[], process: number): void;
  /** The kernel left out some of what happened. */
  onLost(): void;
}

export interface NetlinkSource {
  /** Throws where this machine has no such socket. */
  listen(listener: NetlinkListener): () => void;
  /** Reads what is there, should a signal have been missed. */
  look(): void;
}

/** What 100,000 elements of a set are told with takes 10 MB, and the kernel counts its own data too. */
const bufferBytes = 33_554_432;
/** Of one datagram; the kernel's own limit is 8 kB for notifications. */
const longestBytes = 65_536;
/** Datagrams in one turn of the event loop: a few milliseconds of work. */
const inOneTurn = 1_024;

export function createNetlinkSource(
  protocol: number,
  groups: readonly number[],
  own: Pick<OwnWork, 'isOurs'>,
): NetlinkSource {
  const listeners = new Set<NetlinkListener>();
  let opened: { drain(): void; close(): void } | undefined;

  const open = (): typeof opened => {
    const libc = loadLibc();
    const descriptor = libc.netlinkSocket(protocol, groups, bufferBytes);
    const room = Buffer.alloc(longestBytes);
    let planned = false;
    let isOpen = true;
    const take = (datagram: Buffer): void => {
      const cause = causeOf(datagram);
      if (own.isOurs(cause)) return;
      const messages = readMessages(datagram);
      for (const listener of [...listeners]) listener.onMessages(messages, cause);
    };
    const drain = (): void => {
      if (planned || !isOpen) return;
      for (let turn = 0; turn < inOneTurn; turn += 1) {
        const length = libc.hear(descriptor, room);
        if (length === 'lost') for (const listener of [...listeners]) listener.onLost();
        else if (length < 0) return;
        else take(room.subarray(0, Math.min(length, room.length)));
      }
      planned = true;
      setImmediate(() => {
        planned = false;
        drain();
      });
    };
    const listenNoMore = onReadable(drain);
    libc.signalWhenReadable(descriptor);
    return {
      drain,
      close: () => {
        isOpen = false;
        listenNoMore();
        libc.close(descriptor);
      },
    };
  };

  return {
    listen: (listener) => {
      opened ??= open();
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        opened?.close();
        opened = undefined;
      };
    },
    look: () => opened?.drain(),
  };
}
