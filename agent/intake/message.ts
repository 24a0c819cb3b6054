import { ArError } from '../errors.ts';
import type { Message, Refused } from './ask.ts';
import { parseNative } from './dialects/native.ts';
import { isWazuh4, parseWazuh4 } from './dialects/wazuh4.ts';

/** Turns a line of any dialect into a message. Never throws. */
export function parseLine(line: string): Message | Refused {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    return { error: invalid(`this line is not JSON: ${said.slice(0, 200)}`, cause) };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { error: invalid('a request is a JSON object') };
  }
  try {
    return isWazuh4(value) ? parseWazuh4(value) : parseNative(value);
  } catch (error) {
    const id = 'id' in value ? value.id : undefined;
    return {
      id: typeof id === 'string' || typeof id === 'number' ? id : undefined,
      error: error instanceof ArError ? error : invalid(String(error), error),
    };
  }
}

function invalid(message: string, cause?: unknown): ArError {
  return new ArError(
    'message-invalid',
    message,
    'Send one JSON object a line; docs/protocol.md shows every request with an example.',
    cause === undefined ? undefined : { cause },
  );
}
