import type { DatabaseSync } from 'node:sqlite';
import type { ActionState, Change } from '../words.ts';

/** Whether a state is the last one of an action. */
export function isOver(state: ActionState): boolean {
  return state === 'reverted' || state === 'failed' || state === 'forgotten' || state === 'done';
}

/** Makes the function that writes down what became of actions; runs in a transaction. */
export function createSettler(
  database: DatabaseSync,
): (changes: readonly Change[], now: number) => void {
  // By far the most frequent change, and one that touches no index.
  const activate = database.prepare(
    `UPDATE actions SET state = 'active', pre_existing = ?3, trouble = ?4
     WHERE id BETWEEN ?1 AND ?2`,
  );
  const miss = database.prepare(`UPDATE actions SET state = 'missing', trouble = ?2 WHERE id = ?1`);
  const retry = database.prepare(
    `UPDATE actions SET state = ?5, due_at = ?2, trouble = ?3, attempts = attempts + ?4
     WHERE id = ?1`,
  );
  const end = database.prepare(
    `UPDATE actions SET state = ?2, ended_at = ?3, trouble = ?4, due_at = NULL WHERE id = ?1`,
  );

  const settle = (change: Change, now: number): void => {
    const { id, state, trouble = null } = change;
    switch (state) {
      case 'active':
        activate.run(id, id, Number(change.preExisting ?? false), trouble);
        break;
      case 'missing':
        miss.run(id, trouble);
        break;
      case 'reverting':
      case 'intended':
        retry.run(id, dueOf(change, now), trouble, Number(change.triedAgain ?? false), state);
        break;
      case 'done':
      case 'reverted':
      case 'failed':
      case 'forgotten':
        end.run(id, state, now, trouble);
        break;
      default:
        throw new Error(`there is no state "${String(state)}"`);
    }
  };

  return (changes, now) => {
    for (let index = 0; index < changes.length; ) {
      const length = runLength(changes, index);
      const [first, last] = [changes[index], changes[index + length - 1]];
      if (first === undefined || last === undefined) break;
      if (length > 1) activate.run(first.id, last.id, 0, null);
      else settle(first, now);
      index += length;
    }
  };
}

/** What is being done has nobody to look at it before that is over. */
function dueOf({ begun, dueAt }: Change, now: number): number | null {
  return begun === true ? null : (dueAt ?? now);
}

/** How many changes from here on say of one id after the other that it stands by our doing. */
function runLength(changes: readonly Change[], start: number): number {
  let length = 0;
  for (let next = changes[start]; next !== undefined; next = changes[start + length]) {
    const follows = next.id === (changes[start]?.id ?? 0) + length;
    const plain = next.preExisting !== true && next.trouble === undefined;
    if (!follows || next.state !== 'active' || !plain) break;
    length += 1;
  }
  return Math.max(1, length);
}
