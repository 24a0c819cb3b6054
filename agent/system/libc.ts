/**
 * The calls of the C library that datagram sockets of the family unix need, and sockets that the kernel
 * tells of changes: Node has none for them (docs/decisions/0018-datagrams.md, 0019-watching.md).
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { ArError } from '../errors.ts';
import { withFfi } from './ffi.ts';

/** Numbers of Linux, the same on x86, ARM, RISC-V, s390 and POWER (include/uapi/asm-generic). */
const family = { unix: 1, ipv4: 2, ipv6: 10, netlink: 16 } as const;
const type = { datagram: 2, raw: 3, closeOnExec: 0o2000000, nonBlocking: 0o4000 } as const;
const level = 1;
const option = { type: 3, receiveBuffer: 8, receiveBufferForced: 33, domain: 39 } as const;
/** SOL_NETLINK and NETLINK_ADD_MEMBERSHIP (linux/netlink.h); IPPROTO_RAW. */
const netlinkLevel = 270;
const joinGroup = 1;
const rawProtocol = 255;
const control = { getDescriptorFlags: 1, setDescriptorFlags: 2, getFlags: 3, setFlags: 4 } as const;
const setOwner = 8;
const setSignal = 10;
/** PR_CAPBSET_DROP (prctl(2)). */
const dropFromBounding = 24;
const closeOnExec = 1;
/** O_ASYNC: a signal tells that there is something to read. */
const asynchronous = 0o20000;
/** ENOBUFS: the kernel had more to say than there was room for, and left out some. */
const noRoom = 105;
/** MSG_DONTWAIT | MSG_TRUNC: never waits, and tells a datagram's own length if it was cut. */
const dontWait = 0x40;
const receiving = dontWait | 0x20;
/** MSG_DONTWAIT | MSG_NOSIGNAL. */
const sending = dontWait | 0x4000;
/** sun_path of unix(7) is 108 bytes with its end. */
const longestPathBytes = 107;

/**
 * The signal that tells it. Not SIGIO, which is the usual one: its default is to end the process, and
 * there are libraries that take it for the end (signal-exit, which execa brings). This one is ignored
 * where nobody listens.
 */
export const readable = 'SIGURG';

export interface Libc {
  /** A new datagram socket of the family unix. Throws what the system says. */
  datagramSocket(): number;
  isUnixDatagram(descriptor: number): boolean;
  /** The path a socket is bound to; empty for one that has none. */
  boundPath(descriptor: number): string;
  bind(descriptor: number, path: string): void;
  /** Whether somebody reads from the socket at this path. */
  isRead(path: string): boolean;
  setReceiveBuffer(descriptor: number, bytes: number): void;
  /** One datagram to the socket at this address (`@` at its beginning: an abstract one). Throws what the system says. */
  tell(address: string, text: string): void;
  /** What is read next, without waiting: its length, which may be beyond the buffer; -1 for nothing. */
  receive(descriptor: number, into: Buffer): number;
  /** Sends all of it, without waiting. Throws what the system says. */
  send(descriptor: number, bytes: Buffer): void;
  /** A socket to a part of the kernel (netlink(7)), which hears of what these groups are told. */
  netlinkSocket(protocol: number, groups: readonly number[], bufferBytes: number): number;
  /** As `receive`; `lost` where the kernel says that it has left out some. */
  hear(descriptor: number, into: Buffer): number | 'lost';
  /** A socket that sees no packets, to ask the kernel about a family's tables by. */
  rawSocket(family: 4 | 6): number;
  /** Asks with what is in the buffer, which the answer is written to. Throws what the system says. */
  askOption(descriptor: number, level: number, name: number, into: Buffer): void;
  /** Neither this process nor one that it starts gets a capability ever again; false if it may not. */
  giveUp(capability: number): boolean;
  /** From now on `readable` tells this process that there is something to read. */
  signalWhenReadable(descriptor: number): void;
  signalNoMore(descriptor: number): void;
  /** Programs that are started do not get it. */
  keepToOurselves(descriptor: number): void;
  close(descriptor: number): void;
}

