import type { Driver, Effect, Plan, Reading } from '../../platform/driver.ts';
import type { Runner, Step } from '../../platform/step.ts';
import { isHost, type Target } from '../../platform/target.ts';
import { ask } from './ask.ts';
import { all, type Carried, type Failure } from './carried.ts';
import { createContainers } from './containers.ts';
import { converge } from './converge.ts';
import { type ExaminedEffects, examine, type Remembered } from './examine.ts';
import { runSteps } from './run-steps.ts';

/** Carries out what one driver plans, and finds out whether it came true. */
export interface Carrier {
  readonly driver: Driver;
  /** Makes effects, setting up what they stand in first. One result an effect, in any order. */
  apply(effects: readonly Effect[]): Promise<Carried[]>;
  /** Takes effects back; one that is gone already counts as done. */
  revert(effects: readonly Effect[]): Promise<Carried[]>;
  inspect(): Promise<Reading>;
  /** What plans the next batch, by what stands now; or why nobody can. */
  planner(): Promise<Plan | Failure>;
  /** Looks at targets that were not looked at before, and writes nothing down. */
  examine(effects: readonly Effect[]): Promise<ExaminedEffects>;
  /** Makes containers stand whole again after `inspect` found them broken or gone. */
  mend(reading: Reading, containers: readonly string[]): Promise<string | undefined>;
  /**
   * Mends, and makes effects besides, right after `inspect`: where the driver can do both at once, and
   * otherwise `undefined`, with nothing done.
   */
  rebuild(
    reading: Reading,
    containers: readonly string[],
    effects: readonly Effect[],
  ): Promise<Rebuilt | undefined>;
  /** Takes the driver's containers away if nothing is in them any more; false if they may still stand. */
  teardown(): Promise<boolean>;
  /** True once since something was found missing that nobody here took away. */
  takeDrift(): boolean;
}

export interface Rebuilt {
  /** Why containers still do not stand. */
  readonly trouble?: string | undefined;
  readonly carried: Carried[];
}

/** `remember` has to write down what it is given before it returns. */
export function createCarrier(
  driver: Driver,
  run: Runner,
  remember: (found: readonly Remembered[]) => void = () => {},
): Carrier {
  const containers = createContainers(driver, run);
  const { inspect, mend } = containers;
  const sharesPlace = driver.traits.sharesPlace === true;

  /** Why the steps have failed, or may have. */
  const act = async (steps: readonly Step[], remarks?: string[]): Promise<Failure | undefined> => {
    const failed = await runSteps(run, steps, remarks);
    const tellsNothing = driver.traits.statusTellsNothing === true && steps.length > 0;
    return failed ?? (tellsNothing ? unseen : undefined);
  };

  const planner = async (): Promise<Plan | Failure> =>
    planOf(driver, driver.traits.plansFromReading === true ? await inspect() : undefined);

  const apply = async (wanted: readonly Effect[]): Promise<Carried[]> => {
    const [fine, tooWide] = split(wanted, ({ target }) => isTaken(driver, target));
    const { fit: effects, settled } = await examine(driver, fine, run, remember);
    const refused = [...all(tooWide, 'failed', hostsOnly), ...settled];
    return effects.length === 0 ? refused : [...refused, ...(await make(effects))];
  };

  const hindrance = async (count: number): Promise<Failure | undefined> => {
    const question = driver.hindrance?.(count);
    if (question === undefined) return undefined;
    const why = question.read(await ask(question, run));
    return why === undefined ? undefined : { failure: 'exit', why };
  };

  const rebuild: Carrier['rebuild'] = async (reading, names, effects) => {
    if (!reading.known || reading.rebuild === undefined) return undefined;
    const lacking = containers.lacking(names);
    const failed = await act(reading.rebuild(lacking, effects));
    if (failed === undefined) {
      containers.made(lacking);
      return { carried: all(effects, 'done') };
    }
    const left = await inspect();
    const trouble = await mend(left, lacking);
    if (trouble === undefined) return { carried: await makeRest(effects, failed) };
    const why: Failure = { failure: 'exit', why: trouble };
    // One that stands in what is broken would act once somebody mends that.
    const found = textsOf(left);
    const [made, unmade] = split(effects, ({ target }) => !left.known || found.has(target.text));
    return { trouble, carried: [...all(made, 'unknown', why), ...all(unmade, 'failed', why)] };
  };

  /** What they stand in first, or both at once. */
  const make = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const names = containersOf(driver, effects);
    if (containers.lacking(names).length > 0) {
      const seen = containers.lastSeen(names);
      const reading = seen ?? (await inspect());
      const rebuilt = await rebuild(reading, names, effects);
      if (rebuilt !== undefined) return rebuilt.carried;
      let trouble = await mend(reading, names);
      if (trouble !== undefined && seen !== undefined) trouble = await mend(await inspect(), names);
      if (trouble !== undefined) {
        return all(effects, 'failed', { failure: 'exit', why: trouble });
      }
    }
    return makeInside(effects);
  };

  const makeInside = async (effects: readonly Effect[]): Promise<Carried[]> => {
    let known = effects;
    if (sharesPlace && effects.some(({ standing }) => standing === true)) {
      const reading = await inspect();
      if (!reading.known) return all(effects, 'unknown', { failure: 'exit', why: reading.why });
      known = asFound(effects, reading);
    }
    const hindered = await hindrance(effects.length);
    if (hindered !== undefined) return all(effects, 'failed', hindered);
    const plan = makes(await planner());
    if ('failure' in plan) return all(effects, 'failed', plan);
    const remarks: string[] = [];
    const failed = await act(plan.apply(known), remarks);
    if (failed === undefined) return remarked(all(effects, 'done'), remarks);
    return makeRest(effects, failed);
  };

  const makeRest = (effects: readonly Effect[], failed: Failure): Promise<Carried[]> => {
    const attempt = async (rest: readonly Effect[]): Promise<Failure | undefined> => {
      const reading = await inspect();
      const trouble = await mend(reading, containersOf(driver, rest));
      if (trouble !== undefined) return { failure: 'exit', why: trouble };
      const hindered = await hindrance(rest.length);
      if (hindered !== undefined) return hindered;
      const next = makes(planOf(driver, reading));
      if ('failure' in next) return next;
      return act(next.apply(sharesPlace ? asFound(rest, reading) : rest));
    };
    return converge({ effects, failed, goal: 'stands', attempt, inspect });
  };

  const revert = async (wanted: readonly Effect[]): Promise<Carried[]> => {
    // Without a memory nothing was ever made of it.
    const [made, neverMade] = split(
      wanted,
      ({ memory }) => driver.examine === undefined || memory !== undefined,
    );
    const nothing = all(neverMade, 'done');
    if (made.length === 0) return nothing;
    return [...nothing, ...(await (sharesPlace ? takeBackOurs : takeBack)(made))];
  };

  /** What is not seen to be ours is gone, whatever stands in its place. */
  const takeBackOurs = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const reading = await inspect();
    if (!reading.known) return all(effects, 'unknown', { failure: 'exit', why: reading.why });
    const found = textsOf(reading);
    const [here, gone] = split(effects, ({ target }) => found.has(target.text));
    return [...all(gone, 'done'), ...(here.length === 0 ? [] : await takeBack(here))];
  };

  const takeBack = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const remarks: string[] = [];
    const attempt = async (rest: readonly Effect[], remarks?: string[]) => {
      const plan = await planner();
      return 'failure' in plan ? plan : act(plan.revert(rest), remarks);
    };
    const failed = await attempt(effects, remarks);
    if (failed === undefined) return remarked(all(effects, 'done'), remarks);
    if (driver.traits.unmarked === true && !sharesPlace) return takeBackEach(effects);
    return converge({ effects, failed, goal: 'gone', attempt, inspect });
  };

  /** Without marks no look at the machine tells whether a part of ours is left: only the steps do. */
  const takeBackEach = async (effects: readonly Effect[]): Promise<Carried[]> => {
    const carried: Carried[] = [];
    for (const effect of effects) {
      const remarks: string[] = [];
      const failed = await runSteps(run, driver.revert([effect]), remarks);
      const result = failed === undefined ? 'done' : 'failed';
      carried.push(...remarked(all([effect], result, failed), remarks));
    }
    return carried;
  };

  return {
    driver,
    apply,
    revert,
    inspect,
    planner,
    examine: (effects) => examine(driver, effects, run, () => {}),
    mend,
    rebuild,
    teardown: containers.teardown,
    takeDrift: containers.takeDrift,
  };
}

