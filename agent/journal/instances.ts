import type { DatabaseSync } from 'node:sqlite';
import type { Instance } from '../words.ts';

/** Driver instances and their numbers: thousands of actions share a few of them. */
export interface Instances {
  /** The number of an instance; a new one is written down, in the transaction that is open. */
  numberOf(instance: Instance): number;
  /** The same, without writing: 0, which no instance has, when it is not known. */
  find(instance: Instance): number;
  byNumber(number: number): Instance;
  /** Numbers that were given in a transaction that did not come true are forgotten. */
  reload(): void;
}

export function createInstances(database: DatabaseSync): Instances {
  const all = database.prepare('SELECT id, driver, settings FROM instances');
  const insert = database.prepare('INSERT INTO instances (driver, settings) VALUES (?, ?)');
  const numbers = new Map<string, number>();
  const instances = new Map<number, Instance>();
  /** Most requests come with the very object of the one before. */
  const seen = new WeakMap<Instance, number>();

  const remember = (number: number, driver: string, settings: string): void => {
    numbers.set(`${driver} ${settings}`, number);
    instances.set(number, { driver, settings: JSON.parse(settings) });
  };
  const load = (): void => {
    numbers.clear();
    instances.clear();
    for (const row of all.all() as { id: number; driver: string; settings: string }[]) {
      remember(row.id, row.driver, row.settings);
    }
  };
  const find = (instance: Instance): number => {
    const quick = seen.get(instance);
    if (quick !== undefined && instances.has(quick)) return quick;
    const number = numbers.get(`${instance.driver} ${settingsText(instance)}`) ?? 0;
    if (number !== 0) seen.set(instance, number);
    return number;
  };
  load();

  return {
    find,
    numberOf: (instance) => {
      const known = find(instance);
      if (known !== 0) return known;
      const settings = settingsText(instance);
      const number = Number(insert.run(instance.driver, settings).lastInsertRowid);
      remember(number, instance.driver, settings);
      return number;
    },
    byNumber: (number) => {
      const instance = instances.get(number);
      if (instance === undefined) throw new Error(`the journal has no instance ${number}`);
      return instance;
    },
    reload: load,
  };
}

/** One spelling, whatever the order of the keys. */
function settingsText({ settings }: Instance): string {
  return JSON.stringify(Object.fromEntries(Object.entries(settings).sort()));
}
