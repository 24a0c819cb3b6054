import type { Plan as BatchPlan, Driver, Effect, OneShot } from '../../platform/driver.ts';
import type { ScriptStep, Step } from '../../platform/step.ts';
import type { Target } from '../../platform/target.ts';
import type { Carrier } from '../engine/carry-out.ts';
import { revertOf } from '../engine/intents.ts';
import { ArError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { Decision } from '../policy/decide.ts';
import type { Action, Request } from '../words.ts';

/** What would be done, for `--dry-run`. */
export interface Plan {
  readonly kind: 'plan';
  readonly driver: string;
  /** Why this driver, or why there is nothing to do. */
  readonly why: string;
  readonly steps: readonly (Step | ScriptStep)[];
}

interface Sources {
  readonly journal: Pick<Journal, 'holder'>;
  readonly clock: { now(): number };
  readonly carrier: Carrier;
  /** Why this driver would be taken. */
  readonly why: string;
  /** What follows when effects were newly made, see DeskStages. */
  madeSteps?:
    | ((driver: Driver, targets: readonly Target[]) => Promise<readonly Step[]>)
    | undefined;
}

/** The steps that would be taken now, by the same planning; asks the machine and changes nothing. */
export async function planEffect(
  { journal, clock, carrier, why: chosen, madeSteps }: Sources,
  request: Request,
  { definition, target, facts }: Decision,
): Promise<Plan> {
  const { driver } = carrier;
  const held = journal.holder(definition.name, target.text);
  const plan = (why: string, steps: readonly Step[]): Plan => ({
    kind: 'plan',
    driver: driver.name,
    why,
    steps,
  });
  if (request.verb === 'delete') {
    if (held === undefined) return plan('nothing is held for it', []);
    if (held.preExisting || request.forget === true) return plan('only the record would end', []);
    const { revert } = await planner(carrier);
    return plan(`${driver.name} holds it`, revert([revertOf(held)]));
  }
  const standing = held?.state === 'active';
  if (standing && !endsLater(request, held, clock.now())) {
    return plan('it stands already, and as long as that', []);
  }
  if (standing && !driver.traits.selfExpiring) {
    return plan('it stands already; only its end would move, in the journal', []);
  }
  const effect: Effect = {
    target,
    facts,
    ...(request.timeoutSeconds === undefined
      ? {}
      : { expiresInMs: request.timeoutSeconds * 1_000 }),
    ...(standing ? { standing } : {}),
  };
  const { fit, settled } = await carrier.examine([effect]);
  const [refused] = settled;
  if (refused !== undefined) return plan(refused.why ?? 'it is so already', []);
  const why = held === undefined ? chosen : `${driver.name} holds it`;
  const steps = await stepsOf(carrier, target, fit);
  const following = standing ? [] : await madeSteps?.(driver, [target]);
  return plan(why, [...steps, ...(following ?? [])]);
}

/** What a one-shot would do. */
export function planOneShot(oneShot: OneShot, { target, facts }: Decision): Plan {
  const unwanted = oneShot.unwanted?.(facts ?? {});
  const { steps } = unwanted === undefined ? oneShot.perform(target, facts ?? {}) : { steps: [] };
  const why = unwanted ?? `${oneShot.name} does it, once`;
  return { kind: 'plan', driver: oneShot.name, why, steps };
}

/** A repeated add moves the end further and never nearer. */
function endsLater({ timeoutSeconds }: Request, held: Action, now: number): boolean {
  if (held.deadlineAt === undefined) return false;
  return timeoutSeconds === undefined || now + timeoutSeconds * 1_000 > held.deadlineAt;
}

async function planner(carrier: Carrier): Promise<BatchPlan> {
  const found = await carrier.planner();
  if ('failure' in found) throw cannotTell(carrier, found.why);
  return found;
}

/** What it stands in is made first, or along with it. */
async function stepsOf(
  carrier: Carrier,
  target: Decision['target'],
  effects: readonly Effect[],
): Promise<readonly Step[]> {
  const container = carrier.driver.container(target);
  if (container === undefined) return (await planner(carrier)).apply(effects);
  const reading = await carrier.inspect();
  if (!reading.known) throw cannotTell(carrier, reading.why);
  const stands = reading.containers.includes(container);
  if (!stands && reading.rebuild !== undefined) return reading.rebuild([container], effects);
  const setup = stands ? [] : reading.setup([container]);
  return [...setup, ...(await planner(carrier)).apply(effects)];
}

function cannotTell({ driver }: Carrier, why: string): ArError {
  return new ArError(
    'driver-failed',
    `${driver.name} cannot tell what it holds: ${why}`,
    'Run ar-exec with the rights it needs (root), and see "ar-exec status".',
  );
}
