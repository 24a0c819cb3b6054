import type { System } from '../../platform/system.ts';
import {
  type AddressTarget,
  grammarOf,
  isHost,
  parseTarget,
  type Target,
} from '../../platform/target.ts';
import { ArError } from '../errors.ts';
import type { Request } from '../words.ts';
import type { ResponseDefinition } from './responses.ts';

export interface TargetContext {
  readonly system: System;
  /** A name for what nothing names: no two are the same. */
  newName(): string;
}

/**
 * What a request is about, by the kind of target that its response acts on.
 *
 * Throws `address-missing`, `address-invalid`, `target-missing` or `target-invalid`.
 */
export function readTarget(
  request: Request,
  { name, target, nameOf }: ResponseDefinition,
  { system, newName }: TargetContext,
): Target {
  const grammar = grammarOf(system);
  const hint = hints[system === 'win32' ? 'windows' : 'unix'];
  switch (target) {
    case 'address':
      return readAddress(request, name);
    case 'user':
      return check(request.user, grammar.user, `${name} needs a user`, hint.user);
    case 'file':
      return check(request.file, grammar.file, `${name} needs a file`, hint.file);
    case 'process':
      return check(
        request.process,
        ({ pid = 0, executable = '' }) => grammar.process(pid, executable),
        `${name} needs a process`,
        hint.process,
      );
    case 'named':
      return { kind: 'named', text: nameOf?.(request) ?? request.facts?.alertId ?? newName() };
  }
}

const byNumberAndProgram =
  'Name its number and its program as pid and executable (--pid, --executable); the program as an absolute path';

const hints = {
  unix: {
    user: 'Name it as user (--user); a login name, as in /etc/passwd.',
    file: 'Name it as file (--file); an absolute path without "..", "//" or control characters.',
    process: `${byNumberAndProgram}.`,
  },
  windows: {
    user: 'Name it as user (--user); the name of an account of this machine alone, without a domain.',
    file: 'Name it as file (--file); a path with its drive, without "..", streams, device names, or a dot or a space at an end.',
    process: `${byNumberAndProgram} with its drive.`,
  },
} as const;

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
