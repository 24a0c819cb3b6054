import type { Driver, Effect, Memory } from '../../platform/driver.ts';
import type { Runner, StepResult } from '../../platform/step.ts';
import type { Target } from '../../platform/target.ts';
import type { Carried } from './carried.ts';

/** What was found of one target before it is acted on, to be written down before that. */
export interface Remembered {
  readonly target: Target;
  readonly memory: Memory;
  /** It is so already, and not by us: known before the outcome is, should the agent die in between. */
  readonly preExisting: boolean;
}

export interface ExaminedEffects {
  /** Fit to be made, with their memories, which are on disk. */
  readonly fit: readonly Effect[];
  readonly settled: readonly Carried[];
}

/**
 * Looks at each target that has not been looked at before, for drivers that want that, and has what
 * was found written down: from then on an effect may be made.
 */
export async function examine(
  driver: Driver,
  effects: readonly Effect[],
  run: Runner,
  remember: (found: readonly Remembered[]) => void,
): Promise<ExaminedEffects> {
  if (driver.examine === undefined) return { fit: effects, settled: [] };
  const fit: Effect[] = [];
  const settled: Carried[] = [];
  const found: Remembered[] = [];
  const ask = askingOnce(run);
  for (const effect of effects) {
    const { target } = effect;
    if (effect.memory !== undefined) {
      fit.push(effect);
      continue;
    }
    const question = driver.examine(target, effect.facts ?? {});
    const results = [];
    for (const step of question.steps) results.push(await ask(step));
    const examined = question.read(results);
    if (examined.fit === true) {
      const { memory, preExisting = false } = examined;
      found.push({ target, memory, preExisting });
      if (preExisting) settled.push({ target, result: 'pre-existing' });
      else fit.push({ ...effect, memory });
    } else {
      const refusal = examined.fit === 'unknown' ? undefined : examined.refusal;
      const why = { failure: 'exit' as const, why: examined.why };
      settled.push({ target, result: 'failed', ...why, ...(refusal && { refusal }) });
    }
  }
  if (found.length > 0) remember(found);
  return { fit, settled };
}

/** Many targets can come to the same question (what is in this set?), which is asked once. */
function askingOnce(run: Runner): Runner {
  const answers = new Map<string, Promise<StepResult>>();
  return (step) => {
    const key = JSON.stringify(step);
    const answer = answers.get(key) ?? run(step);
    answers.set(key, answer);
    return answer;
  };
}
