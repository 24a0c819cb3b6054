/**
 * An add: written down, then run, then its end written down. A script that names its keys is told to go
 * on, or to abort because the same keys are held already; what is held is held longer then.
 */
import { randomUUID } from 'node:crypto';
import type { Memory } from '../../platform/driver.ts';
import type { NamedTarget } from '../../platform/target.ts';
import { pauseMs } from '../engine/backoff.ts';
import { ArError } from '../errors.ts';
import type { ScriptEnd } from '../system/run-script.ts';
import type { Action, Order, Outcome } from '../words.ts';
import { type Bench, lockName, noteLeader, takePlace } from './bench.ts';
import { keysIn, keyText, ownText, provisional } from './keys.ts';
import { lineFor, planRun } from './plan-run.ts';
import { mannerOf } from './settings.ts';
import { describeTrouble, notStarted } from './trouble.ts';

/** Carries out an add. Rejects with an ArError when nothing came of it. */
export async function add(bench: Bench, order: Order): Promise<Outcome> {
  const { script, turns } = bench;
  const { text } = order.target;
  if (!isStateful(bench, order)) return perform(bench, await intendRun(bench, order, true));
  const asks = mannerOf(script.dialect, order.origin.dialect).handshake !== 'none';
  // Two that are about the same wait for each other, until it is known what their keys are.
  const unlock = await turns.lock(lockName(asks ? 'ask' : 'key', script, text));
  try {
    const kept = asks ? await keepLonger(bench, order) : undefined;
    const action = kept ?? (await intendRun(bench, order, asks));
    if (action.state === 'active') {
      bench.look();
      return { kind: 'active', action, refreshed: true };
    }
    return await perform(bench, action, asks ? unlock : undefined);
  } finally {
    unlock();
  }
}

/**
 * A script that names its keys has to be asked each time; one that never did need not run again while
 * its effect is held. Nobody takes it back meanwhile: who holds the lock decides.
 */
async function keepLonger(bench: Bench, order: Order): Promise<Action | undefined> {
  const { journal, script, turns } = bench;
  const unlock = await turns.lock(lockName('key', script, order.target.text));
  try {
    const held = journal.holder(order.response, order.target.text);
    if (held?.state !== 'active' || held.memory?.['handshake'] !== 'none') return undefined;
    return await intendRun(bench, order, false);
  } finally {
    unlock();
  }
}

/** Carries out what an agent before this one wrote down and never began. */
export async function resume(bench: Bench, action: Action): Promise<Outcome> {
  const { script, turns } = bench;
  const asks = mannerOf(script.dialect, action.origin.dialect).handshake !== 'none';
  const unlock = asks ? undefined : await turns.lock(lockName('key', script, action.target.text));
  try {
    return await perform(bench, action);
  } finally {
    unlock?.();
  }
}

async function perform(
  bench: Bench,
  action: Action,
  onNamed: () => void = () => {},
): Promise<Outcome> {
  bench.inWork.add(action.id);
  try {
    const leave = await takePlace(bench, 'add');
    try {
      return await run(bench, action, onNamed);
    } finally {
      leave();
    }
  } finally {
    bench.inWork.delete(action.id);
    bench.look();
  }
}

/** Whether an order makes something that is taken back; without a timeout it does so if declared. */
export function isStateful(
  { script }: Pick<Bench, 'script'>,
  { timeoutSeconds }: Pick<Order, 'timeoutSeconds'>,
): boolean {
  return script.stateful === 'yes' || (script.stateful === 'asked' && timeoutSeconds !== undefined);
}

async function intendRun(bench: Bench, order: Order, unnamed: boolean): Promise<Action> {
  const text = unnamed ? provisional(order.target.text, randomUUID()) : order.target.text;
  const intent = await bench.intend({ ...order, target: { kind: 'named', text } });
  if (intent.kind === 'apply' || intent.kind === 'keep') return intent.action;
  throw new ArError('internal', `an add came to "${intent.kind}"`, 'Please report it.');
}

/** What a run has come to so far. */
interface Run {
  action: Action;
  memory: Memory;
  /** The action that holds the same keys; this one has ended with that. */
  joined?: Action;
  unlock?: () => void;
}

