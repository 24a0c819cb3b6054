import {
  type AddressTarget,
  isHost,
  parseFile,
  parseTarget,
  parseUser,
  processTarget,
  type Target,
} from '../../platform/target.ts';
import { ArError } from '../errors.ts';
import type { Request } from '../words.ts';
import type { ResponseDefinition } from './responses.ts';

/**
 * What a request is about, by the kind of target that its response acts on.
 *
 * Throws `address-missing`, `address-invalid`, `target-missing` or `target-invalid`.
 */
export function readTarget(
  request: Request,
  { name, target, nameOf }: ResponseDefinition,
  newName: () => string,
): Target {
  switch (target) {
    case 'address':
      return readAddress(request, name);
    case 'user':
      return check(
        request.user,
        parseUser,
        `${name} needs a user`,
        'Name it as user (--user); a login name, as in /etc/passwd.',
      );
    case 'file':
      return check(
        request.file,
        parseFile,
        `${name} needs a file`,
        'Name it as file (--file); an absolute path without "..", "//" or control characters.',
      );
    case 'process':
      return check(
        request.process,
        ({ pid = 0, executable = '' }) => processTarget(pid, executable),
        `${name} needs a process`,
        'Name its number and its program as pid and executable (--pid, --executable); the program as an absolute path.',
      );
    case 'named':
      return { kind: 'named', text: nameOf?.(request) ?? request.facts?.alertId ?? newName() };
  }
}

function check<Value, T>(
  value: Value | undefined,
  read: (value: Value) => T | undefined,
  missing: string,
  hint: string,
): T {
  if (value === undefined) {
    throw new ArError('target-missing', `${missing} and the request has none`, hint);
  }
  const target = read(value);
  if (target !== undefined) return target;
  const said = typeof value === 'string' ? value : JSON.stringify(value);
  throw new ArError('target-invalid', `"${clip(said)}" cannot be acted on: ${missing}`, hint);
}

function readAddress(request: Request, response: string): AddressTarget {
  if (request.srcip === undefined) {
    throw new ArError(
      'address-missing',
      `${response} needs an address and the request has none`,
      'Name it as srcip.',
    );
  }
  const target = parseTarget(request.srcip);
  if (target !== undefined && (request.hostOnly !== true || isHost(target))) return target;
  throw new ArError(
    'address-invalid',
    `"${clip(request.srcip)}" is not ${target === undefined ? 'an address' : 'a single address'}`,
    'Give a plain IPv4 or IPv6 address, or a prefix such as 203.0.113.0/24; no host names, short or octal forms, zone ids or spaces.',
  );
}

/** Data of a stranger in a message: one line, printable, short. */
export function clip(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?');
  return printable.length > 64 ? `${printable.slice(0, 61)}...` : printable;
}