let loaded: Libc | undefined;

/** Throws `socket-unusable` where this Node or this system does not have it. */
export function loadLibc(): Libc {
  loaded ??= load();
  return loaded;
}

function openFfi() {
  try {
    return withFfi((ffi) => {
      const { functions } = ffi.dlopen(null, {
        socket: { arguments: ['int32', 'int32', 'int32'], return: 'int32' },
        bind: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
        connect: { arguments: ['int32', 'buffer', 'uint32'], return: 'int32' },
        close: { arguments: ['int32'], return: 'int32' },
        send: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
        sendto: {
          arguments: ['int32', 'buffer', 'uint64', 'int32', 'buffer', 'uint32'],
          return: 'int64',
        },
        recv: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
        fcntl: { arguments: ['int32', 'int32', 'int64'], return: 'int32' },
        getsockname: { arguments: ['int32', 'buffer', 'buffer'], return: 'int32' },
        getsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'], return: 'int32' },
        setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
        prctl: {
          arguments: ['int32', 'uint64', 'uint64', 'uint64', 'uint64'],
          return: 'int32',
        },
        __errno_location: { arguments: [], return: 'pointer' },
      });
      return { functions, errno: () => ffi.getInt32(functions.__errno_location()) };
    });
  } catch (cause) {
    throw new ArError(
      'socket-unusable',
      `datagram sockets cannot be used here: ${cause instanceof Error ? cause.message : cause}`,
      'Use the executable of ar-exec, which carries a Node that can.',
      { cause },
    );
  }
}

