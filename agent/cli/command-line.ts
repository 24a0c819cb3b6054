import yargs, { type Argv, type CommandModule } from 'yargs';
import { ArError, exitStatus } from '../errors.ts';
import { version } from '../version.ts';
import { addCommand, deleteCommand } from './act.ts';
import { alertCommand } from './alert.ts';
import { breakerCommand } from './breaker.ts';
import { configCommand } from './config-check.ts';
import { doctorCommand } from './doctor.ts';
import { journalCommand } from './journal.ts';
import { listCommand } from './list.ts';
import { Ended, printFailure } from './output.ts';
import { runCommand } from './run.ts';
import { selfTestCommand } from './self-test.ts';
import { serviceCommand } from './service.ts';
import { statusCommand } from './status.ts';
import { wazuhCommand } from './wazuh.ts';

/** Every subcommand. What it does is its `handler`. */
export const commands = [
  runCommand,
  addCommand,
  deleteCommand,
  alertCommand,
  listCommand,
  statusCommand,
  breakerCommand,
  doctorCommand,
  selfTestCommand,
  configCommand,
  journalCommand,
  serviceCommand,
  wazuhCommand,
] as readonly CommandModule<object, never>[];

/** Understands the words of a command line and does what they say; resolves with the exit status. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  try {
    await parseCommandLine(words, commands);
    return exitStatus.ok;
  } catch (error) {
    if (error instanceof Ended) return error.status;
    return printFailure(words.includes('--json'), error);
  }
}

/** Runs the handler of the one among `known` that the words name. Throws `usage-invalid`. */
export async function parseCommandLine(
  words: readonly string[],
  known: readonly CommandModule<object, never>[],
): Promise<void> {
  const names = known.map(({ command }) => String(command).split(' ')[0]).join(', ');
  const parser = known
    .reduce((all, one) => all.command(one), globalOptions(yargs([...words])))
    .demandCommand(1, `Say what to do: ${names}.`)
    .strict()
    .fail((message, error) => {
      // If this returned, yargs would go on and run the command without what it did not understand.
      throw error ?? usageError(message);
    });
  await parser.parseAsync();
}

function globalOptions(parser: Argv) {
  return parser
    .scriptName('ar-exec')
    .usage(
      '$0 <command>\n\nApplies responses such as blocking an address, and takes them back on time.',
    )
    .option('config', {
      type: 'string',
      describe: 'configuration file [AR_EXEC_CONFIG]',
      ...fromEnvironment('AR_EXEC_CONFIG'),
    })
    .option('state', {
      type: 'string',
      describe: 'folder of the journal [AR_EXEC_STATE]',
      ...fromEnvironment('AR_EXEC_STATE'),
    })
    .option('socket', {
      type: 'string',
      describe: "the agent's socket [AR_EXEC_SOCKET]",
      ...fromEnvironment('AR_EXEC_SOCKET'),
    })
    .option('json', { type: 'boolean', default: false, describe: 'print JSON' })
    .version(version)
    .help()
    .alias('help', 'h')
    .parserConfiguration({ 'parse-numbers': false, 'duplicate-arguments-array': false })
    .wrap(Math.min(100, process.stdout.columns ?? 100))
    .epilogue(
      `Exit status: ${Object.entries(exitStatus)
        .map(([name, status]) => `${status} ${name}`)
        .join(', ')}. docs/errors.md explains each.`,
    );
}

function fromEnvironment(name: string): { default?: string } {
  const value = process.env[name];
  return value === undefined || value === '' ? {} : { default: value };
}

function usageError(message: string): ArError {
  return new ArError(
    'usage-invalid',
    message,
    '"ar-exec --help" and "ar-exec <command> --help" show what can be said, with examples.',
  );
}
