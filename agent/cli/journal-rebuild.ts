import { defaultPaths } from '../config/default-paths.ts';
import { ArError } from '../errors.ts';
import { describeAction } from '../reply.ts';
import type { CommonFlags } from './agent.ts';
import { print, printJson } from './output.ts';

export interface RebuildFlags extends CommonFlags {
  readonly force: boolean;
}

/** Puts a damaged journal aside and makes a new one from what is left of it and of what the machine holds. */
export async function rebuildJournal(flags: RebuildFlags): Promise<void> {
  const state = flags.state ?? defaultPaths().stateFolder;
  await refuseUsable(state, flags.force);
  const { journalFile } = await import('../journal/open.ts');
  const { rescueJournal } = await import('../journal/rescue.ts');
  const { aside, salvaged, unreadable } = rescueJournal(journalFile(state));
  const { withStages } = await import('./direct.ts');
  const adopted = await withStages(flags, async ({ flow, journal }) => {
    await flow.recover({ adopt: true });
    const live = journal.list('live', 1_000_000).map(describeAction);
    return live.filter(({ dialect }) => dialect === 'recovered');
  });
  if (flags.json) printJson({ ok: true, putAside: aside, salvaged, unreadable, adopted });
  else {
    for (const file of aside) print(`put aside: ${file}`);
    print(
      `read from it: ${salvaged} actions${unreadable === 0 ? '' : `, and ${unreadable} entries that cannot be read`}`,
    );
    print(`taken over from the machine: ${adopted.length} effects ("ar-exec list" shows them)`);
  }
}

/** A journal that an agent has open is never put aside: the agent would go on with it, unseen. */
async function refuseUsable(state: string, force: boolean): Promise<void> {
  const { checkDatabase, journalFile } = await import('../journal/open.ts');
  const replaceable = force ? ['journal-damaged', 'journal-newer'] : ['journal-damaged'];
  try {
    checkDatabase(state);
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
