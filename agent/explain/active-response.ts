/** What an active response does on this machine, as a sentence. */
import { describeDuration } from '../config/duration.ts';
import type { Config } from '../config/settings.ts';
import type { ActiveResponse } from '../words.ts';
import type { Meaning } from './executable.ts';

export interface ExplainedResponse {
  readonly command: string;
  /** Whether any alert can set it off here. */
  readonly runs: boolean;
  readonly text: string;
}

/** What of a configuration an active response is seen from. */
export type Viewpoint = Pick<
  Config,
  'agentId' | 'agentRole' | 'activeResponseDisabled' | 'repeatedOffenderSeconds'
>;

const carried = { srcip: 'a source address', user: 'a user', filename: 'a file name' } as const;
/** The id of a manager's own agent. */
const managerId = '000';

export function explainActiveResponse(
  active: ActiveResponse,
  meaning: Meaning,
  from: Viewpoint,
): ExplainedResponse {
  const { name } = active.command;
  const why = whyNot(active, meaning, from);
  const conditions = `${name} on alerts of ${conditionsOf(active)}`;
  if (why !== undefined) return { command: name, runs: false, text: `${conditions}: ${why}.` };
  const alerts = `${conditions}${raisedBy(active, from)}${carrying(active)}`;
  const text = `${alerts}: ${meaning.text}${howLong(active, meaning, from)}.`;
  return { command: name, runs: true, text };
}

function whyNot(active: ActiveResponse, meaning: Meaning, from: Viewpoint): string | undefined {
  if (from.activeResponseDisabled) return 'active responses are turned off on this machine';
  if (active.disabled) return 'it is turned off';
  if (conditionsIn(active).length === 0)
    return 'without a level, a rule or a group nothing sets it off';
  const place = whyNotHere(active, from);
  if (place !== undefined) return place;
  const able = meaning.kind === 'response' || meaning.kind === 'script';
  return able ? undefined : meaning.text;
}

function whyNotHere({ location, agentIds }: ActiveResponse, from: Viewpoint): string | undefined {
  if (location === 'server' && from.agentRole !== 'manager') {
    return 'it is for the manager, and this machine is an agent (agent_role): ignored';
  }
  if (location !== 'defined-agent') return undefined;
  if (agentIds.length === 0) return 'it names no agent: ignored';
  const named = `it is for agent ${agentIds.join(', ')}`;
  const own = from.agentId ?? (from.agentRole === 'manager' ? managerId : undefined);
  if (own === undefined) return `${named}, and <agent_id> does not say which one this is: ignored`;
  const isMeant = agentIds.some((id) => Number(id) === Number(own));
  return isMeant ? undefined : `${named}, and this is ${own}: ignored`;
}

function conditionsOf(active: ActiveResponse): string {
  const found = conditionsIn(active);
  return found.length === 0 ? 'any kind' : found.join(' and ');
}

function conditionsIn({ level, ruleIds, ruleGroups }: ActiveResponse): string[] {
  return [
    ...(level === undefined ? [] : [`level ${level} or more`]),
    ...(ruleIds === undefined ? [] : [`rule ${eitherOf(ruleIds)}`]),
    ...(ruleGroups === undefined ? [] : [`group ${eitherOf(ruleGroups)}`]),
  ];
}

function raisedBy({ location }: ActiveResponse, { agentRole }: Viewpoint): string {
  if (location !== 'local') return ' raised by any agent';
  return agentRole === 'manager' ? ' raised by the manager itself' : ' raised by this agent';
}

function carrying({ command }: ActiveResponse): string {
  const data = command.expect.map((one) => carried[one]);
  return data.length === 0 ? '' : ` that carry ${data.join(' and ')}`;
}

/** How long it lasts, the first time and later. */
function howLong(
  { timeoutSeconds }: ActiveResponse,
  { stateful }: Meaning,
  { repeatedOffenderSeconds }: Viewpoint,
): string {
  const isHeld = stateful === 'asked' ? timeoutSeconds !== undefined : stateful;
  if (!isHeld) {
    const lost = timeoutSeconds === undefined ? '' : '; its timeout does not count';
    return `, once for each alert${lost}`;
  }
  if (timeoutSeconds === undefined) return ', until it is deleted';
  return `, for ${[describeDuration(timeoutSeconds), ...laterTimes(repeatedOffenderSeconds)].join('; ')}`;
}

/** How long the second offence and those after it are answered. */
function laterTimes(steps: readonly number[]): string[] {
  return steps.map((seconds, index) => {
    const which = `the ${ordinals[index] ?? `${index + 2}th`}`;
    const others = index === steps.length - 1 ? ' and every later' : '';
    const offence = index === 0 || others !== '' ? ' offence' : '';
    return `${which}${others}${offence} ${describeDuration(seconds)}`;
  });
}

const ordinals = ['second', 'third', 'fourth', 'fifth'];

function eitherOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
