import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { difference } from '../../agent/engine/reconcile.ts';
import type { Action } from '../../agent/words.ts';
import type { FoundEffect, Reading, Traits } from '../../platform/driver.ts';
import { action, target } from './sample.ts';

type Known = Extract<Reading, { known: true }>;

const now = 1_000_000;
const a = '203.0.113.7';
const dayMs = 86_400_000;
const plain: Traits = { selfExpiring: false, prefixes: true, batchSize: 10 };
const expiring: Traits = { ...plain, selfExpiring: true, longestExpiryMs: 10 * dayMs };

function reading(effects: readonly FoundEffect[], foreign: readonly string[] = []): Known {
  return {
    known: true,
    containers: [],
    effects,
    foreign: foreign.map(target),
    setup: () => [],
    teardown: () => [],
  };
}

const found = (text: string, expiresInMs?: number): FoundEffect => ({
  target: target(text),
  ...(expiresInMs === undefined ? {} : { expiresInMs }),
});

/** Repairs and verdicts as short lines. */
function compared(
  actions: readonly Action[],
  machine: Known,
  traits: Traits = plain,
): readonly string[] {
  const { repairs, verdicts } = difference(actions, machine, traits, now);
  return [
    ...repairs.map((one) => {
      if (one.kind === 'apply') {
        const left = one.endsAt === undefined ? 'for ever' : `${one.endsAt - now} ms`;
        return `apply ${left}${one.standing ? ', standing' : ''}`;
      }
      return one.kind === 'revert' ? `revert${one.surplus ? ' surplus' : ''}` : 'orphan';
    }),
    ...verdicts.map(({ state, preExisting }) => `${state}${preExisting ? ', foreign' : ''}`),
  ];
}

const ending = (ms: number, more: Partial<Action> = {}) =>
  action(a, { deadlineAt: now + ms, ...more });

describe('journal and machine', () => {
  const here = [found(a)];
  test.each<[string, Action[], Known, string[]]>([
    ['agree', [action(a)], reading(here), ['active']],
    ['agree that there is nothing', [], reading([]), []],
    ['differ: it is missing', [action(a)], reading([]), ['apply for ever', 'active']],
    [
      'intended, not there',
      [ending(9, { state: 'intended' })],
      reading([]),
      ['apply 9 ms', 'active'],
    ],
    ['intended, there', [action(a, { state: 'intended' })], reading(here), ['active']],
    ['missing, and there again', [action(a, { state: 'missing' })], reading(here), ['active']],
    [
      'reverting, and there',
      [action(a, { state: 'reverting' })],
      reading(here),
      ['revert', 'reverted'],
    ],
    ['reverting, and gone', [action(a, { state: 'reverting' })], reading([]), ['reverted']],
    ['its time is up', [ending(0)], reading(here), ['revert', 'reverted']],
    ['its time is up, and it is gone', [ending(-1)], reading([]), ['reverted']],
    ['intended, and its time is up', [ending(0, { state: 'intended' })], reading([]), ['reverted']],
    ['nobody explains it', [], reading(here), ['orphan']],
    ['it stands twice', [action(a)], reading([...here, ...here]), ['revert surplus', 'active']],
    [
      'it stands twice, and its time is up',
      [ending(0)],
      reading([...here, ...here]),
      ['revert', 'reverted'],
    ],
    ['somebody else does it', [action(a)], reading([], [a]), ['active, foreign']],
    [
      'somebody else did it',
      [action(a, { preExisting: true })],
      reading([]),
      ['apply for ever', 'active'],
    ],
    [
      'it was foreign, and is over',
      [ending(0, { preExisting: true })],
      reading([], [a]),
      ['reverted'],
    ],
    ['ours, and somebody else does it too', [action(a)], reading(here, [a]), ['active']],
    [
      'two hold it, one is over',
      [ending(0), action(a, { id: 2, deadlineAt: now + 5 })],
      reading([]),
      ['apply 5 ms', 'reverted', 'active'],
    ],
    [
      'two hold it, one without an end',
      [ending(5), action(a, { id: 2 })],
      reading([]),
      ['apply for ever', 'active', 'active'],
    ],
  ])('%s', (_, actions, machine, wanted) => {
    expect(compared(actions, machine)).toEqual(wanted);
  });
});

describe('an end that the machine keeps itself', () => {
  test.each<[string, Action, FoundEffect, string[]]>([
    ['as wanted', ending(60_000), found(a, 60_000), []],
    ['nearly as wanted', ending(60_000), found(a, 55_001), []],
    ['too early', ending(60_000), found(a, 54_000), ['apply 60000 ms, standing']],
    ['too late', ending(60_000), found(a, 66_000), ['apply 60000 ms, standing']],
    ['lacking', ending(60_000), found(a), ['apply 60000 ms, standing']],
    ['unwanted', action(a), found(a, 60_000), ['apply for ever, standing']],
    ['neither wanted nor there', action(a), found(a), []],
    ['further than it can count', ending(40 * dayMs), found(a, 6 * dayMs), []],
    [
      'further than it can count, and half gone',
      ending(40 * dayMs),
      found(a, 4 * dayMs),
      [`apply ${40 * dayMs} ms, standing`],
    ],
  ])('%s', (_, one, effect, wanted) => {
    expect(compared([one], reading([effect]), expiring)).toEqual([...wanted, 'active']);
  });

  test('is no business of a machine that keeps none', () => {
    expect(compared([ending(60_000)], reading([found(a)]))).toEqual(['active']);
  });
});

