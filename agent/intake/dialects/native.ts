import * as v from 'valibot';
import type { Facts } from '../../../platform/driver.ts';
import { ArError } from '../../errors.ts';
import type { Commands, Request } from '../../words.ts';
import type { Message } from '../ask.ts';
import * as ossec from './ossec.ts';
import * as wazuh4 from './wazuh4.ts';
import * as wazuh5 from './wazuh5.ts';

const text = (longest: number) =>
  v.custom<string>(
    (value) => typeof value === 'string' && value.length <= longest,
    `it has to be a text of at most ${longest} characters`,
  );
const integer = v.custom<number>(Number.isInteger, 'it has to be a whole number');
const id = v.optional(
  v.custom<string | number>(
    (value) => typeof value === 'number' || (typeof value === 'string' && value.length <= 256),
    'it has to be a number or a text of at most 256 characters',
  ),
);

const act = {
  id,
  response: text(64),
  srcip: v.optional(text(256)),
  user: v.optional(text(256)),
  file: v.optional(text(4_096)),
  key: v.optional(text(4_096)),
  pid: v.optional(integer),
  executable: v.optional(text(4_096)),
  reason: v.optional(text(1_024)),
  by: v.optional(text(256)),
  dryRun: v.optional(v.boolean()),
};

/** docs/protocol.md describes each member. Unknown members are refused: a typo is not a wish. */
const schemas = {
  add: v.strictObject({
    ...act,
    command: v.literal('add'),
    timeoutSeconds: v.optional(integer),
    sha256: v.optional(
      v.custom<string>(
        (value) => typeof value === 'string' && /^[0-9a-f]{64}$/i.test(value),
        'it has to be 64 hexadecimal digits',
      ),
    ),
    title: v.optional(text(1_024)),
    text: v.optional(text(8_192)),
    level: v.optional(v.pipe(integer, v.minValue(0), v.maxValue(16))),
    forceProtected: v.optional(v.boolean()),
  }),
  delete: v.strictObject({
    ...act,
    command: v.literal('delete'),
    forget: v.optional(v.boolean()),
  }),
  list: v.strictObject({
    id,
    command: v.literal('list'),
    history: v.optional(v.boolean()),
    limit: v.optional(v.pipe(integer, v.minValue(1), v.maxValue(1_000_000))),
  }),
  alert: v.strictObject({
    id,
    command: v.literal('alert'),
    alert: v.looseObject({}),
    dryRun: v.optional(v.boolean()),
  }),
  call: v.strictObject({
    id,
    command: v.literal('call'),
    program: text(4_096),
    message: v.optional(v.looseObject({})),
    words: v.optional(v.array(text(65_536))),
  }),
  breaker: v.strictObject({
    id,
    command: v.literal('breaker'),
    close: v.optional(v.boolean()),
  }),
  reload: v.strictObject({ id, command: v.literal('reload') }),
  status: v.strictObject({ id, command: v.literal('status') }),
};

type Command = keyof typeof schemas;
type NativeMessage = { [Key in Command]: v.InferOutput<(typeof schemas)[Key]> }[Command];

/** Understands a message of ar-exec's own protocol. Throws `message-invalid`. */
export function parseNative(value: object, commands: Commands): Message {
  const message = check(value);
  const { id } = message;
  switch (message.command) {
    case 'status':
    case 'reload':
      return { id, ask: { kind: message.command } };
    case 'breaker':
      return { id, ask: { kind: 'breaker', close: message.close ?? false } };
    case 'alert':
      return { id, ask: { kind: 'alert', alert: message.alert, dryRun: message.dryRun ?? false } };
    case 'call':
      return { id, ask: { kind: 'act', request: fromCall(message, commands) } };
    case 'list': {
      const which = message.history === true ? 'ended' : 'live';
      return { id, ask: { kind: 'list', which, limit: message.limit ?? 1_000 } };
    }
    default:
      return { id, ask: { kind: 'act', request: toRequest(message) } };
  }
}

function check(value: object): NativeMessage {
  const command = 'command' in value ? value.command : undefined;
  if (typeof command !== 'string' || !Object.hasOwn(schemas, command)) {
    throw invalid(`member "command": it has to be one of ${Object.keys(schemas).join(', ')}`);
  }
  const parsed = v.safeParse(schemas[command as Command], value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = v.getDotPath(issue)?.slice(0, 100);
  const what = issue.message.slice(0, 200);
  throw invalid(path === undefined ? what : `member "${path}": ${what}`);
}

/**
 * What an executable of ours was told by a manager's execd, which started it as `program`. It writes
 * active-responses.log itself.
 */
function fromCall(
  { program, message, words = [] }: v.InferOutput<(typeof schemas)['call']>,
  commands: Commands,
): Request {
  const name = program.slice(program.lastIndexOf('/') + 1);
  if (message === undefined) {
    const request = ossec.fromExecd(words, { name, path: program, commands });
    return { ...request, logged: true };
  }
  // execd has it on its list already: it keeps it for longer, and so do we.
  const onlyHeld = message['command'] === 'abort' ? true : undefined;
  const is5 = wazuh5.isWazuh5(message);
  const told = onlyHeld ? { ...message, command: is5 ? 'enable' : 'add' } : message;
  const request = is5 ? wazuh5.fromExecd(told, name) : wazuh4.fromExecd(told, name, commands);
  return { ...request, logged: true, onlyHeld };
}

function toRequest(message: Extract<NativeMessage, { response: string }>): Request {
  const { command: verb, response, srcip, user, file, key, pid, executable, dryRun } = message;
  const request = {
    verb,
    response,
    srcip,
    user,
    file,
    key,
    process: pid === undefined && executable === undefined ? undefined : { pid, executable },
    dryRun,
    origin: { dialect: 'native' as const, by: message.by, reason: message.reason },
  };
  if (message.command === 'delete') return { ...request, forget: message.forget };
  const { timeoutSeconds, forceProtected, title, text, level, sha256 } = message;
  const facts: Facts = {
    title: title ?? message.reason,
    text,
    level,
    srcip,
    user,
    file,
    sha256: sha256?.toLowerCase(),
  };
  return { ...request, timeoutSeconds, forceProtected, facts };
}

function invalid(message: string): ArError {
  return new ArError(
    'message-invalid',
    message,
    'docs/protocol.md shows every request with an example.',
  );
}
