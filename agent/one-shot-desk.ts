/**
 * The desk of a one-shot: requests are written down, carried out a few at a time beside each other,
 * and tried again as often as the one-shot allows, restarts of the agent included.
 */
import type { Judgement, OneShot } from '../platform/driver.ts';
import type { Runner, StepResult } from '../platform/step.ts';
import type { Desk, DeskStages } from './desk.ts';
import { pauseMs } from './engine/backoff.ts';
import { createLane } from './engine/lane.ts';
import { createTimetable } from './engine/timetable.ts';
import { ArError } from './errors.ts';
import { planOneShot } from './plan.ts';
import type { Action, Change, Instance, Intent, Order, Outcome } from './words.ts';

/** What is written down together. */
const batchSize = 1_000;

export function createOneShotDesk(
  stages: DeskStages,
  instance: Instance,
  oneShot: OneShot,
  run: Runner,
): Desk {
  const { journal, clock, report } = stages;
  const { tries, repeatable, atOnce, everyMs = 0 } = oneShot.traits;
  const queue: { readonly actions: readonly Action[]; done(outcome: Outcome | ArError): void }[] =
    [];
  const inWork = new Set<number>();
  /** Begun by an agent before this one, which did not live to say what came of it. */
  const begunBefore = new Set<number>();
  let running = 0;
  let lastStartedAt = Number.NEGATIVE_INFINITY;
  let trouble: string | undefined;
  let recovered = false;
  let stopped = false;
  let idle: (() => void)[] = [];

  const lane = createLane<Order, Intent>({
    key: (order) => order.target.text,
    merge: () => undefined,
    maxBatch: batchSize,
    maxPending: stages.limits.pendingRequests,
    perform: async (orders) => journal.intend(orders, clock.now()),
  });

  const carryOut = async (order: Order): Promise<Outcome> => {
    const intent = await lane.push(order);
    if (intent.kind !== 'apply') {
      throw new ArError('internal', `a one-shot came to "${intent.kind}"`, 'Please report it.');
    }
    const { action } = intent;
    const outcome = intent.isNew ? await begin(action) : waitingFor(action, clock.now());
    report.outcome(order, outcome);
    if (outcome instanceof ArError) throw outcome;
    return outcome;
  };

  /** At once, or when the pause after the last one is over. */
  const begin = async (action: Action): Promise<Outcome | ArError> => {
    const nextAt = lastStartedAt + everyMs;
    if (everyMs === 0 || nextAt <= clock.now()) return enqueue([action]);
    journal.settle([{ id: action.id, state: 'intended', dueAt: nextAt }], clock.now());
    timetable.look();
    return waitingFor(action, nextAt);
  };

  const enqueue = (actions: readonly Action[]): Promise<Outcome | ArError> =>
    new Promise((done) => {
      for (const { id } of actions) inWork.add(id);
      if (everyMs > 0) lastStartedAt = clock.now();
      queue.push({ actions, done });
      startNext();
    });

  const startNext = (): void => {
    while (running < atOnce && !stopped) {
      const job = queue.shift();
      if (job === undefined) break;
      running += 1;
      void perform(job.actions)
        .catch((error: unknown) => asError(error))
        .then((outcome) => {
          running -= 1;
          for (const { id } of job.actions) inWork.delete(id);
          job.done(outcome);
          timetable.look();
          startNext();
          if (running === 0) for (const resolve of idle.splice(0)) resolve();
        });
    }
  };

  /** One run for all of them. */
  const perform = async (actions: readonly Action[]): Promise<Outcome | ArError> => {
    const action = actions.at(-1) as Action;
    const attempt = {
      askedAt: action.createdAt,
      maybeDone: action.attempts > 0 || begunBefore.has(action.id),
    };
    const { steps, read } = oneShot.perform(action.target, action.facts ?? {}, attempt);
    const results: StepResult[] = [];
    for (const step of steps) {
      const result = await run(step);
      results.push(result);
      if (result.failure !== undefined) break;
    }
    const judgement = read(results);
    trouble = judgement.done ? undefined : judgement.why;
    const now = clock.now();
    journal.settle(
      actions.map((one) => changeOf(one, judgement, tries, now)),
      now,
    );
    return outcomeOf(action, judgement, tries, now);
  };

  const timetable = createTimetable({
    now: clock.now,
    nextDueAt: () => (inWork.size > 0 ? undefined : journal.nextDueAt(instance)),
    work: async () => {
      const due = journal.due(instance, clock.now(), batchSize).filter(({ id }) => !inWork.has(id));
      const jobs = everyMs > 0 ? [due] : due.map((action) => [action]);
      const again = jobs.map(async (actions) => {
        const outcome = await enqueue(actions);
        for (const action of actions) report.outcome(orderOf(action), outcome);
      });
      await Promise.all(again);
    },
    onError: (error) => report.trouble(instance, error),
  });

  /** What an agent before this one had begun and nobody knows the end of. */
  const recover = (): void => {
    const begun = journal.heldBy(instance);
    const why = 'the agent ended while it was at work; it is not done a second time';
    const now = clock.now();
    for (const { id } of begun) begunBefore.add(id);
    const changes = begun.map(({ id, attempts }): Change => {
      const again = repeatable || attempts > 0;
      return again ? { id, state: 'intended', dueAt: now } : { id, state: 'failed', trouble: why };
    });
    journal.settle(changes, now);
    for (const [index, action] of begun.entries()) {
      if (changes[index]?.state !== 'failed') continue;
      report.outcome(orderOf(action), new ArError('driver-failed', why, 'Ask again if need be.'));
    }
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
      stopped = true;
      timetable.stop();
      await lane.idle();
      if (running > 0) await new Promise<void>((resolve) => idle.push(resolve));
      idle = [];
    },
  };
}

