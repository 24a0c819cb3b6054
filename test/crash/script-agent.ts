/**
 * The agent, and a moment of a script's run at which it kills itself:
 *
 *     node test/crash/script-agent.ts --config … --state … --socket … --during add --at asked
 */
import { existsSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Adornments } from '../../agent/compose.ts';
import { type Agent, startAgent } from '../../agent/daemon.ts';

const option = { type: 'string', default: '' } as const;
const { values } = parseArgs({
  options: {
    config: option,
    state: option,
    socket: option,
    during: option,
    at: option,
    /** A file that the script makes when it begins to act. */
    acting: option,
  },
});

let armed = false;
const reached = (moment: string): void => {
  if (armed && moment === values.at) process.kill(process.pid, 'SIGKILL');
};

const adornments: Adornments = {
  journal: (inner) => ({
    ...inner,
    intend: (orders, now) => {
      armed ||= orders.some(({ verb }) => verb === values.during);
      reached('before-intent');
      const intents = inner.intend(orders, now);
      reached('after-intent');
      return intents;
    },
    settle: (changes, now) => {
      inner.settle(changes, now);
      if (changes.some(({ state }) => state === 'active' || state === 'reverted')) {
        reached('after-outcome');
      }
    },
  }),
  scripts: (inner) => async (step, conversation) => {
    reached('before-start');
    const working = inner(step, {
      ...conversation,
      answer: async (keys) => {
        reached('asked');
        const line = await conversation.answer(keys);
        reached('answered');
        return line;
      },
    });
    if (armed && values.at === 'acting') {
      while (!existsSync(values.acting)) await pause(5);
      reached('acting');
    }
    const end = await working;
    reached('after-end');
    return end;
  },
};

const { config, state, socket } = values;
const agent: Agent = await startAgent({ config, state, socket }, adornments);
process.once('SIGTERM', () => void agent.stop());
