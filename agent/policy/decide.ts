import { isHost, parseTarget, type Target } from '../../platform/target.ts';
import { ArError } from '../errors.ts';
import type { Request } from '../words.ts';
import type { Guard, Protected } from './guard.ts';
import { type ResponseDefinition, responses } from './responses.ts';

/** Ten years: far beyond any sensible block, and far within what every clock here can count. */
const longestTimeoutSeconds = 315_360_000;

export interface Decision {
  readonly definition: ResponseDefinition;
  readonly target: Target;
}

/**
 * Says what a request means here, or why it is refused. A `delete` is not guarded: what is held may
 * always go.
 *
 * Throws `response-unknown`, `address-missing`, `address-invalid`, `timeout-invalid`,
 * `target-protected` or `prefix-too-wide`.
 */
export function decide(request: Request, guard: Guard, essential: readonly Protected[]): Decision {
  const definition = responses.find(({ name }) => name === request.response);
  if (definition === undefined) {
    throw new ArError(
      'response-unknown',
      `there is no response "${clip(request.response)}"`,
      `Known responses: ${responses.map(({ name }) => name).join(', ')}.`,
    );
  }
  const target = targetOf(request, definition.name);
  const timeout = request.timeoutSeconds;
  if (timeout !== undefined && !(timeout >= 1 && timeout <= longestTimeoutSeconds)) {
    throw new ArError(
      'timeout-invalid',
      `a timeout of ${timeout} s is not possible`,
      'Give 1 second to 10 years, or none to hold it until it is deleted.',
    );
  }
  if (request.verb === 'add' && request.forceProtected !== true) guard.check(target, essential);
  return { definition, target };
}

function targetOf(request: Request, response: string): Target {
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
function clip(text: string): string {
  const printable = text.replace(/[^\x20-\x7e]/g, '?');
  return printable.length > 64 ? `${printable.slice(0, 61)}...` : printable;
}
