import type { Driver, Effect, Reading } from '../../platform/driver.ts';
import type { Runner, Step, StepResult } from '../../platform/step.ts';
import { all, type Carried, type Failure } from './carried.ts';
import { converge } from './converge.ts';
import { type ExaminedEffects, examine, type Remembered } from './examine.ts';

/** Carries out what one driver plans, and finds out whether it came true. */
export interface Carrier {
  readonly driver: Driver;
  /** Makes effects, setting up what they stand in first. One result an effect, in any order. */
  apply(effects: readonly Effect[]): Promise<Carried[]>;
  /** Takes effects back; one that is gone already counts as done. */
  revert(effects: readonly Effect[]): Promise<Carried[]>;
  inspect(): Promise<Reading>;
  /** Looks at targets that were not looked at before, and writes nothing down. */
  examine(effects: readonly Effect[]): Promise<ExaminedEffects>;
  /** Makes containers stand whole again after `inspect` found them broken or gone. */
  mend(reading: Reading, containers: readonly string[]): Promise<string | undefined>;
  /** Takes the driver's containers away if nothing is in them any more. */
  teardown(): Promise<void>;
  /** True once since something was found missing that nobody here took away. */
  takeDrift(): boolean;
}

/** `remember` has to write down what it is given before it returns. */
export function createCarrier(
  driver: Driver,
  run: Runner,
  remember: (found: readonly Remembered[]) => void = () => {},
): Carrier {
  let standing = new Set<string>();
  /** What the last look found, as long as nothing was changed here since. */
  let seen: Reading | undefined;
  let drifted = false;

  const inspect = async (): Promise<Reading> => {
    const results: StepResult[] = [];
    for (const step of driver.inspect.steps) results.push(await run(step));
    const reading = driver.inspect.read(results);
    if (reading.known) {
      const whole = new Set(reading.containers);
      for (const name of standing) if (!whole.has(name)) drifted = true;
      standing = whole;
    }
    seen = reading;
    return reading;
  };

  const mend = async (
    reading: Reading,
    containers: readonly string[],
  ): Promise<string | undefined> => {
    if (!reading.known) return reading.why;
    const lacking = containers.filter((name) => !standing.has(name));
    if (lacking.length === 0) return undefined;
    seen = undefined;
    const failed = await runSteps(run, reading.setup(lacking));
    if (failed !== undefined) return failed.why;
    for (const name of lacking) standing.add(name);
    return undefined;
  };

  /** The first block after a quiet time goes by the last look; if that does not do, by a new one. */
  const setUp = async (needed: readonly string[]): Promise<string | undefined> => {
    if (needed.every((name) => standing.has(name))) return undefined;
    const known = seen;
    if (known?.known === true && (await mend(known, needed)) === undefined) return undefined;
    return mend(await inspect(), needed);
  };

  const apply = async (wanted: readonly Effect[]): Promise<Carried[]> => {
    const { fit: effects, settled } = await examine(driver, wanted, run, remember);
    return effects.length === 0 ? [...settled] : [...settled, ...(await make(effects))];
  };

  const make = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const trouble = await setUp(containersOf(driver, effects));
    if (trouble !== undefined) return all(effects, 'failed', { failure: 'exit', why: trouble });
    const failed = await runSteps(run, driver.apply(effects));
    if (failed === undefined) return all(effects, 'done');
    const attempt = async (rest: readonly Effect[]): Promise<Failure | undefined> => {
      const trouble = await mend(await inspect(), containersOf(driver, rest));
      if (trouble !== undefined) return { failure: 'exit', why: trouble };
      return runSteps(run, driver.apply(rest));
    };
    return converge({ effects, failed, goal: 'stands', attempt, inspect });
  };

  const revert = async (wanted: readonly Effect[]): Promise<Carried[]> => {
    // Without a memory nothing was ever made of it.
    const made = (effect: Effect): boolean =>
      driver.examine === undefined || effect.memory !== undefined;
    const effects = wanted.filter(made);
    const nothing = all(
      wanted.filter((effect) => !made(effect)),
      'done',
    );
    return effects.length === 0 ? nothing : [...nothing, ...(await takeBack(effects))];
  };

  const takeBack = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const failed = await runSteps(run, driver.revert(effects));
    if (failed === undefined) return all(effects, 'done');
    const attempt = (rest: readonly Effect[]) => runSteps(run, driver.revert(rest));
    return converge({ effects, failed, goal: 'gone', attempt, inspect });
  };

  const teardown = async (): Promise<void> => {
    const reading = await inspect();
    if (!reading.known || reading.effects.length > 0) return;
    const steps = reading.teardown();
    if (steps.length === 0) return;
    await runSteps(run, steps);
    standing = new Set();
    await inspect();
  };

  return {
    driver,
    apply,
    revert,
    inspect,
    examine: (effects) => examine(driver, effects, run, () => {}),
    mend,
    teardown,
    takeDrift: () => {
      const was = drifted;
      drifted = false;
      return was;
    },
  };
}

function containersOf(driver: Driver, effects: readonly Effect[]): string[] {
  const names = new Set<string>();
  for (const effect of effects) {
    const name = driver.container(effect.target);
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

async function runSteps(run: Runner, steps: readonly Step[]): Promise<Failure | undefined> {
  for (const step of steps) {
    const result = await run(step);
    if (result.failure !== undefined) {
      const what = 'tool' in step ? step.tool : 'path' in step ? step.path : step.kind;
      const status = result.exitCode === undefined ? result.failure : `exit ${result.exitCode}`;
      return {
        failure: result.failure,
        why: `${what}: ${status}: ${result.stderr.trim() || 'no message'}`,
      };
    }
  }
  return undefined;
}
