import type {
  Driver,
  Effect,
  FoundEffect,
  Reading,
  Runner,
  Step,
  StepResult,
} from '../../platform/driver.ts';
import type { Target } from '../../platform/target.ts';

/**
 * What came of one effect:
 * - `done`: the machine is as asked
 * - `pre-existing`: something that is not ours does the same already; it was left alone
 * - `failed`: the machine is as before
 * - `unknown`: nobody can say; it has to be looked at again
 */
export interface Carried {
  readonly target: Target;
  readonly result: 'done' | 'pre-existing' | 'failed' | 'unknown';
  readonly failure?: NonNullable<StepResult['failure']>;
  readonly why?: string;
}

/** Carries out what one driver plans, and finds out whether it came true. */
export interface Carrier {
  readonly driver: Driver;
  /** Makes effects, setting up what they stand in first. Results are in the order of `effects`. */
  apply(effects: readonly Effect[]): Promise<Carried[]>;
  /** Takes effects back; one that is gone already counts as done. */
  revert(effects: readonly Effect[]): Promise<Carried[]>;
  inspect(): Promise<Reading>;
  /** Makes containers stand whole again after `inspect` found them broken or gone. */
  mend(reading: Reading, containers: readonly string[]): Promise<string | undefined>;
  /** Takes the driver's containers away if nothing is in them any more. */
  teardown(): Promise<void>;
  /** True once since something was found missing that nobody here took away. */
  takeDrift(): boolean;
}

/** A failure that is the same for every element: after so many in a row, stop looking for the bad one. */
const fruitlessRuns = 24;
/** Looking for the bad one must not hold up those who wait behind this batch for longer. */
const searchMs = 30_000;
/** The clock of the machine counts whole seconds, and a batch takes its time. */
const expiryToleranceMs = 2_500;

type Failure = { failure: NonNullable<StepResult['failure']>; why: string };
type Judge = (effect: Effect, found: ReadonlyMap<string, FoundEffect>) => boolean;

export function createCarrier(driver: Driver, run: Runner): Carrier {
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

  const apply = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const trouble = await setUp(containersOf(driver, effects));
    if (trouble !== undefined) return all(effects, 'failed', { failure: 'exit', why: trouble });
    const failed = await runSteps(run, driver.apply(effects));
    if (failed === undefined) return all(effects, 'done');
    return converge(effects, failed, stands, async (rest) => {
      const trouble = await mend(await inspect(), containersOf(driver, rest));
      if (trouble !== undefined) return { failure: 'exit', why: trouble };
      return runSteps(run, driver.apply(rest));
    });
  };

  const revert = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const failed = await runSteps(run, driver.revert(effects));
    if (failed === undefined) return all(effects, 'done');
    return converge(effects, failed, isGone, (rest) => runSteps(run, driver.revert(rest)));
  };

  /** After a failed batch: see what is true, then try the rest in ever smaller parts. */
  const converge = async (
    effects: readonly Effect[],
    failed: Failure,
    satisfied: Judge,
    attempt: (rest: readonly Effect[]) => Promise<Failure | undefined>,
  ): Promise<Carried[]> => {
    const carried = new Map<string, Carried>();
    const settle = async (rest: readonly Effect[], last: Failure): Promise<readonly Effect[]> => {
      const reading = await inspect();
      if (!reading.known) {
        const why = `${last.why}; then: ${reading.why}`;
        for (const one of all(rest, 'unknown', { failure: last.failure, why })) keep(one);
        return [];
      }
      const found = new Map(reading.effects.map((one) => [one.target.text, one]));
      const foreign = new Set(reading.foreign.map((target) => target.text));
      const open: Effect[] = [];
      for (const effect of rest) {
        if (satisfied(effect, found)) keep({ target: effect.target, result: 'done' });
        else if (foreign.has(effect.target.text) && satisfied === stands) {
          keep({ target: effect.target, result: 'pre-existing' });
        } else open.push(effect);
      }
      return open;
    };
    const keep = (one: Carried): void => {
      carried.set(one.target.text, one);
    };
    let fruitless = 0;
    const searchUntil = performance.now() + searchMs;
    const enough = (): boolean => fruitless >= fruitlessRuns || performance.now() > searchUntil;
    const bisect = async (rest: readonly Effect[], last: Failure): Promise<void> => {
      const open = await settle(rest, last);
      if (open.length === 0) return;
      if (hopeless(last) || enough()) {
        for (const one of all(open, 'failed', last)) keep(one);
        return;
      }
      const half = Math.ceil(open.length / 2);
      const parts = open.length < rest.length ? [open] : [open.slice(0, half), open.slice(half)];
      for (const part of parts) {
        if (part.length === 0) continue;
        if (enough()) {
          for (const one of all(part, 'failed', last)) keep(one);
          continue;
        }
        const again = await attempt(part);
        if (again === undefined) {
          fruitless = 0;
          for (const one of all(part, 'done')) keep(one);
        } else {
          fruitless += 1;
          if (part.length === 1) {
            for (const effect of await settle(part, again)) {
              for (const one of all([effect], 'failed', again)) keep(one);
            }
          } else await bisect(part, again);
        }
      }
    };
    await bisect(effects, failed);
    return effects.map(
      (effect) => carried.get(effect.target.text) ?? { target: effect.target, result: 'unknown' },
    );
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
      const what = step.kind === 'command' ? step.tool : step.path;
      const status = result.exitCode === undefined ? result.failure : `exit ${result.exitCode}`;
      return {
        failure: result.failure,
        why: `${what}: ${status}: ${result.stderr.trim() || 'no message'}`,
      };
    }
  }
  return undefined;
}

/** A tool that hangs or is not there will not do better with half of the batch. */
function hopeless(failed: Failure): boolean {
  return failed.failure === 'timeout' || failed.failure === 'missing';
}

function all(effects: readonly Effect[], result: Carried['result'], failed?: Failure): Carried[] {
  return effects.map(({ target }) => ({ target, result, ...failed }));
}

const isGone: Judge = (effect, found) => !found.has(effect.target.text);

const stands: Judge = (effect, found) => {
  const one = found.get(effect.target.text);
  if (one === undefined) return false;
  if (effect.standing !== true) return true;
  if (effect.expiresInMs === undefined) return one.expiresInMs === undefined;
  if (one.expiresInMs === undefined) return false;
  return Math.abs(one.expiresInMs - effect.expiresInMs) <= expiryToleranceMs;
};
