import { schedule } from 'node-cron';

export interface Chore {
  readonly name: string;
  readonly everySeconds: number;
  work(): Promise<void> | void;
}

/** Cron's fields cannot say "every 90 seconds", so one short beat looks which chore's time has come. */
const beatSeconds = 5;
const beat = `*/${beatSeconds} * * * * *`;

/** Runs chores now and then, one after the other; a chore that takes long is not started twice. */
export function startChores(
  chores: readonly Chore[],
  now: () => number,
  onError: (chore: string, error: unknown) => void,
): { stop(): void } {
  const lastRun = new Map(chores.map((chore) => [chore, now()]));
  const task = schedule(
    beat,
    async () => {
      for (const chore of chores) {
        // Half a beat of slack: a beat that comes a little early is still the right one.
        const due = (lastRun.get(chore) ?? 0) + (chore.everySeconds - beatSeconds / 2) * 1_000;
        if (now() < due) continue;
        lastRun.set(chore, now());
        try {
          await chore.work();
        } catch (error) {
          onError(chore.name, error);
        }
      }
    },
    { noOverlap: true },
  );
  return { stop: () => void task.destroy() };
}
