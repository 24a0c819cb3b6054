/**
 * What an executable reads in a line of execd's, and what it says where something is missing, in
 * upstream's words (Wazuh source: src/active-response/active_responses.c, 4.14 and 5.0).
 */
import { member, textAt } from '../intake/dialects/member.ts';
import { subjectOf } from '../intake/dialects/wazuh-alert.ts';
import { firstObject } from './first-object.ts';
import type { Called } from './name.ts';
import { takesAddress, takesUser } from './upstream-takes.ts';

export interface Line {
  readonly message: object;
  /** 4: Wazuh 4.2 to 4.14. */
  readonly version: 4 | 5;
  readonly command: string;
}

/** What a response is about: the keys by which execd finds it again, or why it cannot be told. */
export type Subject =
  | { readonly keys: readonly string[] | undefined; readonly refusal?: undefined }
  | { readonly refusal: string };

/** Undefined for what upstream calls an invalid input format. */
export function understand(bytes: Buffer): Line | undefined {
  const message = firstObject(bytes.toString());
  const command = textAt(message, 'command');
  if (message === undefined || command === undefined) return undefined;
  if ('wazuh' in message) {
    return isObject(message.wazuh) ? { message, version: 5, command } : undefined;
  }
  const whole =
    typeof member(message, 'version') === 'number' &&
    isObject(member(message, 'origin')) &&
    isObject(member(message, 'parameters'));
  return whole ? { message, version: 4, command } : undefined;
}

/** Keys are for what is taken back later; the others have no handshake. */
export function subjectIn({ message, version }: Line, called: Called): Subject {
  const alert = member(member(message, 'parameters'), 'alert');
  const subject =
    version === 4
      ? subjectOf(alert, undefined)
      : {
          srcip: textAt(member(message, 'source'), 'ip'),
          user: textAt(member(message, 'user'), 'name'),
          file: textAt(member(message, 'file'), 'path'),
        };
  switch (called.target) {
    case 'address':
      return version === 4 ? address4(subject.srcip, called) : required(subject.srcip, 'source.ip');
    case 'user':
      return version === 4 ? user4(subject.user) : required(subject.user, 'user.name');
    case 'file':
      return required(subject.file, version === 4 ? 'syscheck.path' : 'file.path');
    default:
      if (version === 4 && called.name.includes('slack') && !isObject(alert)) {
        return { refusal: "Cannot read 'alert' from data" };
      }
      return { keys: undefined };
  }
}

/** In 5.0 the handshake comes before the address or the name is looked at. */
export function refusalAfterKeys({ message, version }: Line, called: Called): string | undefined {
  if (version === 4) return undefined;
  const ip = textAt(member(message, 'source'), 'ip') ?? '';
  if (called.target === 'address' && !takesAddress(ip)) return `Invalid IP address: '${ip}'`;
  const isRoot = called.target === 'user' && textAt(member(message, 'user'), 'name') === 'root';
  return isRoot ? 'Invalid username' : undefined;
}

/** Those that upstream has had for long say no more than that they cannot read it. */
const saysNoMore = ['route-null', 'pf', 'ipfw', 'ipfw_mac', 'npf', 'netsh'];

function address4(srcip: string | undefined, { name }: Called): Subject {
  if (srcip !== undefined && takesAddress(srcip)) return { keys: [srcip] };
  const more = saysNoMore.includes(name.toLowerCase().replace(/\.\w+$/, ''))
    ? ''
    : ' or invalid IP format';
  return { refusal: `Cannot read 'srcip' from data${more}` };
}

function user4(user: string | undefined): Subject {
  if (user !== undefined && takesUser(user)) return { keys: [user] };
  return { refusal: "Cannot read 'dstuser' from data or invalid username format" };
}

function required(value: string | undefined, name: string): Subject {
  return value === undefined ? { refusal: `Cannot read '${name}' from data` } : { keys: [value] };
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
