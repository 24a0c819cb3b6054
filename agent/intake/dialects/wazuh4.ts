/**
 * What a Wazuh manager 4.2 to 4.14 sends to an agent for execd: one JSON object, whose `command` is
 * the name of the response with its timeout in seconds behind it (`firewall-drop600`), and which
 * carries the whole alert; and what execd hands to an executable: the same with `add` or `delete` for
 * a command (Wazuh source: src/os_execd/execd.c, src/active-response/active_responses.c).
 */
import * as v from 'valibot';
import { ArError } from '../../errors.ts';
import type { Commands, Origin, Request } from '../../words.ts';
import { member } from './member.ts';
import { reasonOf, subjectOf } from './wazuh-alert.ts';

const looseText = v.optional(v.unknown());

/** Members that are not named here are tolerated, as the manager adds to the alert as it likes. */
const schema = v.looseObject({
  version: v.number(),
  origin: v.looseObject({ name: looseText, module: looseText }),
  command: v.pipe(v.string(), v.maxLength(256)),
  parameters: v.looseObject({ alert: v.optional(v.unknown()) }),
});

type Wazuh4Message = v.InferOutput<typeof schema>;

/** Tells this dialect from the native one: a native request has neither of these. */
export function isWazuh4(value: object): boolean {
  return 'version' in value && 'origin' in value;
}

/** What the manager sends: an `add`, for as long as its command's name says. Throws `message-invalid`. */
export function fromManager(value: object, commands: Commands): Request {
  const message = check(value);
  const { executable, timeoutSeconds } =
    commands.find(message.command) ?? splitCommand(message.command);
  return {
    ...common(message),
    verb: 'add',
    response: executable,
    timeoutSeconds: timeoutSeconds === 0 ? undefined : timeoutSeconds,
    managerLine: scriptLine(value, executable),
  };
}

/**
 * What execd hands to the executable `name`. It does not say how long, and takes it back itself; if it
 * does not, the longest time that its command can mean is the end.
 *
 * Throws `message-invalid`.
 */
export function fromExecd(value: object, name: string, commands: Commands): Request {
  const message = check(value);
  const { command: verb } = message;
  if (verb !== 'add' && verb !== 'delete') {
    throw invalid(`member "command": an executable is told to add or to delete`);
  }
  return {
    ...common(message),
    verb,
    response: name,
    timeoutSeconds: commands.longest(name),
    managerLine: JSON.stringify(value),
  };
}

function check(value: object): Wazuh4Message {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw invalid(
    `member "${v.getDotPath(issue)?.slice(0, 100) ?? ''}": ${issue.message.slice(0, 200)}`,
  );
}

function common({ origin, parameters }: Wazuh4Message) {
  const { alert } = parameters;
  return {
    ...subjectOf(alert, member(parameters, 'extra_args')),
    // Upstream takes no prefixes either: an alert must not be able to widen a block.
    hostOnly: true,
    origin: originOf(origin, alert),
  };
}

/** The timeout stands behind the name; a name with `!` before it, from the manager's API, has none. */
export function splitCommand(command: string): { executable: string; timeoutSeconds: number } {
  if (command.startsWith('!')) return { executable: command.slice(1), timeoutSeconds: 0 };
  let end = command.length;
  while (end > 0 && /\d/.test(command.charAt(end - 1))) end -= 1;
  return { executable: command.slice(0, end), timeoutSeconds: Number(command.slice(end)) };
}

function originOf(origin: { name?: unknown; module?: unknown }, alert: unknown): Origin {
  const by = [origin.module, origin.name].filter((one) => typeof one === 'string' && one !== '');
  return {
    dialect: 'wazuh4',
    by: by.length === 0 ? undefined : by.join(' on ').slice(0, 256),
    ...reasonOf(alert),
  };
}

/**
 * The line that upstream's execd hands to the executable, and that the executable logs. Made from the
 * message itself: the order of its members has to stay, a decoder looks for `"data":{"srcip":`.
 */
function scriptLine(message: object, executable: string): string {
  const { origin, parameters } = message as { origin: object; parameters: object };
  return JSON.stringify({
    ...message,
    origin: { ...origin, module: 'wazuh-execd' },
    command: 'add',
    parameters: { ...parameters, program: `active-response/bin/${executable}` },
  });
}

function invalid(what: string): ArError {
  return new ArError(
    'message-invalid',
    `Wazuh message, ${what}`,
    'A message needs version (a number), origin, command and parameters.',
  );
}
