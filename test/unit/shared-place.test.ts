/** Drivers whose effects stand among what others have: nothing of others is changed or taken back. */
import { expect, test } from 'vitest';
import { createDesk } from '../../agent/desk/desk.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { examine } from '../../agent/engine/examine.ts';
import { difference } from '../../agent/engine/reconcile.ts';
import { openJournal } from '../../agent/journal/journal.ts';
import type { Instance } from '../../agent/words.ts';
import type { Driver, Effect, FoundEffect, Reading, Traits } from '../../platform/driver.ts';
import type { CommandStep, Runner } from '../../platform/step.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { action, order, target } from './sample.ts';

const now = 1_000_000;
const a = '203.0.113.7';
const b = '203.0.113.8';
const traits: Traits = { selfExpiring: true, prefixes: true, batchSize: 10, sharesPlace: true };

function reading(
  effects: readonly FoundEffect<AddressTarget>[],
  more: object = {},
): Extract<Reading<AddressTarget>, { known: true }> {
  const none = { setup: () => [], teardown: () => [] };
  return { known: true, containers: [], effects, foreign: [], ...none, ...more };
}

/** A set of addresses, each with its owner; `put` fails where one stands, as `create element` does. */
function createPlace(traitsOfDriver: Traits = traits) {
  const place = new Map<string, string>();
  const steps: string[] = [];
  const step = (tool: string, text: string): CommandStep => {
    return { kind: 'command', tool, args: [text] };
  };
  const run: Runner = async (one) => {
    if (one.kind !== 'command') throw new Error('not a command');
    const [text = ''] = one.args;
    if (one.tool !== 'look') steps.push(`${one.tool} ${text}`);
    if (one.tool === 'take') place.delete(text);
    if (one.tool === 'put' && place.has(text)) {
      return { failure: 'exit', exitCode: 1, stdout: '', stderr: 'it is there' };
    }
    if (one.tool === 'put') place.set(text, 'ours');
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  const owned = (owner: string) =>
    [...place].filter(([, one]) => one === owner).map(([text]) => target(text));
  const driver = (settings: Instance['settings']): Driver<AddressTarget> => ({
    name: 'place',
    settings,
    traits: traitsOfDriver,
    probe: { steps: [], read: () => ({ usable: true, why: '', families: [4] }) },
    inspect: {
      steps: [step('look', '')],
      read: () =>
        reading(
          owned('ours').map((one) => ({ target: one })),
          { foreign: owned('others') },
        ),
    },
    container: () => undefined,
    apply: (effects) =>
      effects.flatMap(({ target: { text }, standing }) => [
        ...(standing === true ? [step('take', text)] : []),
        step('put', text),
      ]),
    revert: (effects) => effects.map(({ target: { text } }) => step('take', text)),
  });
  return { place, steps, run, driver };
}

const effectOf = (text: string, more: object = {}): Effect<AddressTarget> => ({
  target: target(text),
  ...more,
});

test('what stands in the place of ours by now is neither replaced nor taken away', async () => {
  const { place, steps, run, driver } = createPlace();
  const carrier = createCarrier(driver({}), run);
  place.set(a, 'others');
  expect(await carrier.apply([effectOf(a, { standing: true })])).toMatchObject([
    { result: 'pre-existing' },
  ]);
  expect(await carrier.revert([effectOf(a), effectOf(b)])).toMatchObject([
    { result: 'done' },
    { result: 'done' },
  ]);
  expect(steps.filter((one) => one.startsWith('take'))).toEqual([]);
  expect(place.get(a)).toBe('others');
});

test('what was held to stand and does not is made; what stands is replaced', async () => {
  const { place, steps, run, driver } = createPlace();
  const carrier = createCarrier(driver({}), run);
  place.set(a, 'ours');
  const both = [effectOf(a, { standing: true }), effectOf(b, { standing: true })];
  expect(await carrier.apply(both)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
  expect(steps).toEqual([`take ${a}`, `put ${a}`, `put ${b}`]);
});

test('a prefix is refused where none are taken, and the rest is done', async () => {
  const { run, driver, steps } = createPlace({ ...traits, prefixes: false });
  const carrier = createCarrier(driver({}), run);
  expect(await carrier.apply([effectOf('203.0.113.0/24'), effectOf(b)])).toMatchObject([
    { result: 'failed', why: 'single addresses only can be acted on here, no prefixes' },
    { result: 'done' },
  ]);
  expect(steps).toEqual([`put ${b}`]);
});

test('what something wider of others does already is theirs', () => {
  const covered = reading([], { isCovered: ({ text }: AddressTarget) => text === a });
  const { repairs, verdicts } = difference([action(a), action(b)], covered, traits, now);
  expect(verdicts.map(({ preExisting }) => preExisting)).toEqual([true, false]);
  expect(repairs).toMatchObject([{ kind: 'apply', target: { text: b } }]);
});

test('without marks, what was there before keeps its end', () => {
  const held = action(a, { preExisting: true, deadlineAt: now + 60_000, memory: {} });
  const found = reading([{ target: target(a) }]);
  const { repairs, verdicts } = difference([held], found, { ...traits, unmarked: true }, now);
  expect(repairs).toEqual([]);
  expect(verdicts).toMatchObject([{ state: 'active', preExisting: true }]);
});

test('a question that is the same for many targets is asked once', async () => {
  let asked = 0;
  const { driver } = createPlace();
  const looking: Driver<AddressTarget> = {
    ...driver({}),
    examine: () => ({
      steps: [{ kind: 'command', tool: 'look', args: [] }],
      read: () => ({ fit: true, memory: {} }),
    }),
  };
  const run: Runner = async () => {
    asked += 1;
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  const remembered: number[] = [];
  const { fit } = await examine(looking as Driver, [effectOf(a), effectOf(b)], run, (found) =>
    remembered.push(found.length),
  );
  expect([asked, fit.length, remembered]).toEqual([1, 2, [2]]);
});

test('what the same driver holds in the same place with other settings is no stray effect', async () => {
  const { place, run, driver } = createPlace();
  const journal = openJournal(':memory:');
  const stages = {
    journal,
    clock: { now: () => Date.now() },
    report: { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} },
    limits: { pendingRequests: 10 },
    carrier: ({ settings }: Instance) => createCarrier(driver(settings) as Driver, run),
    responseOf: () => 'firewall-drop',
  };
  const older: Instance = { driver: 'place', settings: { expiry: 'agent' } };
  const newer: Instance = { driver: 'place', settings: { expiry: 'kernel' } };
  const [one, two] = [createDesk(stages, older), createDesk(stages, newer)];
  await one.carryOut(order('add', a, { instance: older }));
  place.set(b, 'ours');
  await two.reconcile(false);
  expect([...place.keys()]).toEqual([a]);
  await Promise.all([one.stop(false), two.stop(false)]);
  journal.close();
});