function changeOf(
  { id, attempts }: Action,
  judgement: Judgement,
  tries: number,
  now: number,
): Change {
  if (judgement.done) return { id, state: 'done' };
  const { why } = judgement;
  if (!triesAgain(attempts, judgement, tries)) return { id, state: 'failed', trouble: why };
  const dueAt = nextTry(attempts, judgement, now);
  return { id, state: 'intended', dueAt, trouble: why, triedAgain: true };
}

function outcomeOf(
  action: Action,
  judgement: Judgement,
  tries: number,
  now: number,
): Outcome | ArError {
  if (judgement.done) return { kind: 'done', action: { ...action, state: 'done' } };
  const { why, refusal } = judgement;
  if (triesAgain(action.attempts, judgement, tries)) {
    const failed = { ...action, trouble: why, attempts: action.attempts + 1 };
    return waitingFor(failed, nextTry(action.attempts, judgement, now));
  }
  if (refusal !== undefined) {
    return new ArError(`target-${refusal}`, `${action.target.text} ${why}`, 'Nothing was done.');
  }
  return new ArError(
    'driver-failed',
    `${action.response}: ${why}`,
    'It is not tried again. "ar-exec list --history" shows it.',
  );
}

type NotDone = Extract<Judgement, { done: false }>;

function triesAgain(attempts: number, { again }: NotDone, tries: number): boolean {
  return again && attempts + 1 < tries;
}

function nextTry(attempts: number, { afterMs }: NotDone, now: number): number {
  return now + Math.max(afterMs ?? 0, pauseMs(attempts));
}

function waitingFor(action: Action, nextAt: number): Outcome {
  return { kind: 'waiting', action, nextAt };
}

function orderOf({ response, target, instance, facts, origin, managerLine }: Action): Order {
  return { verb: 'add', response, target, instance, facts, origin, managerLine };
}

function asError(error: unknown): ArError {
  if (error instanceof ArError) return error;
  return new ArError('internal', String(error), 'This is a fault of ar-exec: please report it.');
}
