import type { DatabaseSync } from 'node:sqlite';
import type { FollowedPosition } from '../words.ts';

/** How far files that are followed have been read. */
export interface Positions {
  /** Where reading goes on; `afterAction` as it was handed to `save`. */
  find(path: string): { position: FollowedPosition; afterAction: number } | undefined;
  /** Actions with a higher number may come from lines behind the position. */
  save(path: string, position: FollowedPosition, afterAction: number): void;
  /** The responses that alerts have set off, of actions with a higher number. */
  askedByAlerts(afterAction: number): { response: string; alertId: string }[];
  /** The highest number that an action has. */
  lastAction(): number;
}

interface Row {
  readonly file: string;
  readonly offset: number;
  readonly fingerprint: string;
  readonly after_action: number;
}

export function createPositions(database: DatabaseSync): Positions {
  const find = database.prepare('SELECT * FROM followed WHERE path = ?');
  const save = database.prepare(
    `INSERT INTO followed (path, file, offset, fingerprint, after_action)
     VALUES (?1, ?2, ?3, ?4, ?5)
     ON CONFLICT DO UPDATE SET file = ?2, offset = ?3, fingerprint = ?4, after_action = ?5`,
  );
  const asked = database.prepare('SELECT response, origin FROM actions WHERE id > ?');
  const last = database.prepare('SELECT max(id) AS id FROM actions');

  return {
    find: (path) => {
      const row = find.get(path) as Row | undefined;
      if (row === undefined) return undefined;
      const { file, offset, fingerprint, after_action: afterAction } = row;
      return { position: { file, offset, fingerprint }, afterAction };
    },
    save: (path, { file, offset, fingerprint }, afterAction) =>
      void save.run(path, file, offset, fingerprint, afterAction),
    askedByAlerts: (afterAction) =>
      (asked.all(afterAction) as { response: string; origin: string }[]).flatMap((row) => {
        const { dialect, alertId } = JSON.parse(row.origin) as {
          dialect: string;
          alertId?: string;
        };
        return dialect === 'alert' && alertId !== undefined
          ? { response: row.response, alertId }
          : [];
      }),
    lastAction: () => Number(last.get()?.['id'] ?? 0),
  };
}
