/** A delete: the script is run with it until it ends well, or does so badly that this says nothing. */
import { randomUUID } from 'node:crypto';
import type { Facts } from '../../platform/driver.ts';
import { parseTarget } from '../../platform/target.ts';
import { pauseMs } from '../engine/backoff.ts';
import { ArError } from '../errors.ts';
import type { ScriptEnd } from '../system/run-script.ts';
import type { Action, Change, Order, Outcome } from '../words.ts';
import { type Bench, lockName, noteLeader, takePlace } from './bench.ts';
import { planRun } from './plan-run.ts';
import { fromSettings, mannerOf, scriptDriver } from './settings.ts';
import { describeTrouble } from './trouble.ts';

/** Runs that ended by themselves, with a status other than 0, before it is left at that. */
const tries = 10;

/** Carries out a delete. Rejects with an ArError when it is still to be done. */
export async function takeBack(bench: Bench, order: Order): Promise<Outcome> {
  const { script, turns } = bench;
  // Who asks by hand may mean what is being added just now: it is waited for until it has a name.
  if (order.onlyWhenDue !== true) {
    (await turns.lock(lockName('ask', script, order.target.text)))();
  }
  const target = order.onlyWhenDue === true ? order.target : find(bench, order);
  const unlock = await turns.lock(lockName('key', script, target.text));
  try {
    const leave = order.forget === true ? undefined : await takePlace(bench, 'delete');
    try {
      return await carryOut(bench, { ...order, target });
    } finally {
      leave?.();
    }
  } finally {
    unlock();
    bench.look();
  }
}

/** What an order means: the keys that it names, or else the one action that is about what it names. */
function find(bench: Bench, order: Order): Action['target'] {
  const { response, target, facts = {} } = order;
  if (bench.journal.holder(response, target.text) !== undefined) return target;
  const about = heldByScript(bench).filter((action) => isAbout(action.facts, facts));
  const [only] = about;
  if (only !== undefined && about.length === 1) return only.target;
  const keys = about.slice(0, 5).map((one) => one.target.text);
  throw new ArError(
    'not-held',
    `${response} holds ${keys.length === 0 ? 'nothing' : `${about.length} actions`} for ${target.text}`,
    keys.length === 0
      ? 'Nothing was done. "ar-exec list" shows what is held; --key names it as it stands there.'
      : `Name one by its key (--key): ${keys.join(', ')}.`,
  );
}

/** Also what was made when the script was declared in another way. */
function heldByScript({ journal, script, inWork }: Bench): Action[] {
  return journal
    .instances()
    .filter(({ driver, settings }) => driver === scriptDriver && settings['name'] === script.name)
    .flatMap((instance) => journal.heldBy(instance))
    .filter(({ id }) => !inWork.has(id));
}

/** Whether an action is about all that a request names, if it names anything. */
function isAbout(held: Facts = {}, asked: Facts): boolean {
  const names = (['srcip', 'user', 'file'] as const).filter((name) => asked[name] !== undefined);
  const plain = (text = '') => parseTarget(text)?.text ?? text;
  return names.length > 0 && names.every((name) => plain(held[name]) === plain(asked[name]));
}

async function carryOut(bench: Bench, order: Order): Promise<Outcome> {
  const intent = await bench.intend(order);
  switch (intent.kind) {
    case 'absent':
      throw new ArError(
        'not-held',
        `${order.response} holds nothing for ${order.target.text}`,
        'Nothing was done. "ar-exec list" shows what is held.',
      );
    case 'release':
      bench.journal.settle([{ id: intent.action.id, state: 'forgotten' }], bench.clock.now());
      return { kind: 'forgotten', action: { ...intent.action, state: 'forgotten' } };
    case 'revert':
      return run(bench, intent.action);
    default:
      throw new ArError('internal', `a delete came to "${intent.kind}"`, 'Please report it.');
  }
}

async function run(bench: Bench, action: Action): Promise<Outcome> {
  const { journal, clock, inWork } = bench;
  // As it was declared when it was run: what is done is taken back in the same way.
  const script = fromSettings(action.instance.settings);
  const manner = mannerOf(script.dialect, action.origin.dialect);
  const deadlineMs = bench.limits(script.name).timeLimitMs;
  const run = action.memory?.['run'] ?? randomUUID();
  const step = planRun(script, manner, action, { verb: 'delete', run, deadlineMs });
  inWork.add(action.id);
  try {
    const end = await bench.run(step, {
      started: (pid) => {
        const memory = { ...action.memory, run, leader: String(pid) };
        noteLeader(bench, { ...action, memory });
      },
      keysIn: () => undefined,
      answer: async () => undefined,
    });
    const change = judge(action, end, clock.now());
    journal.settle([change], clock.now());
    const { trouble } = change;
    if (change.state === 'reverted') {
      return {
        kind: 'reverted',
        action: { ...action, state: 'reverted', trouble },
        stillHeldBy: [],
      };
    }
    throw new ArError(
      end.failure === 'timeout' ? 'driver-timeout' : 'driver-failed',
      `${action.response} ${action.target.text} may still be in force: ${trouble}`,
      'Its script is run again until it takes it back, see "ar-exec status".',
    );
  } finally {
    inWork.delete(action.id);
  }
}

/**
 * A status other than 0 is a failure, unless it is the one that the script ended its add with: some
 * of OSSEC's end with 1 whatever they did (disable-account.sh, ip-customblock.sh).
 */
function judge({ id, attempts, memory }: Action, end: ScriptEnd, now: number): Change {
  const trouble = describeTrouble(end);
  if (trouble === undefined) return { id, state: 'reverted' };
  const { exitCode } = end;
  const saysNothing = exitCode !== undefined && memory?.['exit'] === String(exitCode);
  if (saysNothing || (exitCode !== undefined && attempts + 1 >= tries)) {
    return { id, state: 'reverted', trouble };
  }
  const why = trouble ?? end.why;
  return { id, state: 'reverting', trouble: why, dueAt: now + pauseMs(attempts), triedAgain: true };
}
