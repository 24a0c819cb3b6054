/** What the commands and active responses of a configuration do on this machine, in sentences. */
import { hostname } from 'node:os';
import { defaultPaths } from '../config/default-paths.ts';
import { describeDuration } from '../config/duration.ts';
import type { Config } from '../config/settings.ts';
import type { Settled } from '../settle/settle.ts';
import { type ExplainedResponse, explainActiveResponse } from './active-response.ts';
import { type Meaning, meaningOf } from './executable.ts';

export interface ExplainedCommand extends Omit<Meaning, 'stateful'> {
  readonly command: string;
  readonly executable: string;
}

export interface Explanation {
  readonly commands: readonly ExplainedCommand[];
  readonly activeResponses: readonly ExplainedResponse[];
  /** Where alerts come from that set them off, and what holds for all of them. */
  readonly notes: readonly string[];
}

export async function explain(settled: Settled): Promise<Explanation> {
  const { config } = settled;
  const scriptsFolder = config.scriptsFolder ?? defaultPaths().scriptsFolder;
  const meanings = new Map<object, Meaning>();
  const meaningFor = async (command: (typeof config.commands)[number]): Promise<Meaning> => {
    const meaning = meanings.get(command) ?? (await meaningOf(command, { settled, scriptsFolder }));
    meanings.set(command, meaning);
    return meaning;
  };
  const commands: ExplainedCommand[] = [];
  for (const command of config.commands) {
    const { stateful, text, ...meaning } = await meaningFor(command);
    const { name, executable, timeoutAllowed } = command;
    const does = meaning.kind === 'response' || meaning.kind === 'script';
    const endless = does && stateful === true && !timeoutAllowed;
    const sentence = `${name}: ${text}${endless ? ', until it is deleted: it allows no timeout' : ''}.`;
    commands.push({ command: name, executable, ...meaning, text: sentence });
  }
  const activeResponses: ExplainedResponse[] = [];
  for (const active of config.activeResponses) {
    activeResponses.push(explainActiveResponse(active, await meaningFor(active.command), config));
  }
  return { commands, activeResponses, notes: notesOn(settled) };
}

function notesOn({ config }: Settled): string[] {
  const { activeResponses, activeResponseDisabled, alertsFile } = config;
  if (activeResponseDisabled) return ['Active responses are turned off on this machine.'];
  if (activeResponses.length === 0) return [];
  return [
    whoThisIs(config),
    alertsFile === undefined
      ? 'No file of alerts is followed (alerts_file): the manager decides when active responses run, or "ar-exec alert" is told of alerts.'
      : `Alerts are followed in ${alertsFile}.`,
    ...forgetting(config),
  ];
}

function whoThisIs({ agentRole, agentName, agentId }: Config): string {
  const id = agentId === undefined ? 'without an id (agent_id)' : `with the id ${agentId}`;
  return `This machine is the ${agentRole} ${agentName ?? hostname()}, ${id}.`;
}

function forgetting({ repeatedOffenderSeconds, repeatedOffendersForgetSeconds }: Config): string[] {
  if (repeatedOffenderSeconds.length === 0) return [];
  const quiet = describeDuration(repeatedOffendersForgetSeconds);
  return [`After ${quiet} without one, an offence is a first one again.`];
}
