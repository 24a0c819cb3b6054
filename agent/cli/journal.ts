import type { CommandModule } from 'yargs';
import { type RebuildFlags, rebuildJournal } from './journal-rebuild.ts';
import { revertJournal } from './journal-revert.ts';

interface JournalFlags extends RebuildFlags {
  readonly what: 'rebuild' | 'revert';
}

export const journalCommand: CommandModule<object, JournalFlags> = {
  command: 'journal <what>',
  describe: 'Make a damaged journal anew, or take back all that it holds',
  builder: (parser) =>
    parser
      .positional('what', {
        choices: ['rebuild', 'revert'] as const,
        describe:
          'rebuild: put a damaged journal aside and make a new one from what the machine holds; revert: take back everything, before ar-exec goes from this machine',
      })
      .option('force', {
        type: 'boolean',
        default: false,
        describe: 'rebuild even if the journal can be read',
      })
      .example('$0 journal rebuild', '')
      .example('$0 journal revert', 'while no agent runs') as never,
  handler: (flags) => (flags.what === 'rebuild' ? rebuildJournal(flags) : revertJournal(flags)),
};
