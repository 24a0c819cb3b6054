import type { DatabaseSync } from 'node:sqlite';
import type { Memory } from '../../platform/driver.ts';
import type { Change } from '../words.ts';

/** A live action turns out to be about something else than was thought when it was written down. */
export interface Rekeying {
  readonly id: number;
  /** What it is about. */
  readonly text: string;
  readonly memory?: Memory | undefined;
  /** What becomes of it, or of the action that was there before it, in the same transaction. */
  readonly changes?: readonly Change[] | undefined;
  /** Another one's end, moved by this; `at` absent: it is held until deleted. */
  readonly deadline?: { readonly id: number; readonly at?: number | undefined } | undefined;
}

/** Makes the function that writes it down; runs in a transaction, after its changes. */
export function createRekeyer(database: DatabaseSync): (rekeying: Rekeying) => void {
  const rename = database.prepare(
    'UPDATE actions SET target = ?2, memory = coalesce(?3, memory) WHERE id = ?1',
  );
  const move = database.prepare('UPDATE actions SET deadline_at = ?2, due_at = ?2 WHERE id = ?1');
  return ({ id, text, memory, deadline }) => {
    rename.run(id, text, memory === undefined ? null : JSON.stringify(memory));
    if (deadline !== undefined) move.run(deadline.id, deadline.at ?? null);
  };
}
