/**
 * The calls of the C library that datagram sockets of the family unix need: Node has none for them
 * (docs/decisions/0018-datagrams.md).
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { ArError } from '../errors.ts';
import { withFfi } from './ffi.ts';

/** Numbers of Linux, the same on x86, ARM, RISC-V, s390 and POWER (include/uapi/asm-generic). */
const family = { unix: 1 } as const;
const type = { datagram: 2, closeOnExec: 0o2000000, nonBlocking: 0o4000 } as const;
const level = 1;
const option = { type: 3, receiveBuffer: 8, domain: 39 } as const;
const control = { getDescriptorFlags: 1, setDescriptorFlags: 2, getFlags: 3, setFlags: 4 } as const;
const setOwner = 8;
const setSignal = 10;
const closeOnExec = 1;
/** O_ASYNC: a signal tells that there is something to read. */
const asynchronous = 0o20000;
/** MSG_DONTWAIT | MSG_TRUNC: never waits, and tells a datagram's own length if it was cut. */
const receiving = 0x40 | 0x20;
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
  /** What is read next, without waiting: its length, which may be beyond the buffer; -1 for nothing. */
  receive(descriptor: number, into: Buffer): number;
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
        recv: { arguments: ['int32', 'buffer', 'uint64', 'int32'], return: 'int64' },
        fcntl: { arguments: ['int32', 'int32', 'int64'], return: 'int32' },
        getsockname: { arguments: ['int32', 'buffer', 'buffer'], return: 'int32' },
        getsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'], return: 'int32' },
        setsockopt: { arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'], return: 'int32' },
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
    setReceiveBuffer: (descriptor, bytes) => {
      const value = number(bytes);
      const size = value.length;
      check(c.setsockopt(descriptor, level, option.receiveBuffer, value, size), 'setsockopt');
    },
    receive: (descriptor, into) => Number(c.recv(descriptor, into, BigInt(into.length), receiving)),
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
