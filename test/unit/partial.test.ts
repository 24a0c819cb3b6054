/** An effect of which only a part stands, and what a driver says that it cannot put right. */
import { expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { difference } from '../../agent/engine/reconcile.ts';
import { repair } from '../../agent/engine/repair.ts';
import type { Driver, FoundEffect, Reading } from '../../platform/driver.ts';
import type { Runner } from '../../platform/step.ts';
import { action, target } from './sample.ts';

const a = '203.0.113.7';
const now = 1_000_000;
const half: FoundEffect = { target: target(a), partial: true };
const traits = { selfExpiring: false, prefixes: true, batchSize: 10 };

function reading(effects: readonly FoundEffect[], trouble?: string): Reading {
  const none = { foreign: [], containers: [], setup: () => [], teardown: () => [] };
  return { known: true, effects, trouble, ...none };
}

/** Whether an effect stands whole, in part or not at all; the tool refuses its first `refusals` runs. */
function machine(start: readonly FoundEffect[], refusals = 0, trouble?: string) {
  let held = start;
  let left = refusals;
  const did: string[] = [];
  const step = (tool: string) => [{ kind: 'command' as const, tool, args: [] }];
  const driver: Driver = {
    name: 'toy',
    settings: {},
    traits,
    probe: { steps: [], read: () => ({ usable: true, why: '', families: [4, 6] }) },
    inspect: { steps: [], read: () => reading(held, trouble) },
    container: () => undefined,
    apply: () => step('apply'),
    revert: () => step('revert'),
  };
  const run: Runner = async (asked) => {
    if (asked.kind !== 'command') throw new Error('this toy has commands only');
    did.push(asked.tool);
    left -= 1;
    if (left >= 0) return { failure: 'exit', exitCode: 1, stdout: '', stderr: 'refused' };
    held = asked.tool === 'apply' ? [{ target: target(a) }] : [];
    return { exitCode: 0, stdout: '', stderr: '' };
  };
  return { carrier: createCarrier(driver, run), did };
}

test('is made whole for who wants it, and taken away from who does not', () => {
  const found = reading([half]);
  if (!found.known) throw new Error('known');
  expect(difference([action(a)], found, traits, now).repairs).toMatchObject([{ kind: 'apply' }]);
  const ending = action(a, { state: 'reverting' });
  expect(difference([ending], found, traits, now).repairs).toMatchObject([{ kind: 'revert' }]);
  expect(difference([], found, traits, now).repairs).toMatchObject([{ kind: 'orphan' }]);
});

test('is no success of a run that failed', async () => {
  const making = machine([half], 1);
  const effect = { target: target(a) };
  expect(await making.carrier.apply([effect])).toMatchObject([{ result: 'done' }]);
  expect(making.did).toEqual(['apply', 'apply']);
  const taking = machine([half], 1);
  expect(await taking.carrier.revert([effect])).toMatchObject([{ result: 'done' }]);
  expect(taking.did).toEqual(['revert', 'revert']);
});

test('what nothing can put right is told, and the rest is put right', async () => {
  const { carrier, did } = machine([half], 0, 'the zone is gone');
  const options = { actions: [action(a)], now, adopt: false, forgotten: new Set<string>() };
  expect(await repair(carrier, options)).toMatchObject({
    reapplied: 1,
    trouble: 'the zone is gone',
  });
  expect(did).toEqual(['apply']);
});
