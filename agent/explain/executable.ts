/** What the executable of a command comes to on this machine. */
import { describeDuration } from '../config/duration.ts';
import type { Config } from '../config/settings.ts';
import type { Choice } from '../engine/choose.ts';
import type { ResponseDefinition } from '../policy/responses.ts';
import type { Settled } from '../settle/settle.ts';
import { checkScriptFile } from '../system/script-file.ts';
import type { CommandDefinition } from '../words.ts';

export interface Meaning {
  /**
   * - `response`: one that this machine can carry out
   * - `script`: a file of the response folder
   * - `impossible`: a response, and nothing here can carry it out
   * - `refused`: a file that may not be run
   * - `absent`: nothing of that name is here
   */
  readonly kind: 'response' | 'script' | 'impossible' | 'refused' | 'absent';
  /** What it does, or why it does nothing, as the rest of a sentence. */
  readonly text: string;
  /** What is done is taken back later; `asked`: if there is a timeout. */
  readonly stateful: boolean | 'asked';
  readonly response?: string | undefined;
  /** What carries it out; the first of them does, if nothing is in its way. */
  readonly drivers?: readonly string[] | undefined;
}

/** What has to be known of the machine. */
export interface Here {
  readonly settled: Settled;
  readonly scriptsFolder: string;
}

export async function meaningOf(command: CommandDefinition, here: Here): Promise<Meaning> {
  const { settled } = here;
  const definition = settled.define(command.executable);
  if (definition === undefined) return meaningOfFile(command, here);
  const { name, stateful, summary } = definition;
  const drivers = carriers(definition, settled.chosen.get(name));
  if (drivers.length === 0) {
    const text = `${command.executable} is the response ${name}, and nothing on this machine can carry it out (${whyNone(definition, settled)})`;
    return { kind: 'impossible', text, stateful, response: name };
  }
  const by = drivers.map(({ driver, of }) => `${of}driver ${driver}`).join(', ');
  return {
    kind: 'response',
    text: `${summary} (response ${name}, ${by})`,
    stateful,
    response: name,
    drivers: [...new Set(drivers.map(({ driver }) => driver))],
  };
}

async function meaningOfFile(command: CommandDefinition, here: Here): Promise<Meaning> {
  const { executable } = command;
  const declared = here.settled.config.scripts.get(executable);
  const found = await checkScriptFile(here.scriptsFolder, declared?.file ?? executable);
  const stateful = isStateful(declared);
  if (found.fit) {
    return {
      kind: 'script',
      text: `runs ${found.path}${limits(here.settled.config, declared)}`,
      stateful,
    };
  }
  if (found.kind === 'absent') {
    const text = `${executable} is not present on this system: ignored`;
    return { kind: 'absent', text, stateful };
  }
  return { kind: 'refused', text: `${executable} is not run: ${found.why}`, stateful };
}

type Declaration = ReturnType<Config['scripts']['get']>;

function isStateful(declared: Declaration): Meaning['stateful'] {
  return declared?.stateful === undefined ? 'asked' : declared.stateful === 'yes';
}

function limits({ scriptTimeLimitSeconds }: Config, declared: Declaration): string {
  const seconds = declared?.timeLimitSeconds ?? scriptTimeLimitSeconds;
  return ` for ${describeDuration(seconds)} at most`;
}

interface Carrier {
  readonly driver: string;
  /** For which addresses, if not for all. */
  readonly of: string;
}

function carriers({ instance }: ResponseDefinition, choice: Choice | undefined): Carrier[] {
  const first = instance?.driver ?? choice?.first;
  if (first !== undefined) return [{ driver: first, of: '' }];
  const { 4: v4, 6: v6 } = choice?.byFamily ?? {};
  if (v4 !== undefined && v4 === v6) return [{ driver: v4, of: '' }];
  return [
    ...(v4 === undefined ? [] : [{ driver: v4, of: 'IPv4 ' }]),
    ...(v6 === undefined ? [] : [{ driver: v6, of: 'IPv6 ' }]),
  ];
}

/** What each driver that could do it lacks. */
function whyNone({ name, drivers }: ResponseDefinition, { config, probes }: Settled): string {
  const possible = config.drivers.get(name) ?? drivers;
  return probes
    .filter(({ driver }) => possible.includes(driver))
    .map(({ driver, usability }) => `${driver}: ${usability.why}`)
    .join('; ');
}
