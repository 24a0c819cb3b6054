/**
 * An alert as Wazuh's analysisd writes it to `alerts.json`. It asks for nothing by itself: the
 * configuration says what follows from it.
 */
import type { CommandDefinition, Request } from '../../words.ts';
import { isText, member, scalarAt, textAt } from './member.ts';
import { type AlertSubject, reasonOf, subjectOf } from './wazuh-alert.ts';

/** What decides which commands an alert runs. */
export interface AlertHead {
  readonly level: number | undefined;
  readonly ruleId: string | undefined;
  readonly groups: readonly string[];
  readonly agentId: string | undefined;
  readonly agentName: string | undefined;
  readonly carries: ReadonlySet<'srcip' | 'user' | 'filename'>;
  readonly aboutResponses: boolean;
}

export interface Trigger {
  readonly command: CommandDefinition;
  /** Absent = held until deleted. */
  readonly timeoutSeconds: number | undefined;
}

/** Executables of upstream read no longer line (src/active-response/active_responses.h: 65,536). */
const longestLine = 65_534;
/** Where a manager's rules have what executables log about themselves (0015-ossec_rules.xml). */
const ownRules = { first: 600, last: 658 };
const ownGroup = 'active_response';
const ownLogs = /(?:^|[/\\])(?:active-responses|ar-exec[\w-]*)\.(?:log|json)$/;

/** Tells an alert from everything that asks for something: it has a rule, and no command. */
export function isAlert(value: object): boolean {
  const rule = member(value, 'rule');
  return typeof rule === 'object' && rule !== null && !('command' in value);
}

/** Never throws. */
export function headOf(alert: object): AlertHead {
  const rule = member(alert, 'rule');
  const agent = member(alert, 'agent');
  const groups = member(rule, 'groups');
  const ruleId = scalarAt(rule, 'id');
  const list = Array.isArray(groups) ? groups.filter(isText) : [];
  return {
    level: levelOf(rule),
    ruleId,
    groups: list,
    agentId: scalarAt(agent, 'id'),
    agentName: textAt(agent, 'name'),
    carries: carriedBy(subjectOf(alert, undefined)),
    aboutResponses: isAboutResponses(alert, ruleId, list),
  };
}

/** What a command that an alert sets off is asked to do. `by` is this agent's name. Never throws. */
export function fromAlert(
  alert: object,
  { command, timeoutSeconds }: Trigger,
  by: string,
): Request {
  const { executable, extraArgs } = command;
  const line = scriptLine(alert, command, by);
  return {
    ...subjectOf(alert, extraArgs.length === 0 ? undefined : extraArgs),
    verb: 'add',
    response: executable,
    timeoutSeconds,
    hostOnly: true,
    origin: { dialect: 'alert', by: `ar-exec on ${by}`.slice(0, 256), ...reasonOf(alert) },
    managerLine: Buffer.byteLength(line) > longestLine ? undefined : line,
  };
}

function levelOf(rule: unknown): number | undefined {
  const level = member(rule, 'level');
  const number = typeof level === 'string' && /^\d{1,2}$/.test(level) ? Number(level) : level;
  return typeof number === 'number' ? number : undefined;
}

function carriedBy({ srcip, user, file }: AlertSubject): AlertHead['carries'] {
  const carried = new Set<'srcip' | 'user' | 'filename'>();
  if (isGiven(srcip)) carried.add('srcip');
  if (isGiven(user)) carried.add('user');
  if (isGiven(file)) carried.add('filename');
  return carried;
}

/** A dash stands for what is not known. */
function isGiven(text: string | undefined): boolean {
  return text !== undefined && text !== '' && text !== '-';
}

function isAboutResponses(
  alert: object,
  ruleId: string | undefined,
  groups: readonly string[],
): boolean {
  const rule = Number(ruleId);
  return (
    groups.includes(ownGroup) ||
    (rule >= ownRules.first && rule <= ownRules.last) ||
    ownLogs.test(textAt(alert, 'location') ?? '')
  );
}

/**
 * The line that a manager's execd would hand to the executable. The alert stays as it is: a decoder
 * looks for `"data":{"srcip":`.
 */
function scriptLine(
  alert: object,
  { executable, extraArgs }: CommandDefinition,
  by: string,
): string {
  return JSON.stringify({
    version: 1,
    origin: { name: by, module: 'ar-exec' },
    command: 'add',
    parameters: {
      extra_args: extraArgs,
      alert,
      program: `active-response/bin/${executable}`,
    },
  });
}
