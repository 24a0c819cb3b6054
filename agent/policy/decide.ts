import type { Facts } from '../../platform/driver.ts';
import { type AddressTarget, parseTarget, type Target } from '../../platform/target.ts';
import { ArError } from '../errors.ts';
import type { Request } from '../words.ts';
import type { Guard, Protected } from './guard.ts';
import { clip, readTarget, type TargetContext } from './read-target.ts';
import { type ResponseDefinition, responses } from './responses.ts';

/** Ten years: far beyond any sensible block, and far within what every clock here can count. */
const longestTimeoutSeconds = 315_360_000;

export interface Decision {
  readonly definition: ResponseDefinition;
  readonly target: Target;
  /** What the response is told besides its target; absent where nothing wants to know. */
  readonly facts?: Facts | undefined;
}

export interface DecideOptions extends TargetContext {
  /** The response that the request's name stands for, if there is one. */
  readonly definition: ResponseDefinition | undefined;
  readonly guard: Guard;
  /** What this machine must not cut off now. */
  readonly essential: readonly Protected[];
}

/**
 * Says what a request means here, or why it is refused. A `delete` is not guarded: what is held may
 * always go.
 *
 * Throws `response-unknown`, `not-revertible`, `timeout-invalid`, `target-protected`,
 * `prefix-too-wide`, `address-invalid`, and what `readTarget` throws.
 */
export function decide(request: Request, options: DecideOptions): Decision {
  const { definition, guard, essential } = options;
  if (definition === undefined) {
    throw unknownResponse(request);
  }
  if (request.verb === 'delete' && !definition.stateful) {
    throw new ArError(
      'not-revertible',
      `${definition.name} is done once and holds nothing: there is nothing to take back`,
      'Nothing was done. "ar-exec list --history" shows what was done.',
    );
  }
  const target = readTarget(request, definition, options);
  const timeout = request.timeoutSeconds;
  if (timeout !== undefined && !(timeout >= 1 && timeout <= longestTimeoutSeconds)) {
    throw new ArError(
      'timeout-invalid',
      `a timeout of ${timeout} s is not possible`,
      'Give 1 second to 10 years, or none to hold it until it is deleted.',
    );
  }
  if (request.verb === 'add' && request.forceProtected !== true) {
    const address = target.kind === 'address' ? target : addressOf(request, definition);
    if (address !== undefined) guard.check(address, essential);
  }
  if (definition.wantsFacts !== true) return { definition, target };
  const { srcip, user, file, facts = {} } = request;
  // What an action is found by has to be known of a delete too.
  const named = definition.nameOf === undefined ? {} : { srcip, user, file };
  return { definition, target, facts: { ...named, ...facts } };
}

/** `also` is a sentence with what may have been meant, or how to make it one. */
export function unknownResponse({ response }: Request, also = ''): ArError {
  return new ArError(
    'response-unknown',
    `there is no response "${clip(response)}"`,
    `Known responses: ${responses.map(({ name }) => name).join(', ')}.${also}`,
  );
}

/**
 * The address that a response is about besides, where it must not be a protected one. What is none is
 * refused: a tool can take `127.1` or a name for one.
 */
function addressOf(
  { srcip }: Request,
  { guardsAddress, name }: ResponseDefinition,
): AddressTarget | undefined {
  if (guardsAddress !== true || srcip === undefined) return undefined;
  const address = parseTarget(srcip);
  if (address !== undefined) return address;
  throw new ArError(
    'address-invalid',
    `"${clip(srcip)}" is not an address, and ${name} could take it for one`,
    'If it does nothing to addresses, say so: <script name="…" guard="no"/>.',
  );
}
