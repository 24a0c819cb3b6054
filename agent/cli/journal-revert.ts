import { existsSync } from 'node:fs';
import { defaultPaths } from '../config/default-paths.ts';
import { ArError } from '../errors.ts';
import { describeAction } from '../reply.ts';
import type { CommonFlags } from './agent.ts';
import { print, printJson } from './output.ts';

const all = 1_000_000;

/**
 * Takes back all that is held. Not through an agent: that would go on taking requests. What cannot be
 * taken back stays in the journal, for the next try.
 */
export async function revertJournal(flags: CommonFlags): Promise<void> {
  const { journalFile } = await import('../journal/open.ts');
  const nothing = !existsSync(journalFile(flags.state ?? defaultPaths().stateFolder));
  const { before, left } = nothing ? { before: 0, left: [] } : await revertAll(flags);
  if (left.length > 0) {
    const named = left.slice(0, 10).map(({ response, target }) => `${response} ${target}`);
    const more = left.length > named.length ? `, and ${left.length - named.length} more` : '';
    const [{ trouble = '' } = {}] = left;
    throw new ArError(
      'driver-failed',
      `${left.length} of ${before} could not be taken back: ${named.join(', ')}${more}${trouble === '' ? '' : ` (${trouble})`}`,
      'Say it again when that is mended, or end the record of one with "ar-exec delete --direct --forget".',
    );
  }
  if (flags.json) printJson({ ok: true, reverted: before });
  else print(before === 0 ? 'Nothing was held.' : `taken back: ${before}`);
}

async function revertAll(flags: CommonFlags) {
  const { withStages } = await import('./direct.ts');
  return withStages(flags, async ({ flow, journal }) => {
    const before = journal.liveCount();
    await flow.recover({ adopt: false });
    await flow.stop({ revert: true });
    return { before, left: journal.list('live', all).map(describeAction) };
  });
}
