/**
 * The desk of a one-shot: requests are written down, carried out a few at a time beside each other,
 * and tried again as often as the one-shot allows, restarts of the agent included.
 *
 * A live action with a `dueAt` waits for it; one without is being done. An agent that finds one of
 * these at its start does not know how far it came.
 */
import type { Judgement, OneShot } from '../../platform/driver.ts';
import type { Runner, StepResult } from '../../platform/step.ts';
import { pauseMs } from '../engine/backoff.ts';
import { createLane } from '../engine/lane.ts';
import { createPace, intoRuns } from '../engine/pace.ts';
import { createTimetable } from '../engine/timetable.ts';
import { ArError } from '../errors.ts';
import type { Action, Change, Instance, Order, Outcome } from '../words.ts';
import type { Desk, DeskStages } from './desk.ts';
import { asError, changeOf, orderOf, outcomeOf, waitingFor } from './one-shot-outcome.ts';
import { planOneShot } from './plan.ts';

/** What is written down, or begun, together. */
const batchSize = 1_000;
/** What waits for its turn and becomes one in the end: it is only counted. */
const gatheredAtMost = 2_000;

type Result = Outcome | ArError;

/** What became of an order before it is done. */
interface Admitted {
  readonly action: Action;
  /** The same was asked for before, and is not over. */
  readonly isRepeat: boolean;
  /** Absent: it has to wait until `nextAt`. */
  readonly work?: Promise<Result> | undefined;
  readonly nextAt: number;
}

interface Job {
  /** The first is what the run is about; the others are done with it. */
  readonly actions: readonly Action[];
  done(results: readonly Result[]): void;
}

