/**
 * The desk of one driver instance: its lane, its timetable, and the comparison of what it holds with
 * the journal. Work at one desk never waits for another.
 */
import type { Driver, Watch, WatchEvent } from '../../platform/driver.ts';
import type { Step } from '../../platform/step.ts';
import type { Target } from '../../platform/target.ts';
import { pauseMs } from '../engine/backoff.ts';
import type { Carrier } from '../engine/carry-out.ts';
import { HeldElsewhere } from '../engine/elsewhere.ts';
import type { FlowsEnded } from '../engine/flow-ender.ts';
import { carryOutIntents, newlyMade } from '../engine/intents.ts';
import { createLane } from '../engine/lane.ts';
import { type Repaired, repair } from '../engine/repair.ts';
import { createTimetable } from '../engine/timetable.ts';
import { ArError } from '../errors.ts';
import { instanceKey } from '../instance-key.ts';
import type { Journal } from '../journal/journal.ts';
import type { BreakerState } from '../policy/breaker.ts';
import type { Decision } from '../policy/decide.ts';
import { mergeEscalations } from '../policy/offenders.ts';
import type { Action, Adoption, Change, Instance, Order, Outcome, Request } from '../words.ts';
import { type Plan, planEffect } from './plan.ts';

/** What happens, for the logs. Never waited for, never throws. */
export interface Reporter {
  /** Not even tried. A manager does not read replies: for what it asked, this is the only trace. */
  refused(request: Request, error: unknown): void;
  outcome(order: Order, outcome: Outcome | ArError): void;
  repaired(instance: Instance, repaired: Repaired): void;
  flowsEnded?(ended: FlowsEnded): void;
  /** The breaker opened or closed. */
  breaker?(state: BreakerState): void;
  /** Something that is held must not be held any more: it has become what is never blocked. */
  released?(action: Action, what: string): void;
  trouble(instance: Instance, error: unknown): void;
}

export interface DeskStages {
  readonly journal: Journal;
  readonly clock: { now(): number };
  readonly report: Reporter;
  readonly limits: { readonly pendingRequests: number };
  carrier(instance: Instance): Carrier;
  /** Listens for what tells that effects may have gone; absent where nothing is held for long. */
  watch?(watch: Watch, onEvent: (event: WatchEvent) => void): () => void;
  /** Effects were newly made, and that is on disk. Never waited for, never throws. */
  made?(driver: Driver, targets: readonly Target[]): void;
  /** The steps of that, as far as they can be told without doing anything. */
  madeSteps?(driver: Driver, targets: readonly Target[]): Promise<readonly Step[]>;
  /** The response that a driver's effects belong to when no action names one. */
  responseOf(driver: string): string;
}

export interface Desk {
  readonly instance: Instance;
  carryOut(order: Order): Promise<Outcome>;
  /** What would be done for a request; asks the machine and changes nothing. */
  plan(request: Request, decision: Decision, why: string): Promise<Plan>;
  /** Compares and repairs now; goes on trying by itself when something cannot be put right. */
  reconcile(adopt: boolean): Promise<void>;
  /** What could not be put right the last time, if anything. */
  trouble(): string | undefined;
  pending(): number;
  /** Whether there is anything here that could differ from the journal. */
  inUse(): boolean;
  /** All deadlines were moved. */
  deadlinesMoved(): void;
  stop(revert: boolean): Promise<void>;
}

/** A container that was just emptied is often needed again at once. */
const teardownAfterMs = 1_000;
/** An effect without an owner and without an end of its own is held this long. */
const adoptedForMs = 86_400_000;