function load(): Libc {
  const { functions: c, errno } = openFfi();
  const check = (result: number, what: string): number => {
    if (result >= 0) return result;
    const name = getSystemErrorName(-errno());
    throw Object.assign(new Error(`${what}: ${name}`), { code: name });
  };
  const flagsOf = (descriptor: number): number =>
    check(c.fcntl(descriptor, control.getFlags, 0n), 'fcntl');
  const optionOf = (descriptor: number, name: number): number | undefined => {
    const value = Buffer.alloc(4);
    return c.getsockopt(descriptor, level, name, value, lengthOf(value)) < 0
      ? undefined
      : readNumber(value);
  };
  const open = (): number => {
    const kind = type.datagram | type.closeOnExec | type.nonBlocking;
    return check(c.socket(family.unix, kind, 0), 'socket');
  };
  return {
    datagramSocket: open,
    isUnixDatagram: (descriptor) =>
      optionOf(descriptor, option.domain) === family.unix &&
      optionOf(descriptor, option.type) === type.datagram,
    boundPath: (descriptor) => {
      const address = Buffer.alloc(2 + longestPathBytes + 1);
      const length = lengthOf(address);
      if (c.getsockname(descriptor, address, length) < 0) return '';
      const path = address.subarray(2, Math.min(readNumber(length), address.length));
      const end = path.indexOf(0);
      return path.toString('utf8', 0, end === -1 ? path.length : end);
    },
    bind: (descriptor, path) => {
      const address = addressOf(path);
      check(c.bind(descriptor, address, address.length), 'bind');
    },
    isRead: (path) => {
      const address = addressOf(path);
      const descriptor = open();
      try {
        return c.connect(descriptor, address, address.length) === 0;
      } finally {
        c.close(descriptor);
      }
    },
    giveUp: (capability) => c.prctl(dropFromBounding, BigInt(capability), 0n, 0n, 0n) === 0,
    setReceiveBuffer: (descriptor, bytes) => {
      const value = number(bytes);
      const size = value.length;
      check(c.setsockopt(descriptor, level, option.receiveBuffer, value, size), 'setsockopt');
    },
    tell: (address, text) => {
      const to = addressOf(address);
      const bytes = Buffer.from(text);
      const descriptor = open();
      try {
        const sent = c.sendto(descriptor, bytes, BigInt(bytes.length), sending, to, to.length);
        check(Number(sent), 'sendto');
      } finally {
        c.close(descriptor);
      }
    },
    receive: (descriptor, into) => Number(c.recv(descriptor, into, BigInt(into.length), receiving)),
    send: (descriptor, bytes) => {
      check(Number(c.send(descriptor, bytes, BigInt(bytes.length), dontWait)), 'send');
    },
    netlinkSocket: (protocol, groups, bufferBytes) => {
      const kind = type.raw | type.closeOnExec | type.nonBlocking;
      const descriptor = check(c.socket(family.netlink, kind, protocol), 'socket');
      try {
        const address = Buffer.concat([native16(family.netlink), Buffer.alloc(10)]);
        check(c.bind(descriptor, address, address.length), 'bind');
        // Beyond the limit of the system; root may, and where we may not there is less room.
        c.setsockopt(descriptor, level, option.receiveBufferForced, number(bufferBytes), 4);
        for (const group of groups) {
          check(c.setsockopt(descriptor, netlinkLevel, joinGroup, number(group), 4), 'setsockopt');
        }
        return descriptor;
      } catch (error) {
        c.close(descriptor);
        throw error;
      }
    },
    hear: (descriptor, into) => {
      const length = Number(c.recv(descriptor, into, BigInt(into.length), receiving));
      return length < 0 && errno() === noRoom ? 'lost' : length;
    },
    rawSocket: (of) => {
      const kind = type.raw | type.closeOnExec;
      return check(c.socket(of === 4 ? family.ipv4 : family.ipv6, kind, rawProtocol), 'socket');
    },
    askOption: (descriptor, of, name, into) => {
      check(c.getsockopt(descriptor, of, name, into, lengthOf(into)), 'getsockopt');
    },
    signalWhenReadable: (descriptor) => {
      const flags = flagsOf(descriptor) | type.nonBlocking;
      check(c.fcntl(descriptor, setOwner, BigInt(process.pid)), 'fcntl');
      check(c.fcntl(descriptor, setSignal, BigInt(constants.signals[readable])), 'fcntl');
      check(c.fcntl(descriptor, control.setFlags, BigInt(flags | asynchronous)), 'fcntl');
    },
    signalNoMore: (descriptor) => {
      const flags = flagsOf(descriptor) & ~asynchronous;
      check(c.fcntl(descriptor, control.setFlags, BigInt(flags)), 'fcntl');
    },
    keepToOurselves: (descriptor) => {
      const flags = check(c.fcntl(descriptor, control.getDescriptorFlags, 0n), 'fcntl');
      const kept = BigInt(flags | closeOnExec);
      check(c.fcntl(descriptor, control.setDescriptorFlags, kept), 'fcntl');
    },
    close: (descriptor) => {
      c.close(descriptor);
    },
  };
}

/** struct sockaddr_un. */
function addressOf(path: string): Buffer {
  const bytes = Buffer.from(path);
  if (bytes.length > longestPathBytes || bytes.includes(0)) {
    throw Object.assign(new Error(`a socket's path has at most ${longestPathBytes} bytes`), {
      code: 'ENAMETOOLONG',
    });
  }
  // An abstract address begins with a zero, and is as long as it says, so none follows it.
  if (path.startsWith('@')) {
    return Buffer.concat([native16(family.unix), Buffer.alloc(1), bytes.subarray(1)]);
  }
  return Buffer.concat([native16(family.unix), bytes, Buffer.alloc(1)]);
}

/** Numbers in memory are as this machine has them. */
function native16(value: number): Buffer {
  return Buffer.from(Uint16Array.of(value).buffer);
}

function number(value: number): Buffer {
  return Buffer.from(Int32Array.of(value).buffer);
}

function lengthOf({ length }: Buffer): Buffer {
  return number(length);
}

function readNumber(bytes: Buffer): number {
  return new Int32Array(Uint8Array.from(bytes).buffer)[0] ?? 0;
}