export function createOneShotDesk(
  stages: DeskStages,
  instance: Instance,
  oneShot: OneShot,
  run: Runner,
): Desk {
  const { journal, clock, report } = stages;
  const { tries, repeatable, atOnce, everyMs = 0, burst = 1 } = oneShot.traits;
  const pace = createPace(everyMs, burst);
  const queue: Job[] = [];
  const inWork = new Map<number, Promise<Result>>();
  /** Begun by an agent before this one, which did not live to say what came of it. */
  const begunBefore = new Set<number>();
  /** What became of actions and could not be written down yet. */
  let unwritten: Change[] = [];
  let writeAgain: NodeJS.Timeout | undefined;
  let writeAttempts = 0;
  let running = 0;
  let trouble: string | undefined;
  let recovered = false;
  let stopped = false;
  let idle: (() => void)[] = [];

  const lane = createLane<Order, Admitted>({
    key: (order) => order.target.text,
    merge: () => undefined,
    maxBatch: batchSize,
    maxPending: stages.limits.pendingRequests,
    perform: async (orders) => admit(orders),
  });

  const carryOut = async (order: Order): Promise<Outcome> => {
    let admitted: Admitted;
    try {
      refuseUnwanted(order);
      admitted = await lane.push(order);
    } catch (error) {
      // A manager reads no replies.
      report.outcome(order, asError(error));
      throw error;
    }
    const { action, isRepeat, work, nextAt } = admitted;
    const result = work === undefined ? waitingFor(action, nextAt) : await work;
    if (!isRepeat) report.outcome(order, result);
    if (result instanceof ArError) throw result;
    return result;
  };

  /** What nobody wants must not use up the pace of what somebody does. */
  const refuseUnwanted = ({ response, facts }: Order): void => {
    const why = oneShot.unwanted?.(facts ?? {});
    if (why === undefined) return;
    throw new ArError('not-wanted', `${response}: ${why}`, 'Nothing was done.');
  };

  /** Writes down what is new, and begins it or puts it off. */
  const admit = (orders: readonly Order[]): Admitted[] => {
    const now = clock.now();
    const repeats = new Map<Order, Admitted>();
    for (const order of orders) {
      const action = journal.holder(order.response, order.target.text);
      if (action === undefined) continue;
      const work = inWork.get(action.id);
      repeats.set(order, { action, isRepeat: true, work, nextAt: action.dueAt ?? now });
    }
    const fresh = orders.filter((order) => !repeats.has(order));
    const actions = fresh.length === 0 ? [] : journal.intend(fresh, now).map(actionOf);
    const roomFor = Math.max(0, pace.room(now));
    const later = actions.slice(roomFor);
    for (const _ of actions.slice(0, roomFor)) pace.take(now);
    const nextAt = pace.nextAt(now);
    putOff(later, nextAt);
    const admitted = new Map<Order, Admitted>(repeats);
    for (const [index, order] of fresh.entries()) {
      const action = actions[index] as Action;
      const work = index < roomFor ? enqueue([action])[0] : undefined;
      admitted.set(order, { action, isRepeat: false, work, nextAt });
    }
    return orders.map((order) => admitted.get(order) as Admitted);
  };

  const putOff = (actions: readonly Action[], dueAt: number): void => {
    if (actions.length === 0) return;
    writeLater(actions.map(({ id, trouble }) => ({ id, state: 'intended', dueAt, trouble })));
    timetable.look();
  };

  /** One run for all of them; a result for each. */
  const enqueue = (actions: readonly Action[]): readonly Promise<Result>[] => {
    const all = new Promise<readonly Result[]>((done) => queue.push({ actions, done }));
    const each = actions.map((_, index) => all.then((results) => results[index] as Result));
    actions.forEach(({ id }, index) => {
      inWork.set(id, each[index] as Promise<Result>);
    });
    startNext();
    return each;
  };

  const startNext = (): void => {
    while (running < atOnce && !stopped) {
      const job = queue.shift();
      if (job === undefined) break;
      running += 1;
      void perform(job.actions).then((results) => {
        running -= 1;
        finish(job, results);
        timetable.look();
        startNext();
        if (running === 0) for (const resolve of idle.splice(0)) resolve();
      });
    }
  };

  const finish = (job: Job, results: readonly Result[]): void => {
    for (const { id } of job.actions) inWork.delete(id);
    job.done(results);
  };

  /** Never throws: what cannot be understood or written down is a result, too. */
  const perform = async (actions: readonly Action[]): Promise<readonly Result[]> => {
    let judgement: Judgement;
    let fault: ArError | undefined;
    try {
      judgement = await performOnce(actions);
    } catch (error) {
      fault = asError(error);
      judgement = { done: false, why: fault.message, again: false };
    }
    trouble = judgement.done || judgement.refusal !== undefined ? undefined : judgement.why;
    const now = clock.now();
    try {
      write(actions.map((action) => changeOf(action, judgement, tries, now)));
    } catch (error) {
      return actions.map(() => asError(error));
    }
    return actions.map((action) => fault ?? outcomeOf(action, judgement, tries, now));
  };

  const performOnce = async (actions: readonly Action[]): Promise<Judgement> => {
    const [action, ...others] = actions as [Action, ...Action[]];
    const { steps, read } = oneShot.perform(action.target, action.facts ?? {}, {
      askedAt: action.createdAt,
      maybeDone: action.attempts > 0 || begunBefore.has(action.id),
      also: others.map(({ facts }) => facts ?? {}),
    });
    const results: StepResult[] = [];
    for (const step of steps) {
      const result = await run(step);
      results.push(result);
      if (result.failure !== undefined) break;
    }
    return read(results);
  };

  /** What does not get onto the disk is tried again: else it would be done a second time. */
  const write = (changes: readonly Change[]): void => {
    try {
      journal.settle([...unwritten, ...changes], clock.now());
      unwritten = [];
      writeAttempts = 0;
    } catch (error) {
      unwritten.push(...changes);
      clearTimeout(writeAgain);
      if (!stopped) writeAgain = setTimeout(() => writeLater([]), pauseMs(writeAttempts++));
      throw error;
    }
  };

  const writeLater = (changes: readonly Change[]): void => {
    try {
      write(changes);
      timetable.look();
    } catch (error) {
      report.trouble(instance, error);
    }
  };

  const timetable = createTimetable({
    now: clock.now,
    nextDueAt: () => {
      const dueAt = queue.length < batchSize ? journal.nextDueAt(instance) : undefined;
      return dueAt === undefined ? undefined : Math.max(dueAt, pace.nextAt(clock.now()));
    },
    work: async () => {
      const now = clock.now();
      const due = journal.due(instance, now, everyMs > 0 ? gatheredAtMost : batchSize);
      write(due.map(({ id, trouble }) => ({ id, state: 'intended', begun: true, trouble })));
      for (const actions of intoRuns(due, pace.room(now))) {
        pace.take(now);
        enqueue(actions).forEach((result, index) => {
          const order = orderOf(actions[index] as Action);
          void result.then((outcome) => report.outcome(order, outcome));
        });
      }
    },
    onError: (error) => report.trouble(instance, error),
  });

  /** What an agent before this one had begun and nobody knows the end of. */
  const recover = (): void => {
    const begun = journal
      .heldBy(instance)
      .filter(({ id, dueAt }) => dueAt === undefined && !inWork.has(id));
    const why = 'the agent ended while it was at work; it is not done a second time';
    const now = clock.now();
    for (const { id } of begun) begunBefore.add(id);
    writeLater(
      begun.map(({ id, trouble }): Change => {
        if (!repeatable) return { id, state: 'failed', trouble: why };
        return { id, state: 'intended', dueAt: now, trouble };
      }),
    );
    if (repeatable) return;
    const error = new ArError('driver-failed', why, 'Ask again if need be.');
    for (const action of begun) report.outcome(orderOf(action), error);
  };

  return {
    instance,
    carryOut,
    plan: async (_request, decision) => planOneShot(oneShot, decision),
    reconcile: async () => {
      if (!recovered) recover();
      recovered = true;
      timetable.look();
    },
    trouble: () => trouble,
    pending: () => lane.pending() + queue.length + running,
    inUse: () => false,
    deadlinesMoved: timetable.look,
    stop: async () => {
      await lane.idle();
      stopped = true;
      timetable.stop();
      // What has not begun is the next agent's.
      const waiting = queue.splice(0);
      putOff(
        waiting.flatMap(({ actions }) => actions),
        clock.now(),
      );
      for (const job of waiting) {
        finish(
          job,
          job.actions.map((action) => waitingFor(action, clock.now())),
        );
      }
      if (running > 0) await new Promise<void>((resolve) => idle.push(resolve));
      idle = [];
      clearTimeout(writeAgain);
      if (unwritten.length > 0) writeLater([]);
    },
  };
}

function actionOf(intent: { readonly kind: string; readonly action?: Action }): Action {
  if (intent.kind === 'apply' && intent.action !== undefined) return intent.action;
  throw new ArError('internal', `a one-shot came to "${intent.kind}"`, 'Please report it.');
}
