/**
 * What an alert of Wazuh's analysisd says, by the names that it gives its members (Wazuh source:
 * src/analysisd/format/to_json.c).
 */
import type { Facts } from '../../../platform/driver.ts';
import type { Origin, Request } from '../../words.ts';
import { isText, member, scalarAt, textAt } from './member.ts';

/** What a request is about, taken from the alert that it comes from. */
export type AlertSubject = Pick<Request, 'srcip' | 'user' | 'file' | 'process' | 'facts'>;

/** `extraArgs` are what the command is configured with. Never throws. */
export function subjectOf(alert: unknown, extraArgs: unknown): AlertSubject {
  const data = member(alert, 'data');
  const srcip = sourceAddress(data);
  const file = fileOf(alert);
  return {
    srcip,
    user: textAt(data, 'dstuser'),
    file: file?.path,
    process: processOf(data),
    facts: {
      ...factsOf(alert, srcip, extraArgs),
      sha256: file?.sha256,
      sha1: file?.sha1,
    },
  };
}

/** Why, as an alert has it. */
export function reasonOf(alert: unknown): Pick<Origin, 'reason' | 'ruleId' | 'alertId'> {
  const rule = member(alert, 'rule');
  return {
    reason: textAt(rule, 'description')?.slice(0, 1_024),
    ruleId: scalarAt(rule, 'id'),
    alertId: scalarAt(alert, 'id'),
  };
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