export function createDesk(stages: DeskStages, instance: Instance): Desk {
  const { journal, clock, report, madeSteps } = stages;
  const carrier = stages.carrier(instance);
  const { batchSize, adoptsForGood: forGood = false } = carrier.driver.traits;
  let trouble: string | undefined;
  let attempts = 0;
  let again: NodeJS.Timeout | undefined;
  let teardown: NodeJS.Timeout | undefined;
  let stopped = false;

  const lane = createLane<Order, Outcome>({
    key: (order) => order.target.text,
    merge: mergeOrders,
    maxBatch: batchSize,
    maxPending: stages.limits.pendingRequests,
    perform: async (orders) => {
      const intents = journal.intend(orders, clock.now());
      const carried = await carryOutIntents(carrier, intents, clock.now());
      writeDown(carried.flatMap(({ change }) => change ?? []));
      const outcomes = carried.map(({ outcome }) => outcome);
      const made = newlyMade(intents, outcomes);
      if (made.length > 0) stages.made?.(carrier.driver, made);
      orders.forEach((order, index) => {
        const outcome = outcomes[index];
        if (outcome === undefined || outcome instanceof HeldElsewhere) return;
        if (outcome instanceof ArError && order.tryElsewhere === true) return;
        report.outcome(order, outcome);
      });
      afterwards();
      return outcomes;
    },
  });

  /** What is done and cannot be written down stays an open intent, which the next comparison closes. */
  const writeDown = (changes: readonly Change[]): void => {
    try {
      journal.settle(changes, clock.now());
    } catch (error) {
      reconcileSoon(pauseMs(0));
      throw error;
    }
  };

  const timetable = createTimetable({
    now: clock.now,
    nextDueAt: () => journal.nextDueAt(instance),
    work: async () => {
      const due = journal.due(instance, clock.now(), batchSize);
      await Promise.all(due.map((action) => lane.push(expiry(action)).catch(ignoreTried)));
    },
    onError: (error) => {
      // A deadline that passed and cannot be acted on: the next comparison finds out whether it can.
      if (trouble === undefined) reconcileSoon(pauseMs(attempts++));
      trouble = error instanceof Error ? error.message : String(error);
      report.trouble(instance, error);
    },
  });

  const afterwards = (): void => {
    timetable.look();
    if (carrier.takeDrift()) reconcileSoon(0);
    clearTimeout(teardown);
    if (!stopped) teardown = setTimeout(() => void tearDown(), teardownAfterMs);
  };

  const tearDown = (): Promise<void> =>
    lane
      .alone(async () => {
        if (!journal.holdsAny(instance)) await carrier.teardown();
      })
      .catch((error) => report.trouble(instance, error));

  const compare = async (adopt: boolean): Promise<void> => {
    const actions = journal.heldBy(instance);
    const forgotten = new Set([...journal.forgotten(instance), ...heldByOthers(journal, instance)]);
    const adopts = adopt || forGood;
    const repaired = await repair(carrier, { actions, now: clock.now(), adopt: adopts, forgotten });
    journal.settle(repaired.changes, clock.now());
    if (repaired.orphans.length > 0) {
      journal.adopt(
        repaired.orphans.map((one) => adoption(stages, instance, one, forGood)),
        clock.now(),
      );
    }
    carrier.takeDrift();
    trouble = repaired.trouble;
    report.repaired(instance, repaired);
    afterwards();
    if (repaired.lookAgain) reconcileSoon(pauseMs(0));
  };

  const reconcile = async (adopt: boolean): Promise<void> => {
    clearTimeout(again);
    try {
      await lane.alone(() => compare(adopt));
    } catch (error) {
      trouble = error instanceof Error ? error.message : String(error);
      report.trouble(instance, error);
    }
    if (trouble === undefined) attempts = 0;
    else reconcileSoon(pauseMs(attempts++));
  };

  const isInUse = (): boolean => trouble !== undefined || journal.holdsAny(instance);

  const reconcileSoon = (inMs: number): void => {
    clearTimeout(again);
    if (!stopped) again = setTimeout(() => void reconcile(false), inMs);
  };

  const { watch } = carrier.driver;
  const unwatch =
    watch === undefined
      ? undefined
      : stages.watch?.(watch, (event) => {
          // What comes back can bring along what is held no longer.
          if (event === 'changed' || isInUse()) reconcileSoon(0);
        });

  const revertAll = async (): Promise<void> => {
    const orders = journal.heldBy(instance).map((action) => deletion(action));
    await Promise.all(orders.map((order) => lane.push(order).catch(ignoreReported)));
  };

  return {
    instance,
    carryOut: lane.push,
    plan: (request, decision, why) =>
      planEffect({ journal, clock, carrier, why, madeSteps }, request, decision),
    reconcile,
    trouble: () => trouble,
    pending: lane.pending,
    inUse: isInUse,
    deadlinesMoved: timetable.look,
    stop: async (revert) => {
      stopped = true;
      unwatch?.();
      timetable.stop();
      clearTimeout(again);
      if (revert) await revertAll();
      await tearDown();
      clearTimeout(teardown);
      await lane.idle();
    },
  };
}

/**
 * What the same driver holds with other settings: it can stand in the very place (a set that was made
 * anew, with other options), and is no stray effect.
 */
function heldByOthers(journal: Journal, instance: Instance): string[] {
  const key = instanceKey(instance);
  return journal
    .instances()
    .filter((one) => one.driver === instance.driver && instanceKey(one) !== key)
    .flatMap((one) => journal.heldBy(one).map(({ target }) => target.text));
}

/** Two wishes for the same come to one that asks for the longer time. */
function mergeOrders(earlier: Order, later: Order): Order | undefined {
  const same = earlier.response === later.response;
  if (!same || earlier.verb !== 'add' || later.verb !== 'add') return undefined;
  const merged = mergeEscalations(earlier.escalation, later.escalation);
  if (merged === undefined) return undefined;
  const { timeoutSeconds: _timeout, ...rest } = later;
  const order = merged.escalation === undefined ? rest : { ...rest, ...merged };
  if (earlier.timeoutSeconds === undefined || later.timeoutSeconds === undefined) return order;
  return { ...order, timeoutSeconds: Math.max(earlier.timeoutSeconds, later.timeoutSeconds) };
}

function deletion({ response, target, instance, origin }: Action): Order {
  return { verb: 'delete', response, target, instance, origin };
}

function expiry(action: Action): Order {
  return { ...deletion(action), onlyWhenDue: true };
}

function adoption(
  { clock, responseOf }: DeskStages,
  instance: Instance,
  { target, expiresInMs, memory }: Repaired['orphans'][number],
  forGood: boolean,
): Adoption {
  return {
    response: responseOf(instance.driver),
    target,
    memory,
    instance,
    deadlineAt: forGood ? undefined : clock.now() + (expiresInMs ?? adoptedForMs),
    reason: 'found on this machine without a journal entry',
  };
}

/** A revert that did not work has been reported, and stands in the journal for the next try. */
function ignoreReported(error: unknown): void {
  if (!(error instanceof ArError || error instanceof HeldElsewhere)) throw error;
}

/** What could not even be written down was not tried: to try it again at once would not help. */
function ignoreTried(error: unknown): void {
  ignoreReported(error);
  if (error instanceof ArError && error.code === 'journal-failed') throw error;
}
