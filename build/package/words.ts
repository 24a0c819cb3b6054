/**
 * The command line as data, from the very definitions that --help is made of: what they tell yargs is
 * written down.
 */
import type { Argv, CommandModule } from 'yargs';
import { commands } from '../../agent/cli/command-line.ts';
import { responses } from '../../agent/policy/responses.ts';

export interface Word {
  readonly name: string;
  readonly describe: string;
  readonly choices: readonly string[];
  /** Takes a value. */
  readonly value: boolean;
  readonly defaultValue?: unknown;
}

export interface Command {
  readonly name: string;
  /** As --help shows it: `add <response>`. */
  readonly usage: string;
  readonly describe: string;
  readonly positionals: readonly Word[];
  readonly options: readonly Word[];
  readonly examples: readonly (readonly [line: string, says: string])[];
}

interface Settings {
  readonly type?: string;
  readonly describe?: string;
  readonly choices?: readonly string[];
  readonly default?: unknown;
  readonly hidden?: boolean;
}

/** Every subcommand. */
export function commandWords(): Command[] {
  return (commands as readonly CommandModule<object, object>[]).map(read);
}

/** Of every subcommand alike; a test compares them with --help. */
export const commonOptions: readonly Word[] = [
  { name: 'config', describe: 'configuration file', choices: [], value: true },
  { name: 'state', describe: 'folder of the journal', choices: [], value: true },
  { name: 'socket', describe: "the agent's socket", choices: [], value: true },
  { name: 'json', describe: 'print JSON', choices: [], value: false },
  { name: 'version', describe: 'Show version number', choices: [], value: false },
  { name: 'help', describe: 'Show help', choices: [], value: false },
];

function read({ command, describe, builder }: CommandModule<object, object>): Command {
  const positionals: Word[] = [];
  const options: Word[] = [];
  const examples: [string, string][] = [];
  const known: Record<string, (...words: never[]) => void> = {
    positional: (name: string, settings: Settings) => positionals.push(word(name, settings)),
    // What one program of ours says to another is nobody else's business.
    option: (name: string, settings: Settings) =>
      settings.hidden === true || options.push(word(name, settings)),
    example: (line: string, says: string) => examples.push([line.replace('$0', 'ar-exec'), says]),
    // What yargs checks, or how it shows it, is not for people to know.
    check: () => {},
    conflicts: () => {},
    implies: () => {},
    demandOption: () => {},
    strict: () => {},
    middleware: () => {},
  };
  const recorder: Argv = new Proxy({} as Argv, {
    get: (_, name) => {
      const note = known[String(name)];
      if (note === undefined)
        throw new Error(`what "${String(name)}" tells yargs is not understood`);
      return (...words: never[]) => {
        note(...words);
        return recorder;
      };
    },
  });
  if (typeof builder === 'function') void builder(recorder);
  const usage = String(Array.isArray(command) ? command[0] : command);
  const [name = ''] = usage.split(' ');
  return { name, usage, describe: String(describe), positionals, options, examples };
}

function word(name: string, { type, describe = '', choices = [], default: value }: Settings): Word {
  const known = name === 'response' ? responses.map((one) => one.name) : choices.map(String);
  return { name, describe, choices: known, value: type !== 'boolean', defaultValue: value };
}
