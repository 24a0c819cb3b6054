/**
 * The desk of a script: requests are written down, run a few at a time beside each other, and taken
 * back by the same script when their time is over. Nobody can look whether a script's effect stands:
 * the journal alone says so, and what an agent before this one left unfinished is taken back.
 */

import { HeldElsewhere, orElsewhere } from '../engine/elsewhere.ts';
import { createLane } from '../engine/lane.ts';
import { createTimetable } from '../engine/timetable.ts';
import { ArError } from '../errors.ts';
import { add, resume } from '../script/add.ts';
import { type Bench, orderOf, type ScriptServices } from '../script/bench.ts';
import { planScript } from '../script/dry-run.ts';
import { recover } from '../script/recover.ts';
import { fromSettings } from '../script/settings.ts';
import { takeBack } from '../script/take-back.ts';
import type { Action, Instance, Intent, Order, Outcome } from '../words.ts';
import type { Desk, DeskStages } from './desk.ts';

/** What is written down together. */
const batchSize = 1_000;

export function createScriptDesk(
  stages: DeskStages,
  instance: Instance,
  services: ScriptServices,
): Desk {
  const { journal, clock, report } = stages;
  const script = fromSettings(instance.settings);
  const inWork = new Set<number>();
  const working = new Set<Promise<unknown>>();
  let trouble: string | undefined;
  let stopping = false;
  /** What an agent before this one left here; what comes later is our own. */
  let inherited = new Set(journal.heldBy(instance).map(({ id }) => id));

  const lane = createLane<Order, Intent>({
    key: (order) => order.target.text,
    merge: () => undefined,
    maxBatch: batchSize,
    maxPending: stages.limits.pendingRequests,
    perform: async (orders) => orElsewhere(journal.intend(orders, clock.now())),
  });

  const bench: Bench = {
    ...services,
    journal,
    clock,
    instance,
    script,
    inWork,
    intend: lane.push,
    isStopping: () => stopping,
    look: () => timetable.look(),
  };

  /** Tells the logs what came of it, and whoever asked. */
  const carryOut = async (order: Order, work = workOf(order)): Promise<Outcome> => {
    if (working.size >= stages.limits.pendingRequests) throw tooMany(working.size);
    const job = work();
    working.add(job);
    try {
      const outcome = await job;
      if (order.verb === 'delete') trouble = undefined;
      report.outcome({ ...order, target: outcome.action.target }, outcome);
      return outcome;
    } catch (error) {
      if (error instanceof HeldElsewhere) throw error;
      const told = asError(error);
      const stays = order.verb === 'delete' && told.code.startsWith('driver-');
      if (stays) trouble = told.message;
      report.outcome(order, told);
      throw told;
    } finally {
      working.delete(job);
    }
  };
  const workOf = (order: Order) => () =>
    order.verb === 'add' ? add(bench, order) : takeBack(bench, order);

  /** Nobody waits for these; what came of them has been reported, and stands in the journal. */
  const alone = (order: Order, work?: () => Promise<Outcome>): Promise<void> =>
    carryOut(order, work).then(
      () => {},
      () => {},
    );

  const timetable = createTimetable({
    now: clock.now,
    nextDueAt: () => journal.nextDueAt(instance, inWork),
    work: async () => {
      const due = journal.due(instance, clock.now(), batchSize + inWork.size);
      for (const action of due) {
        if (!inWork.has(action.id)) void expire(action);
      }
    },
    onError: (error) => report.trouble(instance, error),
  });

  const expire = async (action: Action): Promise<void> => {
    // From now on: waiting for its turn it is nothing to be woken up for.
    inWork.add(action.id);
    await alone({ ...orderOf('delete', action), onlyWhenDue: true });
    inWork.delete(action.id);
    timetable.look();
  };

  const start = async (): Promise<void> => {
    const left = journal.heldBy(instance).filter(({ id }) => inherited.has(id) && !inWork.has(id));
    const { begun, lost } = await recover(bench, left);
    inherited = new Set();
    for (const { action, error } of lost) report.outcome(orderOf('add', action), error);
    for (const action of begun) {
      void alone(orderOf('add', action), () => resume(bench, action));
    }
  };

  return {
    instance,
    carryOut,
    plan: (request, decision) => planScript(bench, request, decision),
    reconcile: async () => {
      // A disk that does not take it: the next comparison tries again.
      if (inherited.size > 0) await start().catch((error) => report.trouble(instance, error));
      timetable.look();
    },
    trouble: () => trouble,
    pending: () => working.size,
    inUse: () => trouble !== undefined || journal.holdsAny(instance),
    deadlinesMoved: timetable.look,
    stop: async (revert) => {
      stopping = true;
      timetable.stop();
      if (revert) {
        await Promise.allSettled(working);
        await Promise.all(journal.heldBy(instance).map((one) => alone(orderOf('delete', one))));
      }
      // Other desks may still have to take something back.
      if (!revert) services.turns.close();
      await Promise.allSettled(working);
      await lane.idle();
    },
  };
}

function tooMany(pending: number): ArError {
  return new ArError(
    'limit-pending',
    `${pending} requests wait already`,
    'Ask again in a moment; nothing was done for this request.',
  );
}

function asError(error: unknown): ArError {
  if (error instanceof ArError) return error;
  return new ArError('internal', String(error), 'This is a fault of ar-exec: please report it.');
}
