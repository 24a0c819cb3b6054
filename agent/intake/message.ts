import { ArError } from '../errors.ts';
import type { Commands, Request } from '../words.ts';
import type { Message, Refused } from './ask.ts';
import { isAlert } from './dialects/alert.ts';
import { parseNative } from './dialects/native.ts';
import * as wazuh4 from './dialects/wazuh4.ts';
import * as wazuh5 from './dialects/wazuh5.ts';

/** Where nothing is configured that managers would ask for by a name of its own. */
export const noCommands: Commands = { find: () => undefined, longest: () => undefined };

/** Turns a line of any dialect into a message. Never throws. */
export function parseLine(line: string, commands: Commands = noCommands): Message | Refused {
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
    return parseObject(value, commands);
  } catch (error) {
    const id = 'id' in value ? value.id : undefined;
    return {
      id: typeof id === 'string' || typeof id === 'number' ? id : undefined,
      error: error instanceof ArError ? error : invalid(String(error), error),
    };
  }
}

function parseObject(value: object, commands: Commands): Message {
  if (wazuh4.isWazuh4(value)) return act(wazuh4.fromManager(value, commands));
  if (wazuh5.isWazuh5(value)) return act(wazuh5.fromManager(value));
  if (isAlert(value)) return { ask: { kind: 'alert', alert: value, dryRun: false } };
  return parseNative(value, commands);
}

function act(request: Request): Message {
  return { ask: { kind: 'act', request } };
}

function invalid(message: string, cause?: unknown): ArError {
  return new ArError(
    'message-invalid',
    message,
    'Send one JSON object a line; docs/protocol.md shows every request with an example.',
    cause === undefined ? undefined : { cause },
  );
}
