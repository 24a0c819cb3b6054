import { rename } from 'node:fs/promises';
import type { CommandModule } from 'yargs';
import { defaultPaths } from '../config/default-paths.ts';
import { ArError } from '../errors.ts';
import { describeAction } from '../reply.ts';
import type { CommonFlags } from './agent.ts';
import { print, printJson } from './output.ts';

interface RebuildFlags extends CommonFlags {
  readonly force: boolean;
}

export const journalCommand: CommandModule<object, RebuildFlags> = {
  command: 'journal <what>',
  describe: 'Put a damaged journal aside and make a new one from what the machine holds',
  builder: (parser) =>
    parser
      .positional('what', { choices: ['rebuild'] as const, describe: 'what to do with it' })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'even if the journal can be read',
      })
      .example('$0 journal rebuild', '') as never,
  handler: async (flags) => {
    const state = flags.state ?? defaultPaths().stateFolder;
    await refuseUsable(state, flags.force);
    const aside = await putAside(state);
    const { withStages } = await import('./direct.ts');
    const adopted = await withStages(flags, async ({ flow, journal }) => {
      await flow.recover({ adopt: true });
      return journal.list('live', 1_000_000).map(describeAction);
    });
    if (flags.json) printJson({ ok: true, putAside: aside, adopted });
    else {
      for (const file of aside) print(`put aside: ${file}`);
      print(`taken over from the machine: ${adopted.length} effects ("ar-exec list" shows them)`);
    }
  },
};

/** A journal that an agent has open is never put aside: the agent would go on with it, unseen. */
async function refuseUsable(state: string, force: boolean): Promise<void> {
  const { journalFile, openDatabase } = await import('../journal/open.ts');
  const replaceable = force ? ['journal-damaged', 'journal-newer'] : ['journal-damaged'];
  try {
    openDatabase(state).database.close();
  } catch (error) {
    if (error instanceof ArError && replaceable.includes(error.code)) return;
    throw error;
  }
  if (force) return;
  throw new ArError(
    'usage-invalid',
    `${journalFile(state)} can be read: there is nothing to rebuild`,
    'If it is to be replaced all the same, say --force.',
  );
}

/** The files of the journal, renamed: nothing of it is lost. */
async function putAside(state: string): Promise<string[]> {
  const { journalFile } = await import('../journal/open.ts');
  const suffix = `damaged-${new Date().toISOString().replaceAll(':', '')}`;
  const moved: string[] = [];
  for (const ending of ['', '-wal', '-shm']) {
    const file = `${journalFile(state)}${ending}`;
    const aside = `${journalFile(state)}.${suffix}${ending}`;
    const done = await rename(file, aside).then(
      () => true,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return false;
        throw error;
      },
    );
    if (done) moved.push(aside);
  }
  return moved;
}
