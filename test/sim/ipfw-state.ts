/** What an ipfw holds: the part `ipfw` of a simulated machine. */
import ipaddr from 'ipaddr.js';
import type { Answer, Parts } from './simulator.ts';

export interface IpfwTable {
  readonly type: 'addr' | 'iface';
  readonly index: number;
  readonly locked?: boolean;
  entries: Entry[];
}

export interface Entry {
  /** As it is listed: a prefix with its length, or the name of an interface. */
  readonly key: string;
  value: string;
}

export interface IpfwRule {
  readonly number: number;
  readonly set: number;
  /** As it is listed. */
  readonly text: string;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

export interface Ipfw {
  tables: Record<string, IpfwTable>;
  rules: IpfwRule[];
  /** What the last rule has counted: packets and bytes. */
  counted?: readonly [number, number];
  /** What the last rule does; kernels differ. */
  readonly last?: 'allow' | 'deny';
}

export function stateOf(parts: Parts): Ipfw {
  parts['ipfw'] ??= { tables: {}, rules: [] };
  return parts['ipfw'] as Ipfw;
}

/** Ends a call, as err(3) and errx(3) do. */
export class Ended extends Error {
  readonly answer: Answer;
  constructor(answer: Answer) {
    super('ended');
    this.answer = answer;
  }
}

/** From sysexits(3). */
export const status = { usage: 64, data: 65, host: 68, unavailable: 69, os: 71 } as const;

export function fail(exitCode: number, message: string, before = ''): never {
  throw new Ended({ stdout: before, stderr: `ipfw: ${message}\n`, exitCode });
}

export function notKnown(what: string): never {
  throw new Ended({ stdout: '', stderr: `simulator: not known: ${what}\n`, exitCode: 99 });
}

const dotted = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;

/**
 * A key of a table of addresses (sbin/ipfw/tables.c, tentry_fill_key_type): an address of either
 * family, or whatever gethostbyname(3) makes of it.
 */
export function addressKey(text: string, write = masked): string {
  const [address = '', length] = text.split('/', 2);
  if (isIPv4(address)) {
    if (Number(length ?? 32) > 32) fail(status.data, `bad IPv4 mask width: ${length}`);
    return write(ipaddr.IPv4.parse(address), Number(length ?? 32));
  }
  if (ipaddr.IPv6.isValid(address) && !address.includes('%')) {
    const parsed = ipaddr.IPv6.parse(address);
    // IN6_IS_ADDR_V4COMPAT of netinet6/in6.h: the last 32 bits are neither 0 nor 1.
    const words = parsed.parts;
    const last = (words[6] ?? 0) * 65_536 + (words[7] ?? 0);
    // (ipaddr.js takes ::1.2.3.4 for an address of IPv4.)
    const dots = /^::\d+\./.test(address);
    if (dots || (words.slice(0, 6).every((word) => word === 0) && last > 1)) {
      fail(status.data, 'Use IPv4 instead of v4-compatible');
    }
    if (Number(length ?? 128) > 128) fail(status.data, `bad IPv6 mask width: ${length}`);
    return write(parsed, Number(length ?? 128));
  }
  // inet_aton(3) stops at a blank; transcript ipfw-extra, where "1.2.3.4 5" is one word.
  const [, first] = /^(\S+)\s/.exec(address) ?? [];
  if (first !== undefined && isIPv4(first)) return `${first}/32`;
  return fail(status.host, `hostname \`\`${address}'' unknown`);
}

/** inet_pton(3) takes four decimal numbers up to 255, and nothing else. */
function isIPv4(text: string): boolean {
  return dotted.test(text) && text.split('.').every((octet) => Number(octet) <= 255);
}

function masked(address: Address, length: number): string {
  const bytes = address.toByteArray().map((byte, index) => {
    const bits = Math.min(8, Math.max(0, length - index * 8));
    return byte & (0xff << (8 - bits)) & 0xff;
  });
  return unmasked(ipaddr.fromByteArray(bytes), length);
}

/** As it is said that an entry was added: the kernel masks it later (transcript ipfw, 10.0.0.1/8). */
export function unmasked(address: Address, length: number): string {
  const mapped = address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress();
  // inet_ntop(3) writes mapped addresses with dots; transcript ipfw.
  const text = mapped ? `::ffff:${address.toIPv4Address()}` : address.toString();
  return `${text}/${length}`;
}

/** The radix tables list IPv4 before IPv6, each in the order of its addresses. */
export function inTableOrder(entries: readonly Entry[]): Entry[] {
  const place = ({ key }: Entry): string => {
    const [address = '', length = ''] = key.split('/');
    const bytes = ipaddr.parse(address).toByteArray();
    const family = address.includes(':') ? '6' : '4';
    return [family, ...[...bytes, Number(length)].map((n) => String(n).padStart(3, '0'))].join('');
  };
  return entries.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
}
