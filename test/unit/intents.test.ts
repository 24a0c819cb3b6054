import { describe, expect, test } from 'vitest';
import type { Carried } from '../../agent/engine/carried.ts';
import type { Carrier } from '../../agent/engine/carry-out.ts';
import { carryOutIntents } from '../../agent/engine/intents.ts';
import { ArError } from '../../agent/errors.ts';
import type { Action, Intent } from '../../agent/words.ts';
import { nftables } from '../../platform/linux/nftables.ts';
import { routeNull } from '../../platform/linux/route-null.ts';
import { action, order, target } from './sample.ts';

const now = 1_000_000;
const a = '203.0.113.7';
type Apply = Extract<Intent, { kind: 'apply' }>;

const plain = routeNull.make(routeNull.defaults);
const withoutMarks = { ...plain, traits: { ...plain.traits, unmarked: true } };

/** A carrier that records what it is given, and reports `result` of everything. */
function carrierOf(options: {
  readonly result?: Partial<Carried>;
  readonly standing?: readonly string[];
  readonly half?: readonly string[];
  readonly unknown?: boolean;
  readonly selfExpiring?: boolean;
  readonly unmarked?: boolean;
}) {
  const calls: string[] = [];
  const kind = options.selfExpiring === false ? routeNull : nftables;
  const report = (what: string): Carrier['apply'] => {
    return async (effects) => {
      for (const { target: one, expiresInMs, standing } of effects) {
        calls.push(
          [what, one.text, expiresInMs ?? 'for ever', ...(standing ? ['*'] : [])].join(' '),
        );
      }
      return effects.map((one) => ({ target: one.target, result: 'done', ...options.result }));
    };
  };
  const carrier: Carrier = {
    driver: options.unmarked === true ? withoutMarks : kind.make(kind.defaults),
    apply: report('apply'),
    revert: report('revert'),
    inspect: async () => {
      calls.push('inspect');
      if (options.unknown === true) return { known: false, why: 'not permitted' };
      return {
        known: true,
        containers: [],
        effects: [
          ...(options.standing ?? []).map((text) => ({ target: target(text) })),
          ...(options.half ?? []).map((text) => ({ target: target(text), partial: true })),
        ],
        foreign: [],
        setup: () => [],
        teardown: () => [],
      };
    },
    planner: async () => kind.make(kind.defaults),
    examine: async (effects) => ({ fit: effects, settled: [] }),
    mend: async () => undefined,
    rebuild: async () => undefined,
    teardown: async () => true,
    takeDrift: () => false,
  };
  return { calls, carrier };
}

const apply = (text: string, more: Partial<Apply> = {}): Apply => ({
  kind: 'apply',
  order: order('add', text),
  action: action(text, { state: 'intended' }),
  isNew: true,
  refreshed: false,
  standing: false,
  uncertain: false,
  ...more,
});
const revert = (text: string, more: Partial<Action> = {}): Intent => ({
  kind: 'revert',
  order: order('delete', text),
  action: action(text, { state: 'reverting', ...more }),
});

async function one(intent: Intent, options: Parameters<typeof carrierOf>[0] = {}) {
  const { calls, carrier } = carrierOf(options);
  const [carriage] = await carryOutIntents(carrier, [intent], now);
  return { calls, change: carriage?.change, outcome: carriage?.outcome };
}

