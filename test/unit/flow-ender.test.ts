import { expect, test } from 'vitest';
import { createFlowEnder, type FlowsEnded } from '../../agent/engine/flow-ender.ts';
import { newlyMade } from '../../agent/engine/intents.ts';
import { ArError } from '../../agent/errors.ts';
import type { Action, Intent, Order, Outcome } from '../../agent/words.ts';
import type { FlowPlan } from '../../platform/flows.ts';
import type { CommandStep, StepResult } from '../../platform/step.ts';
import { type AddressTarget, parseTarget } from '../../platform/target.ts';

const target = (text: string) => parseTarget(text) as AddressTarget;
const step = (tool: string): CommandStep => ({ kind: 'command', tool, args: [] });
const fine: StepResult = { exitCode: 0, stdout: '', stderr: '' };

test('what comes in while it is at work is ended together', async () => {
  const rounds: string[][] = [];
  const said: FlowsEnded[] = [];
  let release = (): void => {};
  const ender = createFlowEnder({
    plan: (targets) => {
      rounds.push(targets.map(({ text }) => text));
      return {
        steps: [step('ss')],
        read: (results) => ({ sockets: results.length, flows: 0, troubles: [] }),
      };
    },
    run: () =>
      new Promise((resolve) => {
        release = () => resolve(fine);
      }),
    ended: (ended) => said.push(ended),
  });
  ender.end([target('203.0.113.1')]);
  await expect.poll(() => rounds.length).toBe(1);
  ender.end([target('203.0.113.2'), { kind: 'user', text: 'somebody' }]);
  ender.end([target('203.0.113.3'), target('203.0.113.2')]);
  release();
  await expect.poll(() => rounds.length).toBe(2);
  release();
  await ender.close();
  expect(rounds).toEqual([['203.0.113.1'], ['203.0.113.2', '203.0.113.3']]);
  expect(said).toEqual([
    { addresses: 1, sockets: 1, flows: 0, troubles: [] },
    { addresses: 2, sockets: 1, flows: 0, troubles: [] },
  ]);
});

test('a part that follows is carried out too, and all of it is counted', async () => {
  const ran: string[] = [];
  const part = (tool: string, flows: number, next?: FlowPlan): FlowPlan => ({
    steps: [step(tool)],
    read: () => ({ sockets: 1, flows, troubles: ['same', tool], ...(next ? { next } : {}) }),
  });
  let said: FlowsEnded | undefined;
  const ender = createFlowEnder({
    plan: () => part('first', 2, part('second', 3)),
    run: async (one) => {
      ran.push((one as CommandStep).tool);
      return fine;
    },
    ended: (ended) => {
      said = ended;
    },
  });
  ender.end([target('203.0.113.1')]);
  await ender.close();
  expect(ran).toEqual(['first', 'second']);
  expect(said).toEqual({
    addresses: 1,
    sockets: 2,
    flows: 5,
    troubles: ['same', 'first', 'second'],
  });
});

test('a plan that throws is a trouble, and the next one is carried out', async () => {
  const said: FlowsEnded[] = [];
  const ender = createFlowEnder({
    plan: ([one]) => {
      return {
        steps: [step('ss')],
        read: () => {
          if (one?.text === '203.0.113.1') throw new Error('out of order');
          return { sockets: 0, flows: 0, troubles: [] };
        },
      };
    },
    run: async () => fine,
    ended: (ended) => said.push(ended),
  });
  ender.end([target('203.0.113.1')]);
  await ender.close();
  ender.end([target('203.0.113.2')]);
  await ender.close();
  expect(said.map(({ troubles }) => troubles)).toEqual([['Error: out of order'], []]);
});

test('those that had connections are looked at again, with pauses, and the others are not', async () => {
  const rounds: string[][] = [];
  const said: FlowsEnded[] = [];
  const flows = [2, 0, 1, 0];
  const ender = createFlowEnder({
    plan: (targets) => {
      rounds.push(targets.map(({ text }) => text));
      return {
        steps: [step('conntrack')],
        read: () => {
          const found = flows.shift() ?? 0;
          const again = found === 0 ? {} : { again: [target('203.0.113.9')] };
          return { sockets: 0, flows: found, troubles: [], ...again };
        },
      };
    },
    run: async () => fine,
    ended: (ended) => said.push(ended),
    pausesMs: [1, 2, 3],
  });
  ender.end([target('203.0.113.0/24'), target('198.51.100.1')]);
  await expect.poll(() => rounds.length).toBe(4);
  await ender.close();
  expect(rounds).toEqual([
    ['203.0.113.0/24', '198.51.100.1'],
    ['203.0.113.9'],
    ['203.0.113.9'],
    ['203.0.113.9'],
  ]);
  // A look that finds nothing is no news, but for the first.
  expect(said.map((ended) => ended.flows)).toEqual([2, 1]);
});

test('one that is closed looks no more', async () => {
  let rounds = 0;
  const ender = createFlowEnder({
    plan: (again) => {
      rounds += 1;
      return {
        steps: [],
        read: () => ({ sockets: 0, flows: 1, troubles: [], again }),
      };
    },
    run: async () => fine,
    ended: () => {},
    pausesMs: [60_000],
  });
  ender.end([target('203.0.113.1')]);
  await expect.poll(() => rounds).toBe(1);
  await ender.close();
  // A timer that was left would hold the process, and the run of the tests, for a minute.
  expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toEqual([]);
});

test('only effects that did not stand before are newly made', () => {
  const order = (text: string) => ({ target: target(text) }) as unknown as Order;
  const apply = (text: string, more: object = {}) =>
    ({
      kind: 'apply',
      order: order(text),
      isNew: true,
      standing: false,
      ...more,
    }) as unknown as Intent;
  const active = (preExisting = false): Outcome => ({
    kind: 'active',
    refreshed: false,
    action: { preExisting } as Action,
  });
  const intents: [Intent, Outcome | Error][] = [
    [apply('203.0.113.1'), active()],
    [apply('203.0.113.2', { isNew: false }), active()],
    [apply('203.0.113.3', { standing: true }), active()],
    [apply('203.0.113.4'), active(true)],
    [apply('203.0.113.5'), new ArError('driver-failed', 'no', 'no')],
    [{ kind: 'keep', order: order('203.0.113.6') } as unknown as Intent, active()],
  ];
  const made = newlyMade(
    intents.map(([intent]) => intent),
    intents.map(([, outcome]) => outcome),
  );
  expect(made.map(({ text }) => text)).toEqual(['203.0.113.1']);
});