/** A machine that does as it is told, to the millisecond. */
function repaired(machine: Known, actions: readonly Action[], traits: Traits): Known {
  let { effects } = machine;
  for (const one of difference(actions, machine, traits, now).repairs) {
    const { text } = one.target;
    const others = effects.filter((effect) => effect.target.text !== text);
    const same = effects.filter((effect) => effect.target.text === text);
    if (one.kind === 'orphan') effects = others;
    else if (one.kind === 'revert') effects = [...others, ...(one.surplus ? same.slice(0, 1) : [])];
    else {
      const left = one.endsAt === undefined ? undefined : one.endsAt - now;
      const longest = traits.longestExpiryMs ?? Number.POSITIVE_INFINITY;
      const expiresInMs = left === undefined ? undefined : Math.min(left, longest);
      const fresh = found(text, traits.selfExpiring ? expiresInMs : undefined);
      effects = [...others, fresh, ...same.slice(1)];
    }
  }
  return reading(
    effects,
    machine.foreign.map(({ text }) => text),
  );
}

test('applying the repairs leaves nothing to repair', () => {
  const text = fc.constantFrom(a, '203.0.113.8', '2001:db8::/32', '198.51.100.0/24');
  const ms = fc.option(fc.integer({ min: -5_000, max: 40 * dayMs }), { nil: undefined });
  const someAction = fc.record({
    text,
    left: ms,
    state: fc.constantFrom('intended', 'active', 'missing', 'reverting' as const),
    preExisting: fc.boolean(),
  });
  const someEffect = fc.record({
    text,
    left: fc.option(fc.integer({ min: 1, max: dayMs }), { nil: undefined }),
  });
  fc.assert(
    fc.property(
      fc.array(someAction, { maxLength: 8 }),
      fc.array(someEffect, { maxLength: 8 }),
      fc.array(text, { maxLength: 2 }),
      fc.constantFrom(plain, expiring),
      (someActions, someEffects, foreign, traits) => {
        const actions = someActions.map(({ text: one, left, ...more }, id) =>
          action(one, { id, ...more, deadlineAt: left === undefined ? undefined : now + left }),
        );
        const machine = reading(
          someEffects.map(({ text: one, left }) =>
            found(one, traits.selfExpiring ? left : undefined),
          ),
          foreign,
        );
        const { verdicts } = difference(actions, machine, traits, now);
        expect(verdicts.map((one) => one.action.id).sort()).toEqual(actions.map(({ id }) => id));
        const after = repaired(machine, actions, traits);
        // Verdicts are carried out too: what is over is no longer in the journal.
        const left = verdicts.flatMap(({ action: one, state, preExisting }) =>
          state === 'active' ? { ...one, state, preExisting } : [],
        );
        expect(difference(left, after, traits, now).repairs).toEqual([]);
        const standing = new Set(after.effects.map((one) => one.target.text));
        expect(after.effects).toHaveLength(standing.size);
        for (const one of left) {
          expect(standing.has(one.target.text) || one.preExisting).toBe(true);
        }
      },
    ),
  );
});

describe('where nothing tells ours from others', () => {
  const unmarked: Traits = { ...plain, unmarked: true };
  const memory = { was: 'open' };
  const here = [found(a)];
  test.each<[string, Action[], Known, string[]]>([
    ['nobody asked for it', [], reading(here), []],
    ['it stands by our doing', [action(a, { memory })], reading(here), ['active']],
    [
      'somebody did it before we could',
      [action(a, { state: 'intended' })],
      reading(here),
      ['active, foreign'],
    ],
    ['its time is up', [ending(0, { memory })], reading(here), ['revert', 'reverted']],
    // A part of ours can be left that does not show.
    [
      'its time is up, and it does not show',
      [ending(0, { memory })],
      reading([]),
      ['revert', 'reverted'],
    ],
    [
      'reverting, and it does not show',
      [action(a, { memory, state: 'reverting' })],
      reading([]),
      ['revert', 'reverted'],
    ],
    ['its time is up, and it was never made', [ending(0)], reading([]), ['reverted']],
    [
      'its time is up, and others made it',
      [ending(0, { memory, preExisting: true })],
      reading(here),
      ['reverted'],
    ],
    [
      'its time is up, and others undid it',
      [ending(0, { memory, preExisting: true })],
      reading([]),
      ['reverted'],
    ],
  ])('%s', (_, actions, machine, wanted) => {
    expect(compared(actions, machine, unmarked)).toEqual(wanted);
  });
});
