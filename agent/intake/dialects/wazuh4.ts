/**
 * What a Wazuh manager 4.2 to 4.14 sends to an agent for execd: one JSON object, whose `command` is
 * the name of the response with its timeout in seconds behind it (`firewall-drop600`), and which
 * carries the whole alert (Wazuh source: src/os_execd/execd.c, src/active-response/active_responses.c).
 */
import * as v from 'valibot';
import type { Facts } from '../../../platform/driver.ts';
import { ArError } from '../../errors.ts';
import type { Origin, Request } from '../../words.ts';
import type { Message } from '../ask.ts';

const looseText = v.optional(v.unknown());

/** Members that are not named here are tolerated, as the manager adds to the alert as it likes. */
const schema = v.looseObject({
  version: v.number(),
  origin: v.looseObject({ name: looseText, module: looseText }),
  command: v.pipe(v.string(), v.maxLength(256)),
  parameters: v.looseObject({ alert: v.optional(v.unknown()) }),
});

/** Tells this dialect from the native one: a native request has neither of these. */
export function isWazuh4(value: object): boolean {
  return 'version' in value && 'origin' in value;
}

/** Understands such a message. Throws `message-invalid`. */
export function parseWazuh4(value: object): Message {
  const parsed = v.safeParse(schema, value);
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw new ArError(
      'message-invalid',
      `Wazuh message, member "${v.getDotPath(issue) ?? ''}": ${issue.message}`,
      'A message needs version (a number), origin, command and parameters.',
    );
  }
  const message = parsed.output;
  const { response, digits } = splitCommand(message.command);
  const alert = message.parameters.alert;
  const data = member(alert, 'data');
  const srcip = sourceAddress(data);
  const file = fileOf(alert);
  const timeoutSeconds = Number(digits);
  const request: Request = {
    verb: 'add',
    response,
    srcip,
    user: textAt(data, 'dstuser'),
    file: file?.path,
    process: processOf(data),
    facts: {
      ...factsOf(alert, srcip, member(message.parameters, 'extra_args')),
      sha256: file?.sha256,
      sha1: file?.sha1,
    },
    // Upstream takes no prefixes either: an alert must not be able to widen a block.
    hostOnly: true,
    timeoutSeconds: timeoutSeconds === 0 ? undefined : timeoutSeconds,
    origin: originOf(message.origin, alert),
    managerLine: scriptLine(value, response),
  };
  return { ask: { kind: 'act', request } };
}

/** The timeout stands behind the name; a name with `!` before it, from the manager's API, has none. */
function splitCommand(command: string): { response: string; digits: string } {
  if (command.startsWith('!')) return { response: command.slice(1), digits: '' };
  const [, response = '', digits = ''] = /^(.*?)(\d*)$/s.exec(command) ?? [];
  return { response, digits };
}

/**
 * The first of these that is a string decides, as upstream has it: an invalid one is not passed over
 * for the next.
 */
function sourceAddress(data: unknown): string | undefined {
  const eventdata = member(member(data, 'win'), 'eventdata');
  const candidates = [
    member(eventdata, 'ipAddress'),
    member(eventdata, 'destinationIp'),
    member(data, 'srcip'),
  ];
  return candidates.find((one): one is string => typeof one === 'string');
}

/**
 * The process that an alert is about. Of the audit system only the kernel's own records count: other
 * programs write the rest of them, and the decoder takes `ppid=` for `pid=` in some (Wazuh ruleset:
 * 0040-auditd_decoders.xml). Sysmon's are for Windows.
 */
function processOf(data: unknown): Request['process'] {
  const audit = member(data, 'audit');
  const eventdata = member(member(data, 'win'), 'eventdata');
  const named =
    textAt(audit, 'type') === 'SYSCALL'
      ? { pid: scalarAt(audit, 'pid'), executable: textAt(audit, 'exe') }
      : { pid: scalarAt(eventdata, 'processId'), executable: textAt(eventdata, 'image') };
  if (named.pid === undefined && named.executable === undefined) return undefined;
  const pid = /^\d{1,10}$/.test(named.pid ?? '') ? Number(named.pid) : undefined;
  return { pid, executable: named.executable };
}