async function run(bench: Bench, begun: Action, onNamed: () => void): Promise<Outcome> {
  const { journal, clock, script, instance } = bench;
  const manner = mannerOf(script.dialect, begun.origin.dialect);
  const stateful = script.stateful === 'yes' || begun.deadlineAt !== undefined;
  const memory: Memory = {
    run: randomUUID(),
    handshake: manner.handshake === 'none' ? 'none' : 'asked',
  };
  const state: Run = { action: begun, memory };
  // What goes by the same name may be being taken back just now; most scripts name what they were told.
  if (stateful && manner.handshake !== 'none') {
    state.unlock = await bench.turns.lock(lockName('key', script, ownText(begun.target.text)));
  }
  try {
    // On disk before it starts: from here on it may have acted.
    journal.remember(instance, [{ target: begun.target, memory }]);
    const deadlineMs = bench.limits(script.name).timeLimitMs;
    const step = planRun(script, manner, begun, {
      verb: 'add',
      run: memory['run'] ?? '',
      deadlineMs,
    });
    const end = await bench.run(step, {
      started: (pid) => noteRunning(bench, state, pid),
      keysIn,
      answer: async (keys) => {
        const command = stateful ? await name(bench, state, keys) : nameOnce(state, keys);
        onNamed();
        return keys === undefined ? undefined : lineFor(script, manner, state.action, command);
      },
    });
    if (!end.started) return failed(bench, begun, end);
    if (state.joined !== undefined)
      return { kind: 'active', action: state.joined, refreshed: true };
    return stateful ? stands(bench, state, end) : done(bench, state.action, end, clock.now());
  } finally {
    state.unlock?.();
  }
}

/** Whoever is in its session when the next agent starts is what is left of it. */
function noteRunning(bench: Bench, state: Run, pid: number): void {
  state.memory = { ...state.memory, leader: String(pid) };
  noteLeader(bench, { ...state.action, memory: state.memory });
}

/** What a run without an end of its own turned out to be about, for the history. */
function nameOnce(state: Run, keys: readonly string[] | undefined): 'continue' {
  const text = keys === undefined ? ownText(state.action.target.text) : keyText(keys);
  state.action = { ...state.action, target: { kind: 'named', text } };
  return 'continue';
}

/** Gives the action the name that it is held by, or ends it in favour of the one that has it. */
async function name(
  { journal, clock, script, turns }: Bench,
  state: Run,
  keys: readonly string[] | undefined,
): Promise<'continue' | 'abort'> {
  const { action } = state;
  const text = keys === undefined ? ownText(action.target.text) : keyText(keys);
  const target: NamedTarget = { kind: 'named', text };
  if (text !== ownText(action.target.text)) {
    state.unlock?.();
    state.unlock = await turns.lock(lockName('key', script, text));
  }
  const other = journal.holder(action.response, text);
  const memory = { ...state.memory, handshake: keys === undefined ? 'none' : 'keys' };
  const now = clock.now();
  const renamed = { id: action.id, text, memory };
  state.memory = memory;
  state.action = { ...action, target, memory };
  if (other === undefined || other.id === action.id) {
    journal.rekey(renamed, now);
    return 'continue';
  }
  if (other.state === 'reverting') {
    const trouble = 'asked for again before it could be taken back';
    journal.rekey({ ...renamed, changes: [{ id: other.id, state: 'reverted', trouble }] }, now);
    return 'continue';
  }
  const at = later(other.deadlineAt, action.deadlineAt);
  const trouble = `held already, by action ${other.id}`;
  journal.rekey(
    {
      ...renamed,
      changes: [{ id: action.id, state: 'done', trouble }],
      deadline: { id: other.id, at },
    },
    now,
  );
  state.joined = { ...other, deadlineAt: at };
  return 'abort';
}

/** No deadline is later than any. */
function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : Math.max(a, b);
}

/** Whatever the script said, nobody can look whether it acted: it is held, and taken back in time. */
function stands(
  { journal, clock, instance }: Bench,
  { action, memory }: Run,
  end: ScriptEnd,
): Outcome {
  const trouble = describeTrouble(end);
  const standing: Action = { ...action, state: 'active', trouble, memory };
  if (end.exitCode !== undefined && end.exitCode !== 0) {
    const kept = { ...memory, exit: String(end.exitCode) };
    journal.remember(instance, [{ target: action.target, memory: kept }]);
  }
  journal.settle([{ id: action.id, state: 'active', trouble }], clock.now());
  return { kind: 'active', action: standing, refreshed: false };
}

/** A run that nothing takes back: it counts as done once it came to its own end. */
function done({ journal }: Bench, action: Action, end: ScriptEnd, now: number): Outcome {
  const trouble = describeTrouble(end);
  const state = end.exitCode === undefined ? 'failed' : 'done';
  const { text } = action.target;
  journal.rekey(
    { id: action.id, text: ownText(text), changes: [{ id: action.id, state, trouble }] },
    now,
  );
  if (state === 'done') return { kind: 'done', action: { ...action, state, trouble } };
  const code = end.failure === 'timeout' ? 'driver-timeout' : 'driver-failed';
  throw new ArError(code, `${action.response}: ${trouble}`, 'It is not run a second time.');
}

/** Nothing was done. What stood before, and was to go, is still to go. */
function failed(
  { journal, clock }: Bench,
  { id, target, memory, response }: Action,
  end: ScriptEnd,
): never {
  const now = clock.now();
  const state = memory === undefined ? 'failed' : 'reverting';
  const changes = [{ id, state, trouble: end.why, dueAt: now + pauseMs(0) } as const];
  journal.rekey({ id, text: ownText(target.text), changes }, now);
  throw notStarted(response, end);
}
