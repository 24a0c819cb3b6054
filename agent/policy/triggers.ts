/** Which commands an alert runs on this machine, as `<active-response>` says; and why not the others. */
import type { ActiveResponse } from '../words.ts';

/** What of an alert decides. */
export interface AlertConditions {
  readonly level?: number | undefined;
  readonly ruleId?: string | undefined;
  readonly groups: readonly string[];
  /** The agent whose event raised it. */
  readonly agentId?: string | undefined;
  readonly agentName?: string | undefined;
  /** The data that it carries. */
  readonly carries: ReadonlySet<'srcip' | 'user' | 'filename'>;
  /** It is about what a response did: to respond to that could go round for ever. */
  readonly aboutResponses: boolean;
}

/** Who this machine is to its manager. */
export interface Identity {
  readonly id?: string | undefined;
  readonly name: string;
  readonly role: 'agent' | 'manager';
}

export interface Verdict {
  readonly activeResponse: ActiveResponse;
  /** Why its command does not run, as the end of a sentence; absent: it runs. */
  readonly why?: string | undefined;
}

/** The id of a manager's own agent. */
const managerId = '000';

/** A verdict for each of `activeResponses`, in their order. */
export function judge(
  alert: AlertConditions,
  activeResponses: readonly ActiveResponse[],
  who: Identity,
): Verdict[] {
  return activeResponses.map((activeResponse) => ({
    activeResponse,
    why:
      unfulfilled(alert, activeResponse) ??
      elsewhere(alert, activeResponse, who) ??
      missing(alert, activeResponse),
  }));
}

/** How long what an active response does is held; undefined: until it is deleted, or it is done once. */
export function timeoutOf({ command, timeoutSeconds }: ActiveResponse): number | undefined {
  return command.timeoutAllowed && timeoutSeconds !== 0 ? timeoutSeconds : undefined;
}

/** Every condition that is given has to hold. One without any would run for every alert. */
function unfulfilled(alert: AlertConditions, active: ActiveResponse): string | undefined {
  const { level, ruleIds, ruleGroups } = active;
  if (active.disabled) return 'it is disabled';
  if (level === undefined && ruleIds === undefined && ruleGroups === undefined) {
    return 'it names no level, rule or group, so no alert sets it off';
  }
  if (level !== undefined && !(alert.level !== undefined && alert.level >= level)) {
    return `the alert's level is ${alert.level ?? 'not known'}, and ${level} is the lowest`;
  }
  const named = ruleIds?.some((id) => sameNumber(id, alert.ruleId)) === true;
  if (ruleIds !== undefined && !named) {
    return `the alert's rule ${alert.ruleId ?? '(not known)'} is not among ${ruleIds.join(', ')}`;
  }
  if (ruleGroups !== undefined && !ruleGroups.some((group) => alert.groups.includes(group))) {
    return `none of the rule's groups is among ${ruleGroups.join(', ')}`;
  }
  if (alert.aboutResponses && !named) {
    return 'the alert is about what a response did, and its rule is not named by rules_id';
  }
  return undefined;
}

function elsewhere(
  alert: AlertConditions,
  { location, agentIds }: ActiveResponse,
  who: Identity,
): string | undefined {
  const id = idOf(who);
  switch (location) {
    case 'all':
      return undefined;
    case 'server':
      return who.role === 'manager' ? undefined : 'it runs on the manager, and this is an agent';
    case 'local':
      return isOwn(alert, who)
        ? undefined
        : `it runs on the agent that raised the alert, ${nameOf(alert)}, and this is ${describe(who)}`;
    case 'defined-agent':
      if (id === undefined) {
        return `it runs on agent ${agentIds.join(', ')}, and this agent's id is not configured`;
      }
      return agentIds.some((one) => sameNumber(one, id))
        ? undefined
        : `it runs on agent ${agentIds.join(', ')}, and this is ${describe(who)}`;
  }
}

/** An id decides over a name. What names no agent was brought here, so it is from here. */
function isOwn({ agentId, agentName }: AlertConditions, who: Identity): boolean {
  const id = idOf(who);
  if (agentId !== undefined && id !== undefined) return sameNumber(agentId, id);
  return agentName === undefined ? agentId === undefined : agentName === who.name;
}

function idOf({ id, role }: Identity): string | undefined {
  return id ?? (role === 'manager' ? managerId : undefined);
}

function missing({ carries }: AlertConditions, { command }: ActiveResponse): string | undefined {
  const lacking = command.expect.filter((one) => !carries.has(one));
  return lacking.length === 0 ? undefined : `the alert has no ${lacking.join(' and no ')}`;
}

/** Ids are written with zeros before them, or without: 001 is 1. */
function sameNumber(a: string, b: string | undefined): boolean {
  return b !== undefined && withoutZeros(a) === withoutZeros(b);
}

function withoutZeros(id: string): string {
  return id.trim().replace(/^0+(?=\d)/, '');
}

function nameOf({ agentId, agentName }: AlertConditions): string {
  return [agentName, agentId]
    .filter((one) => one !== undefined)
    .join(' ')
    .slice(0, 128);
}

function describe(who: Identity): string {
  const id = idOf(who);
  return id === undefined ? who.name : `${who.name} (${id})`;
}
