/**
 * The desk of one driver instance: its lane, its timetable, and the comparison of what it holds with
 * the journal. Work at one desk never waits for another.
 */
import type { Driver } from '../../platform/driver.ts';
import type { Step } from '../../platform/step.ts';
import type { Target } from '../../platform/target.ts';
import { pauseMs } from '../engine/backoff.ts';
import type { Carrier } from '../engine/carry-out.ts';
import type { FlowsEnded } from '../engine/flow-ender.ts';
import { carryOutIntents, newlyMade } from '../engine/intents.ts';
import { createLane } from '../engine/lane.ts';
import { type Repaired, repair } from '../engine/repair.ts';
import { createTimetable } from '../engine/timetable.ts';
import type { ArError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import type { BreakerState } from '../policy/breaker.ts';
import type { Decision } from '../policy/decide.ts';
import type { Action, Change, Instance, Order, Outcome, Request } from '../words.ts';
import { adoption } from './adoption.ts';
import {
  type Attention,
  type Cause,
  createAttention,
  type Fight,
  type Listen,
  type Looked,
} from './attention.ts';
import {
  deletion,
  expiry,
  heldByOthers,
  ignoreReported,
  ignoreTried,
  isTheEnd,
  mergeOrders,
} from './orders.ts';
import { type Plan, planEffect } from './plan.ts';

/** What happens, for the logs. Never waited for, never throws. */
export interface Reporter {
  /** Not even tried. A manager does not read replies: for what it asked, this is the only trace. */
  refused(request: Request, error: unknown): void;
  outcome(order: Order, outcome: Outcome | ArError): void;
  repaired(instance: Instance, repaired: Repaired, cause?: Cause): void;
  /** Somebody undoes what is put back, again and again; undefined: no longer. */
  fight?(instance: Instance, fight: Fight | undefined): void;
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
  readonly watch?: Listen;
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
  /**
   * Compares and repairs now; goes on trying by itself when something cannot be put right. At an interval
   * it does so only if something can have happened that nobody told of.
   */
  reconcile(adopt: boolean, cause?: Cause): Promise<void>;
  /** What was put right since the start, and how closely it is looked at; absent where nothing can be. */
  care?(): Care;
  /** What could not be put right the last time, if anything. */
  trouble(): string | undefined;
  pending(): number;
  /** Whether there is anything here that could differ from the journal. */
  inUse(): boolean;
  /** All deadlines were moved, or time may have passed that no timer counted. */
  deadlinesMoved(): void;
  stop(revert: boolean): Promise<void>;
}

/** How an instance is looked after. */
export interface Care extends Partial<ReturnType<Attention['state']>> {
  readonly repairs: number;
  readonly last?: { readonly at: number; readonly cause: Cause };
}

/** A container that was just emptied is often needed again at once. */
const teardownAfterMs = 1_000;
/** However well it is listened: so long after the last whole look there is another one. */
const trustMs = 600_000;

export function createDesk(stages: DeskStages, instance: Instance): Desk {
  const { journal, clock, report, madeSteps } = stages;
  const carrier = stages.carrier(instance);
  const { batchSize, adoptsForGood: forGood = false } = carrier.driver.traits;
  let trouble: string | undefined;
  /** What nobody explains is to be taken over; until it has been looked at once. */
  let adopting = false;
  let attempts = 0;
  let again: NodeJS.Timeout | undefined;
  let teardown: NodeJS.Timeout | undefined;
  /** How often what is empty could not be taken away. */
  let leftovers = 0;
  let stopped = false;
  let repairs = 0;
  let last: Care['last'];
  let lastLook: (Looked & { readonly at: number }) | undefined;

  const lane = createLane<Order, Outcome>({
    key: (order) => order.target.text,
    merge: mergeOrders,
    maxBatch: batchSize,
    maxPending: stages.limits.pendingRequests,
    perform: async (orders) => {
      const intents = journal.intend(orders, clock.now());
      const carried = await carryOutIntents(carrier, intents, clock.now()).catch(leaveOpen);
      writeDown(carried.flatMap(({ change }) => change ?? []));
      const outcomes = carried.map(({ outcome }) => outcome);
      const made = newlyMade(intents, outcomes);
      if (made.length > 0) stages.made?.(carrier.driver, made);
      orders.forEach((order, index) => {
        const outcome = outcomes[index];
        if (isTheEnd(order, outcome)) report.outcome(order, outcome);
      });
      afterwards();
      return outcomes;
    },
  });

  /** What cannot be written down stays an open intent, which the next comparison closes. */
  const leaveOpen = (error: unknown): never => {
    reconcileSoon(pauseMs(0), 'batch');
    throw error;
  };

  const writeDown = (changes: readonly Change[]): void => {
    try {
      journal.settle(changes, clock.now());
    } catch (error) {
      leaveOpen(error);
    }
    // It is due at no time of its own: a comparison puts it back.
    const missing = changes.find(({ state }) => state === 'missing');
    if (missing !== undefined) reconcileSoon(pauseMs(0), 'batch');
    trouble = missing?.trouble ?? trouble;
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
      if (trouble === undefined) reconcileSoon(pauseMs(attempts++), 'again');
      trouble = error instanceof Error ? error.message : String(error);
      report.trouble(instance, error);
    },
  });

  const afterwards = (): void => {
    timetable.look();
    if (carrier.takeDrift()) reconcileSoon(0, 'batch');
    attention?.held(journal.holdsAny(instance));
    leftovers = 0;
    tearDownAfter(teardownAfterMs);
  };

  const tearDownAfter = (ms: number): void => {
    clearTimeout(teardown);
    if (!stopped) teardown = setTimeout(() => void tearDown(), ms);
  };

  const tearDown = (): Promise<void> =>
    lane
      .alone(async () => {
        if (journal.holdsAny(instance) || (await carrier.teardown())) return;
        // The tools did not work, or somebody else uses what is ours.
        tearDownAfter(teardownAfterMs + pauseMs(leftovers++));
      })
      .catch((error) => report.trouble(instance, error));

  const compare = async (adopt: boolean, cause: Cause): Promise<void> => {
    const startedAt = performance.now();
    const actions = journal.heldBy(instance);
    const forgotten = new Set([...journal.forgotten(instance), ...heldByOthers(journal, instance)]);
    const adopts = adopt || forGood || journal.isPartial();
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
    report.repaired(instance, repaired, cause);
    const damage = repaired.reapplied + repaired.mended + repaired.removed > 0;
    if (damage && cause.by !== 'start') {
      repairs += 1;
      last = { at: clock.now(), cause };
    }
    lastLook = { at: startedAt, tookMs: performance.now() - startedAt, damage };
    afterwards();
    if (repaired.lookAgain) reconcileSoon(pauseMs(0), 'again');
  };

  const reconcile = async (adopt: boolean, cause: Cause = { by: 'start' }): Promise<void> => {
    if (cause.by === 'interval' && (await isKnownToStand())) return;
    clearTimeout(again);
    adopting ||= adopt;
    try {
      await lane.alone(() => compare(adopting, cause));
    } catch (error) {
      lastLook = undefined;
      trouble = error instanceof Error ? error.message : String(error);
      report.trouble(instance, error);
    }
    if (trouble === undefined) {
      attempts = 0;
      adopting = false;
    } else reconcileSoon(pauseMs(attempts++), 'again');
  };

  /** To list 100,000 effects costs a second; what nobody touched need not be listed. */
  const isKnownToStand = async (): Promise<boolean> => {
    const isRecent = lastLook !== undefined && performance.now() - lastLook.at < trustMs;
    return isRecent && trouble === undefined && (await attention?.hasHeardAll()) === true;
  };

  const isInUse = (): boolean => trouble !== undefined || journal.holdsAny(instance);

  const reconcileSoon = (inMs: number, by: Cause['by']): void => {
    clearTimeout(again);
    if (!stopped) again = setTimeout(() => void reconcile(false, { by, what: trouble }), inMs);
  };

  const attention =
    stages.watch === undefined
      ? undefined
      : createAttention({
          watches: carrier.driver.watch ?? [],
          listen: stages.watch,
          look: async (cause) => {
            lastLook = undefined;
            await reconcile(false, cause);
            return lastLook ?? { tookMs: 0, damage: false };
          },
          inUse: isInUse,
          standing: () => journal.standing(instance, clock.now()),
          onFight: (fight) => report.fight?.(instance, fight),
          onCalm: () => report.fight?.(instance, undefined),
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
    care: () => ({ repairs, ...(last === undefined ? {} : { last }), ...attention?.state() }),
    trouble: () => trouble,
    pending: lane.pending,
    inUse: isInUse,
    deadlinesMoved: timetable.look,
    stop: async (revert) => {
      stopped = true;
      attention?.stop();
      timetable.stop();
      clearTimeout(again);
      if (revert) await revertAll();
      await tearDown();
      clearTimeout(teardown);
      await lane.idle();
    },
  };
}