describe('an addition', () => {
  test('is made, with its end', async () => {
    const { calls, change, outcome } = await one(apply(a, { endsAt: now + 5_000 }));
    expect(calls).toEqual([`apply ${a} 5000`]);
    expect(change).toEqual({ id: 1, state: 'active', preExisting: false });
    expect(outcome).toMatchObject({
      kind: 'active',
      refreshed: false,
      action: { state: 'active' },
    });
  });

  test('whose end is past already stands for a moment, never for ever', async () => {
    expect((await one(apply(a, { endsAt: now - 5 }))).calls).toEqual([`apply ${a} 1`]);
  });

  test('of what stands sets its end anew, where the machine keeps one', async () => {
    const again = apply(a, { standing: true, isNew: false, refreshed: true, endsAt: now + 9 });
    expect((await one(again)).calls).toEqual([`apply ${a} 9 *`]);
    const { calls, outcome } = await one(again, { selfExpiring: false });
    expect(calls).toEqual([]);
    expect(outcome).toMatchObject({ kind: 'active', refreshed: true });
  });

  test('of what may stand looks first', async () => {
    const unsure = apply(a, { uncertain: true, isNew: false });
    expect((await one(unsure)).calls).toEqual(['inspect', `apply ${a} for ever`]);
    expect((await one(unsure, { standing: [a] })).calls).toEqual([
      'inspect',
      `apply ${a} for ever *`,
    ]);
    expect((await one(unsure, { standing: [a], selfExpiring: false })).calls).toEqual(['inspect']);
    // A tool that was cut off may have done one of two things.
    expect((await one(unsure, { half: [a], selfExpiring: false })).calls).toEqual([
      'inspect',
      `apply ${a} for ever`,
    ]);
  });

  test('of what may be ours or not is for the driver to judge, where there are no marks', async () => {
    const standing = { standing: [a], unmarked: true };
    const unsure = apply(a, { uncertain: true });
    expect((await one(unsure, standing)).calls).toEqual(['inspect', `apply ${a} for ever *`]);
    const known = { ...unsure, action: { ...unsure.action, memory: { was: 'open' } } };
    expect((await one(known, standing)).calls).toEqual(['inspect']);
  });

  test('is told with what is to be known of it all the same', async () => {
    const result: Partial<Carried> = { result: 'done', why: 'somebody is still there' };
    const trouble = 'somebody is still there';
    expect(await one(apply(a), { result })).toMatchObject({
      change: { state: 'active', trouble },
      outcome: { kind: 'active', action: { trouble } },
    });
    expect(await one(revert(a), { result })).toMatchObject({
      change: { state: 'reverted', trouble },
      outcome: { kind: 'reverted', action: { trouble } },
    });
  });

  test('is not made blindly', async () => {
    const { calls, change, outcome } = await one(apply(a, { uncertain: true }), { unknown: true });
    expect(calls).toEqual(['inspect']);
    expect(change).toMatchObject({ state: 'reverting', trouble: 'not permitted' });
    expect(outcome).toMatchObject({ code: 'driver-failed' });
  });

  test('of what others do already is theirs', async () => {
    const { change, outcome } = await one(apply(a), { result: { result: 'pre-existing' } });
    expect(change).toEqual({ id: 1, state: 'active', preExisting: true });
    expect(outcome).toMatchObject({ kind: 'active', action: { preExisting: true } });
  });

  test.each([
    ['failed', true, 'failed'],
    ['failed', false, 'missing'],
    ['unknown', true, 'reverting'],
    ['unknown', false, 'missing'],
  ] as const)('that %s, new: %s, is %s', async (result, isNew, state) => {
    const { change, outcome } = await one(apply(a, { isNew }), {
      result: { result, failure: 'exit', why: 'nft: exit 1: no' },
    });
    expect(change).toMatchObject({ state, trouble: 'nft: exit 1: no', dueAt: now + 1_000 });
    expect(outcome).toBeInstanceOf(ArError);
    expect(outcome).toMatchObject({ code: 'driver-failed' });
    expect((outcome as ArError).message).toContain(a);
  });

  test.each([
    ['timeout', 'driver-timeout'],
    ['missing', 'driver-unavailable'],
    ['signal', 'driver-failed'],
    ['io', 'driver-failed'],
  ] as const)('whose tool ended by %s says %s', async (failure, code) => {
    const { outcome } = await one(apply(a), { result: { result: 'failed', failure } });
    expect(outcome).toMatchObject({ code });
  });
});

describe('a deletion', () => {
  test('is carried out', async () => {
    const { calls, change, outcome } = await one(revert(a));
    expect(calls).toEqual([`revert ${a} for ever`]);
    expect(change).toEqual({ id: 1, state: 'reverted' });
    expect(outcome).toMatchObject({ kind: 'reverted', stillHeldBy: [] });
  });

  test('that does not work is tried again, with growing pauses', async () => {
    const result: Partial<Carried> = { result: 'failed', failure: 'exit', why: 'busy' };
    for (const [attempts, pause] of [
      [0, 1_000],
      [3, 8_000],
      [9, 300_000],
      [1_000, 300_000],
    ] as const) {
      const { change, outcome } = await one(revert(a, { attempts }), { result });
      const dueAt = now + pause;
      expect(change).toMatchObject({ state: 'reverting', triedAgain: true, dueAt });
      expect(outcome).toMatchObject({ code: 'driver-failed' });
    }
  });

  test('of what others hold, or of what is only forgotten, touches nothing', async () => {
    const held = { kind: 'release', action: action(a), heldBy: ['other'] } as const;
    const released = await one({ ...held, order: order('delete', a) });
    expect(released).toMatchObject({
      calls: [],
      change: { state: 'reverted' },
      outcome: { kind: 'reverted', stillHeldBy: ['other'] },
    });
    const forgotten = await one({ ...held, order: order('delete', a, { forget: true }) });
    expect(forgotten).toMatchObject({
      calls: [],
      change: { state: 'forgotten' },
      outcome: { kind: 'forgotten' },
    });
  });

  test('of nothing says so, and what is kept is told', async () => {
    const absent = await one({ kind: 'absent', order: order('delete', a) });
    expect(absent).toMatchObject({ calls: [], outcome: { code: 'not-held' } });
    expect(absent.change).toBeUndefined();
    const kept = await one({ kind: 'keep', order: order('add', a), action: action(a) });
    expect(kept).toMatchObject({ calls: [], outcome: { kind: 'active', refreshed: true } });
    expect(kept.change).toBeUndefined();
  });
});

test('a batch is answered in its order, additions first on the machine', async () => {
  const { calls, carrier } = carrierOf({});
  const b = '2001:db8::7';
  const carriages = await carryOutIntents(
    carrier,
    [revert(a), { kind: 'absent', order: order('delete', '192.0.2.1') }, apply(b)],
    now,
  );
  expect(calls).toEqual([`apply ${b} for ever`, `revert ${a} for ever`]);
  expect(
    carriages.map(({ outcome }) =>
      'code' in outcome ? outcome.code : 'kind' in outcome && outcome.kind,
    ),
  ).toEqual(['reverted', 'not-held', 'active']);
});

test('a carrier that loses an effect is found out', async () => {
  const { carrier } = carrierOf({});
  const [carriage] = await carryOutIntents({ ...carrier, apply: async () => [] }, [apply(a)], now);
  expect(carriage?.outcome).toMatchObject({ code: 'internal' });
});