/**
 * The file that an alert is about, and what it holds. These come from the manager's agent itself
 * (syscheck, and the VirusTotal integration, which repeats its path); one that was cut out of a line of
 * text could be chosen by whoever named another file (integrations/virustotal.py,
 * src/analysisd/format/to_json.c).
 */
function fileOf(alert: unknown): AlertFile | undefined {
  const source = member(member(member(alert, 'data'), 'virustotal'), 'source');
  const syscheck = member(alert, 'syscheck');
  const path = textAt(source, 'file') ?? textAt(syscheck, 'path');
  if (path === undefined) return undefined;
  if (textAt(source, 'file') !== undefined) return { path, sha1: hashAt(source, 'sha1', 40) };
  return {
    path,
    sha256: hashAt(syscheck, 'sha256_after', 64),
    sha1: hashAt(syscheck, 'sha1_after', 40),
  };
}

interface AlertFile {
  readonly path: string;
  readonly sha256?: string | undefined;
  readonly sha1?: string | undefined;
}

function hashAt(value: unknown, name: string, digits: number): string | undefined {
  const text = textAt(value, name)?.toLowerCase();
  return text !== undefined && text.length === digits && /^[0-9a-f]+$/.test(text)
    ? text
    : undefined;
}

function originOf(origin: { name?: unknown; module?: unknown }, alert: unknown): Origin {
  const rule = member(alert, 'rule');
  const by = [origin.module, origin.name].filter((one) => typeof one === 'string' && one !== '');
  return {
    dialect: 'wazuh4',
    by: by.length === 0 ? undefined : by.join(' on ').slice(0, 256),
    reason: textAt(rule, 'description')?.slice(0, 1_024),
    ruleId: scalarAt(rule, 'id'),
    alertId: scalarAt(alert, 'id'),
  };
}

/** What else the alert says; analysisd's names (Wazuh source: src/analysisd/format/to_json.c). */
function factsOf(alert: unknown, srcip: string | undefined, extraArgs: unknown): Facts {
  const rule = member(alert, 'rule');
  const level = member(rule, 'level');
  const groups = member(rule, 'groups');
  const agent = member(alert, 'agent');
  const alertAt = Date.parse(textAt(alert, 'timestamp') ?? '');
  return {
    title: textAt(rule, 'description')?.slice(0, 1_024),
    text: textAt(alert, 'full_log')?.slice(0, 8_192),
    level: typeof level === 'number' ? level : undefined,
    ruleId: scalarAt(rule, 'id'),
    groups: Array.isArray(groups) ? groups.filter(isText) : undefined,
    alertId: scalarAt(alert, 'id'),
    alertAt: Number.isNaN(alertAt) ? undefined : alertAt,
    agentName: textAt(agent, 'name'),
    agentId: scalarAt(agent, 'id'),
    location: textAt(alert, 'location'),
    srcip,
    user: textAt(member(alert, 'data'), 'dstuser'),
    extraArgs: Array.isArray(extraArgs) ? extraArgs.filter(isText) : undefined,
  };
}

/**
 * The line that upstream's execd hands to the executable, and that the executable logs. Made from the
 * message itself: the order of its members has to stay, a decoder looks for `"data":{"srcip":`.
 */
function scriptLine(message: object, response: string): string {
  const { origin, parameters } = message as { origin: object; parameters: object };
  return JSON.stringify({
    ...message,
    origin: { ...origin, module: 'wazuh-execd' },
    command: 'add',
    parameters: { ...parameters, program: `active-response/bin/${response}` },
  });
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function textAt(value: unknown, name: string): string | undefined {
  const found = member(value, name);
  return isText(found) ? found : undefined;
}

function scalarAt(value: unknown, name: string): string | undefined {
  const found = member(value, name);
  return isScalar(found) ? String(found).slice(0, 64) : undefined;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || typeof value === 'number';
}
