/** What a self-test makes of drivers that do not do what they say. */
import { expect, test } from 'vitest';
import { samples, type Trying, tryDriver } from '../../agent/self-test/try-driver.ts';
import type { Driver, Reading } from '../../platform/driver.ts';
import type { CommandStep, Runner, StepResult } from '../../platform/step.ts';
import type { AddressTarget } from '../../platform/target.ts';

/** A facility that holds what it is told to hold, unless `lose` or `keep` say otherwise. */
function createFacility({ lose = '', keep = '' } = {}) {
  const held = new Set<string>();
  const step = (tool: string, ...args: readonly string[]): CommandStep => ({
    kind: 'command',
    tool,
    args,
  });
  const run: Runner = async (given): Promise<StepResult> => {
    const { tool, args } = given as CommandStep;
    for (const one of args) {
      if (tool === 'hold' && one !== lose) held.add(one);
      if (tool === 'let-go' && one !== keep) held.delete(one);
    }
    return { exitCode: 0, stdout: [...held].join(' '), stderr: '' };
  };
  const named = (text: string) => samples.filter((one) => text.split(' ').includes(one.text));
  const driver: Driver = {
    name: 'facility',
    settings: {},
    traits: { selfExpiring: false, prefixes: true, batchSize: 100 },
    probe: { steps: [], read: () => ({ usable: true, why: '', families: [4, 6] }) },
    inspect: {
      steps: [step('list')],
      read: ([listed]): Reading => ({
        known: true,
        containers: [],
        effects: named(listed?.stdout ?? '').map((target) => ({ target })),
        foreign: [],
        setup: () => [],
        teardown: () => [],
      }),
    },
    container: () => undefined,
    apply: (effects) => [step('hold', ...effects.map(({ target }) => target.text))],
    revert: (effects) => [step('let-go', ...effects.map(({ target }) => target.text))],
  };
  return { driver, run, held };
}

const texts = samples.map(({ text }) => text);
const [first = ''] = texts;

async function tried(facility: ReturnType<typeof createFacility>, talk?: Trying['talk']) {
  let time = 0;
  const now = () => {
    time += 1;
    return time;
  };
  return tryDriver(facility.driver, [4, 6], { run: facility.run, talk, now });
}

test('one that does what it says works', async () => {
  expect(await tried(createFacility())).toEqual({
    driver: 'facility',
    outcome: 'works',
    why: 'held and let go of 4 targets',
    targets: texts,
    addMs: 1,
    verifyMs: 1,
    removeMs: 1,
  });
});

test('one that says done and does not hold it has failed, and the rest is taken back', async () => {
  const facility = createFacility({ lose: first });
  expect(await tried(facility)).toMatchObject({
    outcome: 'failed',
    why: `the machine does not hold ${first}`,
  });
  expect(facility.held.size).toBe(0);
});

test('one that does not let go is told as what it left behind', async () => {
  expect(await tried(createFacility({ keep: first }))).toMatchObject({
    outcome: 'failed',
    why: `left behind what it was tried with: ${first} is still held`,
  });
});

test('one that holds and lets packets pass has failed', async () => {
  expect(await tried(createFacility(), async () => true)).toMatchObject({
    outcome: 'failed',
    why: expect.stringContaining('come through all the same'),
  });
});

test('packets that never came through say nothing, and are told as that', async () => {
  expect(await tried(createFacility(), async () => false)).toMatchObject({
    outcome: 'failed',
    why: expect.stringContaining('do not come through'),
  });
});

test('packets that are dropped while it is held, and pass before and after', async () => {
  const facility = createFacility();
  const talk = async ({ text }: AddressTarget) => !facility.held.has(text);
  expect(await tried(facility, talk)).toMatchObject({ outcome: 'works', packets: 'dropped' });
});

test('what somebody holds already is neither made nor taken back', async () => {
  const facility = createFacility();
  facility.held.add(first);
  expect(await tried(facility)).toMatchObject({ outcome: 'works', targets: texts.slice(1) });
  expect([...facility.held]).toEqual([first]);
});

test('where all of it is in use nothing is tried', async () => {
  const facility = createFacility();
  for (const text of texts) facility.held.add(text);
  expect(await tried(facility)).toMatchObject({ outcome: 'skipped', targets: [] });
  expect(facility.held.size).toBe(texts.length);
});
