/**
 * The agent, and a moment at which it kills itself: started by the crash tests in a namespace.
 *
 *     node test/crash/agent.ts --config … --state … --socket … --during add --at after-intent
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Adornments } from '../../agent/compose.ts';
import { type Agent, startAgent } from '../../agent/daemon.ts';
import type { Change, Order } from '../../agent/words.ts';
import type { Runner, Step } from '../../platform/step.ts';
import type { During, Moment } from './moments.ts';

const option = { type: 'string', default: '' } as const;
const { values } = parseArgs({
  options: {
    config: option,
    state: option,
    socket: option,
    /** What the agent is at when it dies. */
    during: option,
    /** The moment in it. */
    at: option,
    /** The target it is at work on; none: whatever it is. */
    target: option,
    /** What a step names that acts, if that is not the target. */
    acting: option,
    /** Makes of every one-shot one that may not be done twice. */
    unrepeatable: { type: 'boolean', default: false },
    /** How many such moments it lives through first. */
    after: { type: 'string', default: '0' },
  },
});
const during = values.during as During;
let left = Number(values.after);

/** Set once the work begins during which the agent is to die. */
let armed = false;

function reached(moment: Moment): void {
  if (!armed || moment !== values.at) return;
  left -= 1;
  if (left < 0) process.kill(process.pid, 'SIGKILL');
}

const isMine = (order: Order): boolean =>
  order.verb === during && (values.target === '' || order.target.text === values.target);

const isOutcome = ({ state }: Change): boolean =>
  during === 'recovery' || state === (during === 'add' ? 'active' : 'reverted') || state === 'done';

/** Steps that act name the target; those that look or set up do not. */
const acts = (step: Step): boolean =>
  step.kind !== 'read-file' &&
  !endsFlows(step) &&
  JSON.stringify(step).includes(values.acting || values.target);

/** Connections are ended once an addition is over, at a time of its own. */
const endsFlows = (step: Step): boolean =>
  step.kind === 'command' && ['ss', 'conntrack'].includes(step.tool);

const runner = (inner: Runner): Runner => {
  return async (step) => {
    if (!acts(step)) {
      const result = await inner(step);
      reached('after-look');
      return result;
    }
    reached('before-tool');
    const before = children();
    const working = inner(step);
    if (armed && values.at === 'tool-begins' && step.kind === 'dbus') {
      // What was asked is on its way, and is done though nobody waits for the answer.
      await nextTurn();
      reached('tool-begins');
    } else if (armed && values.at === 'tool-begins') {
      let over = false;
      void working.finally(() => {
        over = true;
      });
      const hasBegun = () => children().some((pid) => !before.includes(pid) && isOf(step, pid));
      while (!over && !hasBegun()) await nextTurn();
      reached('tool-begins');
    }
    const result = await working;
    reached('after-tool');
    return result;
  };
};

/** Others may start tools at the same time; one that is named by its path is known by that. */
function isOf(step: Step, pid: string): boolean {
  if (step.kind !== 'command' || !step.tool.startsWith('/')) return true;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(step.tool);
  } catch {
    return false;
  }
}

function children(): string[] {
  return readdirSync('/proc/self/task').flatMap((thread) =>
    readFileSync(`/proc/self/task/${thread}/children`, 'utf8').split(' ').filter(Boolean),
  );
}

const adornments: Adornments = {
  runner,
  oneShot: (inner) =>
    values.unrepeatable ? { ...inner, traits: { ...inner.traits, repeatable: false } } : inner,
  journal: (inner) => ({
    ...inner,
    // Recovery begins by asking what should be there.
    heldBy: (instance) => {
      armed ||= during === 'recovery';
      return inner.heldBy(instance);
    },
    intend: (orders, now) => {
      if (orders.some(isMine)) armed = true;
      reached('before-intent');
      const intents = inner.intend(orders, now);
      reached('after-intent');
      return intents;
    },
    settle: (changes, now) => {
      const mine = changes.some(isOutcome);
      if (mine) reached('before-outcome');
      inner.settle(changes, now);
      if (mine) reached('after-outcome');
    },
  }),
};

const { config, state, socket } = values;
const agent: Agent = await startAgent({ config, state, socket }, adornments);
process.once('SIGTERM', () => void agent.stop());
