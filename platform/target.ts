import { isIPv4, isIPv6 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { System } from './system.ts';
import { parseAccountName, parseWindowsPath } from './windows/names.ts';

/**
 * What a response acts on. `text` is the one canonical spelling and therefore also the key: two
 * targets of a response are the same exactly when their `text` is.
 */
export type Target = AddressTarget | UserTarget | ProcessTarget | FileTarget | NamedTarget;

/** An address or a prefix, as RFC 5952 writes it; no prefix length on a single host. */
export interface AddressTarget {
  readonly kind: 'address';
  readonly family: 4 | 6;
  readonly text: string;
  readonly address: string;
  readonly prefixLength: number;
}

/** An account of this machine, by its login name. */
export interface UserTarget {
  readonly kind: 'user';
  readonly text: string;
}

/** A process: its number, and the program that has to run under it (an absolute path). */
export interface ProcessTarget {
  readonly kind: 'process';
  /** `<pid> <executable>` */
  readonly text: string;
  readonly pid: number;
  readonly executable: string;
}

/** A file, by its absolute path in the shortest spelling. */
export interface FileTarget {
  readonly kind: 'file';
  readonly text: string;
}

/** Whatever a script or a one-shot is about: its keys, a name, a number of its own. */
export interface NamedTarget {
  readonly kind: 'named';
  readonly text: string;
}

/** True for a single address, false for a wider prefix. */
export function isHost(target: AddressTarget): boolean {
  return target.prefixLength === (target.family === 4 ? 32 : 128);
}

/**
 * Understands an address or a prefix, strictly: no host names, octal or short forms, zone ids,
 * spaces or leading zeros (getaddrinfo takes `127.1`, `0x7f000001` and `010.0.0.1`, and so do tools
 * built on it). `::ffff:a.b.c.d` is the IPv4 address it maps (RFC 4291, 2.5.5.2). Host bits of a
 * prefix are cleared. Returns `undefined` for anything else.
 */
export function parseTarget(text: string): AddressTarget | undefined {
  if (text.length > 49) return undefined;
  const slash = text.indexOf('/');
  const addressText = slash === -1 ? text : text.slice(0, slash);
  const lengthText = slash === -1 ? undefined : text.slice(slash + 1);
  if (lengthText !== undefined && !/^(0|[1-9][0-9]{0,2})$/.test(lengthText)) return undefined;
  const length = lengthText === undefined ? undefined : Number(lengthText);
  // What isIPv4 takes has one spelling only, and is by far the most frequent.
  if (slash === -1 && isIPv4(text)) {
    return { kind: 'address', family: 4, text, address: text, prefixLength: 32 };
  }
  if (isIPv4(addressText)) return makeTarget(4, ipaddr.IPv4.parse(addressText), length);
  if (!isIPv6(addressText) || addressText.includes('%')) return undefined;
  // IPv4-compatible addresses are deprecated (RFC 4291, 2.5.5.1) and ipaddr.js takes them for mapped
  // ones, which would act on another host than the one that was named.
  if (/^::\d+\./.test(addressText)) return undefined;
  const address = ipaddr.IPv6.parse(addressText);
  if (!address.isIPv4MappedAddress()) return makeTarget(6, address, length);
  if (length !== undefined && length < 96) return undefined;
  return makeTarget(4, address.toIPv4Address(), length === undefined ? undefined : length - 96);
}

/** Understands an absolute path in its shortest spelling, without control characters. */
export function parseFile(text: string): FileTarget | undefined {
  const odd = text.length > 4_096 || /\p{Cc}|\/$|\/\/|(^|\/)\.{1,2}(\/|$)/u.test(text);
  return text.startsWith('/') && !odd ? { kind: 'file', text } : undefined;
}

/**
 * Understands a login name: what shadow's useradd takes (login.defs(5), NAME_REGEX), upper case and a
 * `$` included, as upstream does; never something that a tool could take for an option, a path or a
 * number.
 */
export function parseUser(text: string): UserTarget | undefined {
  return /^[a-zA-Z0-9_][a-zA-Z0-9_.$-]{0,255}$/.test(text) && !/^[0-9]+$/.test(text)
    ? { kind: 'user', text }
    : undefined;
}

/** Process numbers go up to 2^22 (proc(5), pid_max). */
export function processTarget(pid: number, executable: string): ProcessTarget | undefined {
  if (!Number.isInteger(pid) || pid < 1 || pid > 4_194_304) return undefined;
  if (parseFile(executable) === undefined) return undefined;
  return { kind: 'process', text: `${pid} ${executable}`, pid, executable };
}

/** How a system writes what is not an address. */
export interface Grammar {
  user(text: string): UserTarget | undefined;
  file(text: string): FileTarget | undefined;
  process(pid: number, executable: string): ProcessTarget | undefined;
}

const unixGrammar: Grammar = { user: parseUser, file: parseFile, process: processTarget };

/** Numbers of processes are multiples of four there, and go far up; 4 is the system itself. */
const windowsGrammar: Grammar = {
  user: (text) => {
    const name = parseAccountName(text);
    return name === undefined ? undefined : { kind: 'user', text: name };
  },
  file: (text) => {
    const path = parseWindowsPath(text);
    return path === undefined ? undefined : { kind: 'file', text: path };
  },
  process: (pid, executable) => {
    const path = parseWindowsPath(executable);
    if (!Number.isInteger(pid) || pid < 4 || pid > 0xffff_fffc || pid % 4 !== 0) return undefined;
    return path === undefined
      ? undefined
      : { kind: 'process', text: `${pid} ${path}`, pid, executable: path };
  },
};

export function grammarOf(system: System): Grammar {
  return system === 'win32' ? windowsGrammar : unixGrammar;
}

/** A target as the journal has it: its kind and its `text`. */
export function restoreTarget(kind: string, text: string): Target | undefined {
  switch (kind) {
    case 'address':
      return parseTarget(text);
    case 'user':
      return { kind, text };
    case 'file':
      return parseFile(text) ?? windowsGrammar.file(text);
    case 'process': {
      const space = text.indexOf(' ');
      const named = [Number(text.slice(0, space)), text.slice(space + 1)] as const;
      return processTarget(...named) ?? windowsGrammar.process(...named);
    }
    case 'named':
      return { kind, text };
    default:
      return undefined;
  }
}

/** The first and the last address of a target, as numbers that can be compared within a family. */
export interface AddressRange {
  readonly first: number | bigint;
  readonly last: number | bigint;
}

export function addressRange({ family, address, prefixLength }: AddressTarget): AddressRange {
  if (family === 4) {
    const first = numberOfIPv4(address);
    return { first, last: first + 2 ** (32 - prefixLength) - 1 };
  }
  const bytes = ipaddr.parse(address).toByteArray();
  const first = bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
  return { first, last: first + (1n << BigInt(128 - prefixLength)) - 1n };
}

/** Every request goes through here: no list is made of the four parts. */
function numberOfIPv4(address: string): number {
  let number = 0;
  let octet = 0;
  for (let index = 0; index < address.length; index += 1) {
    const code = address.charCodeAt(index);
    if (code === dot) {
      number = number * 256 + octet;
      octet = 0;
    } else octet = octet * 10 + code - zero;
  }
  return number * 256 + octet;
}

const dot = '.'.charCodeAt(0);
const zero = '0'.charCodeAt(0);

function makeTarget(
  family: 4 | 6,
  address: ipaddr.IPv4 | ipaddr.IPv6,
  length: number | undefined,
): AddressTarget | undefined {
  const full = family === 4 ? 32 : 128;
  const prefixLength = length ?? full;
  if (prefixLength > full) return undefined;
  const bytes = address.toByteArray().map((byte, index) => {
    const bits = Math.min(8, Math.max(0, prefixLength - index * 8));
    return byte & (0xff << (8 - bits)) & 0xff;
  });
  const text = ipaddr.fromByteArray(bytes).toString();
  return {
    kind: 'address',
    family,
    address: text,
    prefixLength,
    text: prefixLength === full ? text : `${text}/${prefixLength}`,
  };
}
