import type { Driver, Reading } from '../../platform/driver.ts';
import type { Runner } from '../../platform/step.ts';
import { ask } from './ask.ts';
import { inFewWords } from './carried.ts';
import { runSteps } from './run-steps.ts';

/** What is known of the containers of one driver, from looks at the machine and from what was made since. */
export interface Containers {
  inspect(): Promise<Reading>;
  /** Makes containers stand whole, by what `inspect` found; why they do not, if so. */
  mend(reading: Reading, names: readonly string[]): Promise<string | undefined>;
  /** Takes the driver's containers away if nothing is in them any more; false if they may still stand. */
  teardown(): Promise<boolean>;
  /** Those that are not known to stand. */
  lacking(names: readonly string[]): string[];
  /** They were made to stand. */
  made(names: readonly string[]): void;
  /**
   * What the last look found, if nothing was set up since and these are gone by it: what it found to
   * stand can have gone.
   */
  lastSeen(names: readonly string[]): Reading | undefined;
  /** True once since something was found missing that nobody here took away. */
  takeDrift(): boolean;
}

export function createContainers(driver: Driver, run: Runner): Containers {
  let standing = new Set<string>();
  let seen: Reading | undefined;
  let drifted = false;

  const inspect = async (): Promise<Reading> => {
    const reading = inFewWords(driver.inspect.read(await ask(driver.inspect, run)));
    if (reading.known) {
      const whole = new Set(reading.containers);
      for (const name of standing) if (!whole.has(name)) drifted = true;
      standing = whole;
    }
    seen = reading;
    return reading;
  };

  const lacking = (names: readonly string[]): string[] =>
    names.filter((name) => !standing.has(name));

  const made = (names: readonly string[]): void => {
    seen = undefined;
    for (const name of names) standing.add(name);
  };

  const mend = async (reading: Reading, names: readonly string[]): Promise<string | undefined> => {
    if (!reading.known) return reading.why;
    const wanted = lacking(names);
    if (wanted.length === 0) return undefined;
    seen = undefined;
    const steps = reading.setup(wanted);
    // What does not stand, and what nothing here can make stand, enforces nothing.
    if (steps.length === 0 && reading.trouble !== undefined) return reading.trouble;
    const failed = await runSteps(run, steps);
    if (failed !== undefined) return failed.why;
    made(wanted);
    return undefined;
  };

  const teardown = async (): Promise<boolean> => {
    const reading = await inspect();
    if (!reading.known) return false;
    const steps = reading.effects.length > 0 ? [] : reading.teardown();
    if (steps.length === 0) return true;
    const failed = await runSteps(run, steps);
    standing = new Set();
    await inspect();
    return failed === undefined;
  };

  return {
    inspect,
    mend,
    teardown,
    lacking,
    made,
    lastSeen: (names) =>
      seen?.known === true && lacking(names).length === names.length ? seen : undefined,
    takeDrift: () => {
      const was = drifted;
      drifted = false;
      return was;
    },
  };
}
