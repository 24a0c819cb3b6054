/** Looks after the journal's file while the agent runs, and says what became of it. */
import type { Composed } from './compose.ts';
import type { Mishap } from './journal/keep.ts';
import type { Log } from './observe/log.ts';

/** What nobody may have written down is taken over then, and not taken away. */
export function hasLost(mishaps: readonly Mishap[]): boolean {
  return mishaps.some(({ kind }) => kind === 'damaged' || kind === 'incomplete');
}

/** Tells of each mishap once, in the log. */
export function tellMishaps(log: Log, mishaps: readonly Mishap[]): void {
  for (const { kind, what, ...facts } of mishaps) {
    const fields = { what, ...facts };
    switch (kind) {
      case 'damaged':
        log.error(
          fields,
          'the journal was damaged: put aside, and made anew from what can be read',
        );
        break;
      case 'incomplete':
        log.error(fields, 'the journal lacks what was written last; what stands is taken over');
        break;
      case 'deleted':
        log.error(fields, 'the journal was taken away, and is written anew');
        break;
      case 'unwritable':
        log.error(fields, 'the journal cannot be written to: nothing new is done until it can');
        break;
      case 'writable':
        log.warn(fields, 'the journal is in use again');
        break;
    }
  }
}

/** A chore: whatever has changed about the file, journal and machine are compared again. */
export function createTending({ kept, flow }: Composed, log: Log): () => Promise<void> {
  return async () => {
    const mishaps = kept?.tend() ?? [];
    if (mishaps.length === 0) return;
    tellMishaps(log, mishaps);
    await flow.recover({ adopt: hasLost(mishaps) });
  };
}
