import type { DatabaseSync } from 'node:sqlite';
import type { ActionState, Change } from '../words.ts';

/** Whether a state is the last one of an action. */
export function isOver(state: ActionState): boolean {
  return state === 'reverted' || state === 'failed' || state === 'forgotten';
}

/** Makes the function that writes down what became of an action; runs in a transaction. */
export function createSettler(database: DatabaseSync): (change: Change, now: number) => void {
  // By far the most frequent change, and one that touches no index.
  const activate = database.prepare(
    `UPDATE actions SET state = 'active', pre_existing = coalesce(?2, pre_existing), trouble = NULL
     WHERE id = ?1`,
  );
  const miss = database.prepare(`UPDATE actions SET state = 'missing', trouble = ?2 WHERE id = ?1`);
  const retry = database.prepare(
    `UPDATE actions SET state = 'reverting', due_at = ?2, trouble = ?3, attempts = attempts + ?4
     WHERE id = ?1`,
  );
  const end = database.prepare(
    `UPDATE actions SET state = ?2, ended_at = ?3, trouble = ?4, due_at = NULL WHERE id = ?1`,
  );

  return ({ id, state, preExisting, trouble, dueAt, triedAgain }, now) => {
    switch (state) {
      case 'active':
        activate.run(id, preExisting === undefined ? null : Number(preExisting));
        break;
      case 'missing':
        miss.run(id, trouble ?? null);
        break;
      case 'reverting':
        retry.run(id, dueAt ?? now, trouble ?? null, Number(triedAgain ?? false));
        break;
      case 'reverted':
      case 'failed':
      case 'forgotten':
        end.run(id, state, now, trouble ?? null);
        break;
      case 'intended':
        throw new Error('an intent is not an outcome');
    }
  };
}
