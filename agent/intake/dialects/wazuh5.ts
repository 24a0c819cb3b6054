/**
 * What a Wazuh manager 5.0 sends: the event that set it off, a document with the names of the Elastic
 * Common Schema, and in `wazuh.active_response` what is to be done; and what execd hands to an
 * executable: the same with `enable` or `disable` as the root's `command`, behind everything else
 * (Wazuh source, 5.0: src/os_execd/execd.c; framework/wazuh/core/indexer/active_response.py).
 */
import * as v from 'valibot';
import type { Facts } from '../../../platform/driver.ts';
import { ArError } from '../../errors.ts';
import type { Origin, Request } from '../../words.ts';
import { member, scalarAt, textAt } from './member.ts';

const schema = v.looseObject({
  wazuh: v.looseObject({
    active_response: v.looseObject({
      executable: v.optional(v.unknown()),
      type: v.optional(v.unknown()),
      stateful_timeout: v.optional(v.unknown()),
      extra_arguments: v.optional(v.unknown()),
    }),
  }),
});

type Wazuh5Message = v.InferOutput<typeof schema>;

/** Tells this dialect from the others. */
export function isWazuh5(value: object): boolean {
  return 'wazuh' in value;
}

/**
 * What the manager sends: always an `add`. A `command` that the event has of its own is data of a
 * stranger and decides nothing, though upstream obeys it. Throws `message-invalid`.
 */
export function fromManager(value: object): Request {
  const message = check(value);
  const executable = executableOf(message);
  // Of the message itself: what was checked has its members in another order.
  const { command: _command, ...event } = value as Record<string, unknown>;
  return {
    ...common(message, executable),
    verb: 'add',
    managerLine: JSON.stringify({ ...event, command: 'enable' }),
  };
}

/**
 * execd takes it back itself, one or two seconds after its time; this much later it is ours to do, and
 * not before, or the log would tell of two ends.
 */
const execdSeconds = 5;

/**
 * What execd hands to the executable `name`; whatever the document calls it, that one was started.
 * Throws `message-invalid`.
 */
export function fromExecd(value: object, name: string): Request {
  const message = check(value);
  const command = message['command'];
  if (command !== 'enable' && command !== 'disable') {
    throw invalid('member "command": an executable is told to enable or to disable');
  }
  const request = common(message, name);
  const { timeoutSeconds: seconds = 0 } = request;
  return {
    ...request,
    timeoutSeconds: seconds > 0 ? seconds + execdSeconds : request.timeoutSeconds,
    verb: command === 'enable' ? 'add' : 'delete',
    managerLine: JSON.stringify(value),
  };
}

function check(value: object): Wazuh5Message {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw invalid(
    `member "${v.getDotPath(issue)?.slice(0, 100) ?? ''}": ${issue.message.slice(0, 200)}`,
  );
}

function executableOf({ wazuh }: Wazuh5Message): string {
  const { executable } = wazuh.active_response;
  if (typeof executable === 'string' && executable !== '') return executable;
  throw invalid('member "wazuh.active_response.executable": it has to be a text');
}

function common(message: Wazuh5Message, response: string) {
  const order = message.wazuh.active_response;
  const event = member(message, 'event');
  const rule = member(message.wazuh, 'rule') ?? member(message, 'rule');
  const file = member(message, 'file');
  const hash = member(file, 'hash');
  const process = member(message, 'process');
  const agent = member(message.wazuh, 'agent') ?? member(message, 'agent');
  const srcip = textAt(member(message, 'source'), 'ip');
  const user = textAt(member(message, 'user'), 'name');
  const title = textAt(rule, 'name') ?? textAt(rule, 'description') ?? textAt(order, 'name');
  const pid = member(process, 'pid');
  const executable = textAt(process, 'executable');
  const alertAt = Date.parse(textAt(message, '@timestamp') ?? '');
  const extra = textAt(order, 'extra_arguments');
  const facts: Facts = {
    title: title?.slice(0, 1_024),
    text: (textAt(message, 'message') ?? textAt(event, 'original'))?.slice(0, 8_192),
    ruleId: scalarAt(rule, 'id'),
    alertId: scalarAt(event, 'id'),
    alertAt: Number.isNaN(alertAt) ? undefined : alertAt,
    agentName: textAt(agent, 'name'),
    agentId: scalarAt(agent, 'id') ?? scalarAt(order, 'agent_id'),
    srcip,
    user,
    sha256: hashAt(hash, 'sha256', 64),
    sha1: hashAt(hash, 'sha1', 40),
    extraArgs: extra?.split(' ').filter((word) => word !== ''),
  };
  const origin: Origin = {
    dialect: 'wazuh5',
    by: agentText(facts),
    reason: facts.title,
    ruleId: facts.ruleId,
    alertId: facts.alertId,
  };
  return {
    response,
    srcip,
    user,
    file: textAt(file, 'path'),
    process:
      pid === undefined && executable === undefined
        ? undefined
        : { pid: typeof pid === 'number' ? pid : undefined, executable },
    facts,
    hostOnly: true,
    timeoutSeconds: timeoutOf(order),
    origin,
  };
}

/** Only a number counts, and only its whole part; none, or 0, has no end. */
function timeoutOf({ type, stateful_timeout }: Wazuh5Message['wazuh']['active_response']) {
  if (type !== 'stateful' || typeof stateful_timeout !== 'number') return undefined;
  const seconds = Math.trunc(stateful_timeout);
  return seconds === 0 ? undefined : seconds;
}

function agentText({ agentName, agentId }: Facts): string | undefined {
  const names = [agentName, agentId].filter((one) => one !== undefined);
  return names.length === 0 ? undefined : `manager of ${names.join(' ')}`.slice(0, 256);
}

function hashAt(value: unknown, name: string, digits: number): string | undefined {
  const text = textAt(value, name)?.toLowerCase();
  return text?.length === digits && /^[0-9a-f]+$/.test(text) ? text : undefined;
}

function invalid(what: string): ArError {
  return new ArError(
    'message-invalid',
    `Wazuh 5 message, ${what}`,
    'A message needs wazuh.active_response with an executable.',
  );
}