/** Looked at right after: those that came true are done. */
const unseen: Failure = {
  failure: 'exit',
  why: 'nothing was said of a failure, and it has not come true',
};

const hostsOnly: Failure = {
  failure: 'exit',
  why: 'single addresses only can be acted on here, no prefixes',
};

/** What plans a batch: the driver by itself, or by what was found. */
function planOf(driver: Driver, reading?: Reading): Plan | Failure {
  if (driver.traits.plansFromReading !== true || reading === undefined) return driver;
  if (!reading.known) return { failure: 'exit', why: reading.why };
  return reading.plan ?? driver;
}

/** The same for effects that are to be made. */
function makes(plan: Plan | Failure): Plan | Failure {
  if ('failure' in plan || plan.obstacle === undefined) return plan;
  return { failure: 'exit', why: plan.obstacle };
}

function isTaken({ traits }: Driver, target: Target): boolean {
  return traits.prefixes || target.kind !== 'address' || isHost(target);
}

/** Those that fit, and those that do not. */
function split(
  effects: readonly Effect[],
  fits: (effect: Effect) => boolean,
): readonly [fitting: readonly Effect[], others: readonly Effect[]] {
  const others = effects.filter((effect) => !fits(effect));
  return others.length === 0 ? [effects, others] : [effects.filter(fits), others];
}

/** Effects as they stand by what was found, whatever was known of them before. */
function asFound(effects: readonly Effect[], reading: Reading): readonly Effect[] {
  const found = textsOf(reading);
  return effects.map((effect) => ({ ...effect, standing: found.has(effect.target.text) }));
}

function textsOf(reading: Reading): ReadonlySet<string> {
  return new Set(reading.known ? reading.effects.map(({ target }) => target.text) : []);
}

function containersOf(driver: Driver, effects: readonly Effect[]): string[] {
  const names = new Set<string>();
  for (const effect of effects) {
    const name = driver.container(effect.target);
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

/** Drivers whose steps remark something carry one effect in a batch: it is said of that one. */
function remarked(carried: Carried[], [remark]: readonly string[]): Carried[] {
  return remark === undefined ? carried : carried.map((one) => ({ ...one, why: remark }));
}
