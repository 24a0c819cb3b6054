/**
 * The lines that a script reads. Upstream's executables get what the manager sent, with another
 * command; who asks for something by hand gets the same form, made from what the request says
 * (Wazuh source: src/os_execd/execd.c and, for 5.0, the documents that the manager's indexer sends).
 */
import type { Action } from '../words.ts';
import type { Script } from './settings.ts';

export type Command = 'add' | 'delete' | 'continue' | 'abort';

type Document = Readonly<Record<string, unknown>>;

/** What is known of an action when its script is run. */
export type Subject = Pick<
  Action,
  'id' | 'createdAt' | 'deadlineAt' | 'origin' | 'facts' | 'managerLine'
>;

/** The message as JSON, Wazuh 4.2 to 4.14. */
export function jsonLine(script: Script, subject: Subject, command: Command): string {
  const message = messageOf(script, subject);
  return JSON.stringify({ ...message, command });
}

/** The document of Wazuh 5.0: `enable` and `disable` in its root. */
export function wcsLine(script: Script, subject: Subject, command: Command): string {
  const commands = { add: 'enable', delete: 'disable', continue: 'continue', abort: 'abort' };
  // A command of the event itself would come first, and scripts would obey it.
  const { command: _command, ...event } = eventOf(script, subject);
  return JSON.stringify({ ...event, command: commands[command] });
}

/** `active-response/bin/NAME`: what decoders of the manager know a script by. */
function programName({ file }: Script): string {
  return `active-response/bin/${file}`;
}

/** The alert that an action came from, or one that says what is known. */
export function alertOf(subject: Subject): Document {
  const sent = parse(subject.managerLine);
  const alert = asDocument(asDocument(sent?.['parameters'])?.['alert']);
  return alert ?? makeAlert(subject);
}

/** What the manager sent has the arguments of its configuration; those of ours come behind them. */
export function extraArgsOf({ extraArgs }: Script, { facts }: Subject): string[] {
  return [...(facts?.extraArgs ?? []), ...extraArgs];
}

/** The order of the members is upstream's: a decoder looks for `"data":{"srcip":`. */
function messageOf(script: Script, subject: Subject): Document {
  const sent = parse(subject.managerLine);
  const parameters = asDocument(sent?.['parameters']);
  const extra_args = extraArgsOf(script, subject);
  const program = programName(script);
  if (sent !== undefined && parameters !== undefined) {
    const args = script.extraArgs.length === 0 ? {} : { extra_args };
    return { ...sent, parameters: { ...parameters, ...args, program } };
  }
  return {
    version: 1,
    origin: { name: 'ar-exec', module: 'wazuh-execd' },
    command: 'add',
    parameters: { extra_args, alert: makeAlert(subject), program },
  };
}

function makeAlert({ id, createdAt, origin, facts = {} }: Subject): Document {
  const { srcip, user, file, sha256 } = facts;
  return {
    timestamp: new Date(facts.alertAt ?? createdAt).toISOString().replace('Z', '+0000'),
    rule: {
      level: facts.level ?? 0,
      description: facts.title ?? origin.reason ?? '',
      id: facts.ruleId ?? origin.ruleId ?? '0',
      ...(facts.groups === undefined ? {} : { groups: facts.groups }),
    },
    agent: { id: facts.agentId ?? '000', name: facts.agentName ?? 'ar-exec' },
    id: facts.alertId ?? `${Math.floor(createdAt / 1_000)}.${id}`,
    ...(facts.text === undefined ? {} : { full_log: facts.text }),
    ...(file === undefined ? {} : { syscheck: { path: file, sha256_after: sha256 } }),
    data: { srcip, dstuser: user },
    location: facts.location ?? 'ar-exec',
  };
}

function eventOf(script: Script, subject: Subject): Document {
  const sent = parse(subject.managerLine);
  if (asDocument(sent?.['wazuh']) !== undefined) return sent as Document;
  const { facts = {}, createdAt, deadlineAt } = subject;
  const { srcip, user, file, title, text } = facts;
  const seconds =
    deadlineAt === undefined ? undefined : Math.round((deadlineAt - createdAt) / 1_000);
  const agentId = facts.agentId ?? '000';
  return {
    wazuh: {
      active_response: {
        name: script.name,
        executable: script.file,
        type: seconds === undefined && script.stateful !== 'yes' ? 'stateless' : 'stateful',
        stateful_timeout: seconds,
        extra_arguments: extraArgsOf(script, subject).join(' ') || undefined,
        location: 'local',
        agent_id: agentId,
      },
      agent: { id: agentId, name: facts.agentName ?? 'ar-exec' },
    },
    ...(title === undefined && text === undefined ? {} : { message: text ?? title }),
    ...(srcip === undefined ? {} : { source: { ip: srcip } }),
    ...(user === undefined ? {} : { user: { name: user } }),
    ...(file === undefined ? {} : { file: { path: file } }),
  };
}

function parse(line: string | undefined): Document | undefined {
  // OSSEC sends words, from which a message has to be made like any other.
  return line?.startsWith('{') ? asDocument(JSON.parse(line)) : undefined;
}

function asDocument(value: unknown): Document | undefined {
  return typeof value === 'object' && value !== null ? (value as Document) : undefined;
}
