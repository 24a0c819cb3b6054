/** Writes into the journal in the folder argv[2] until the disk takes no more, and says how far it got. */
import { ArError } from '../../agent/errors.ts';
import { openJournal } from '../../agent/journal/journal.ts';
import { order } from './sample.ts';

// Past a file's size limit the kernel sends a signal, which would end the process.
process.on('SIGXFSZ', () => {});

const journal = openJournal(process.argv[2] ?? '');
let batches = 0;
let code = '';
while (code === '' && batches < 10_000) {
  const addresses = Array.from({ length: 50 }, (_, index) => `10.${batches}.0.${index}`);
  try {
    const intents = journal.intend(
      addresses.map((address) => order('add', address)),
      1_000,
    );
    const ids = intents.flatMap((intent) => (intent.kind === 'apply' ? intent.action.id : []));
    batches += 1;
    journal.settle(
      ids.map((id) => ({ id, state: 'active' })),
      1_000,
    );
  } catch (error) {
    code = error instanceof ArError ? error.code : String(error);
  }
}
process.stdout.write(JSON.stringify({ batches, code, live: journal.liveCount() }));
process.kill(process.pid, 'SIGKILL');
