import { expect, test } from 'vitest';
import { planEffect } from '../../agent/desk/plan.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Driver, Effect } from '../../platform/driver.ts';
import type { Runner, Step } from '../../platform/step.ts';
import { target } from './sample.ts';

const effect = (text: string): Effect => ({ target: target(text) });
const command = (tool: string, args: readonly string[] = []): Step => ({
  kind: 'command',
  tool,
  args,
});
const [one, other] = ['203.0.113.7', '203.0.113.8'] as const;

/** Effects stand in pots of two; which pot has room is seen by looking. */
function toy() {
  const state = {
    pots: [] as Set<string>[],
    ran: [] as string[],
    known: true,
    obstacle: undefined as string | undefined,
    refuses: undefined as string | undefined,
  };
  const potFor = (text: string): number => {
    const found = state.pots.findIndex((pot) => pot.has(text) || pot.size < 2);
    return found === -1 ? state.pots.length : found;
  };
  const driver: Driver = {
    name: 'pots',
    settings: {},
    traits: { selfExpiring: false, prefixes: true, batchSize: 10, plansFromReading: true },
    probe: { steps: [], read: () => ({ usable: true, why: '', families: [4, 6] }) },
    inspect: {
      steps: [command('look')],
      read: () =>
        state.known
          ? {
              known: true,
              containers: [],
              effects: state.pots.flatMap((pot) => [...pot].map(effect)),
              foreign: [],
              setup: () => [],
              teardown: () => [],
              plan: {
                obstacle: state.obstacle,
                apply: (effects) =>
                  effects.map(({ target: { text } }) => command('put', [text, `${potFor(text)}`])),
                revert: (effects) =>
                  effects.map(({ target: { text } }) => command('take', [text, `${potFor(text)}`])),
              },
            }
          : { known: false, why: 'not to be seen' },
    },
    container: () => undefined,
    apply: (effects) => effects.map(({ target: { text } }) => command('put', [text, '0'])),
    revert: () => [],
  };
  const run: Runner = async (step) => {
    if (step.kind !== 'command') throw new Error('commands only');
    const [text = '', pot = ''] = step.args;
    state.ran.push([step.tool, ...step.args].join(' '));
    if (text !== '' && text === state.refuses) {
      return { failure: 'exit', exitCode: 1, stdout: 'no\nusage\n', stderr: '' };
    }
    if (step.tool === 'put') {
      state.pots[Number(pot)] ??= new Set();
      state.pots[Number(pot)]?.add(text);
    }
    if (step.tool === 'take') state.pots[Number(pot)]?.delete(text);
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  return { state, driver, carrier: createCarrier(driver, run) };
}

test('a batch is planned from a look right before it', async () => {
  const { state, carrier } = toy();
  state.pots = [new Set(['10.0.0.1', '10.0.0.2'])];
  expect(await carrier.apply([effect(one)])).toMatchObject([{ result: 'done' }]);
  expect(await carrier.revert([effect(one)])).toMatchObject([{ result: 'done' }]);
  expect(state.ran).toEqual(['look', `put ${one} 1`, 'look', `take ${one} 1`]);
});

test('what stands is seen anew each time that a part of a batch is tried again', async () => {
  const { state, carrier } = toy();
  state.refuses = other;
  const carried = await carrier.apply([effect(one), effect(other)]);
  expect(carried).toMatchObject([{ result: 'done' }, { result: 'failed' }]);
  expect([...(state.pots[0] ?? [])]).toEqual([one]);
  const puts = state.ran.flatMap((line, index) => (line.startsWith('put') ? [index] : []));
  expect(puts.length).toBeGreaterThan(2);
});

test('nothing is done where nobody can see what stands', async () => {
  const { state, carrier } = toy();
  state.known = false;
  expect(await carrier.apply([effect(one)])).toMatchObject([
    { result: 'failed', why: 'not to be seen' },
  ]);
  expect(await carrier.revert([effect(one)])).toMatchObject([{ result: 'unknown' }]);
  expect(state.ran.filter((line) => line !== 'look')).toEqual([]);
});

test('nothing is made where nothing would act, and all can be taken back', async () => {
  const { state, carrier } = toy();
  await carrier.apply([effect(one)]);
  state.obstacle = 'switched off';
  state.ran.length = 0;
  expect(await carrier.apply([effect(other)])).toMatchObject([
    { result: 'failed', why: 'switched off' },
  ]);
  expect(state.ran).toEqual(['look']);
  expect(await carrier.revert([effect(one)])).toMatchObject([{ result: 'done' }]);
});

test('a dry run plans from what stands, and says so when it cannot be seen', async () => {
  const { state, carrier } = toy();
  state.pots = [new Set(['10.0.0.1', '10.0.0.2'])];
  const plan = () =>
    planEffect(
      {
        journal: { holder: () => undefined },
        clock: { now: () => 0 },
        carrier,
        why: 'pots',
      } as Parameters<typeof planEffect>[0],
      { verb: 'add' } as Parameters<typeof planEffect>[1],
      { definition: { name: 'x' }, target: target(one) } as Parameters<typeof planEffect>[2],
    );
  expect(await plan()).toMatchObject({ steps: [{ tool: 'put', args: [one, '1'] }] });
  state.known = false;
  await expect(plan()).rejects.toMatchObject({
    code: 'driver-failed',
    message: 'pots cannot tell what it holds: not to be seen',
  });
});
