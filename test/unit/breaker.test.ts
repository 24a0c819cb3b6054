import { beforeEach, describe, expect, test } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import { heldByAlerts } from '../../agent/held-by-alerts.ts';
import { type BreakerState, createBreaker, isAutomatic } from '../../agent/policy/breaker.ts';

let now = 0;
let held = 0;
let limits = { perMinute: 3, held: 10, calmSeconds: 120 };
let changes: BreakerState[] = [];
const make = (before: { target: string; at: number }[] = []) =>
  createBreaker({
    settings: () => limits,
    held: () => held,
    now: () => now,
    before,
    onChange: (state) => changes.push(state),
  });
const ask = (breaker: ReturnType<typeof make>, ...targets: string[]): (string | undefined)[] =>
  targets.map((target) => {
    try {
      breaker.check(target, 0);
      return undefined;
    } catch (error) {
      return error instanceof ArError ? error.code : String(error);
    }
  });

beforeEach(() => {
  now = 1_000_000;
  held = 0;
  limits = { perMinute: 3, held: 10, calmSeconds: 120 };
  changes = [];
});

describe('the breaker, by the rate', () => {
  test('lets through as many as allowed, and then refuses all that is new', () => {
    const breaker = make();
    expect(ask(breaker, 'a', 'b', 'c')).toEqual([undefined, undefined, undefined]);
    expect(ask(breaker, 'd', 'a', 'e')).toEqual(Array(3).fill('breaker-open'));
    expect(breaker.state()).toMatchObject({ open: true, why: 'rate', since: now, refused: 3 });
    expect(changes).toHaveLength(1);
  });

  test('counts targets, not messages', () => {
    const breaker = make();
    expect(ask(breaker, ...Array(1_000).fill('a'), 'b', 'c')).not.toContain('breaker-open');
  });

  test('counts a minute that slides', () => {
    const breaker = make();
    ask(breaker, 'a', 'b');
    now += 59_000;
    expect(ask(breaker, 'c')).toEqual([undefined]);
    now += 2_000;
    expect(ask(breaker, 'd', 'e')).toEqual([undefined, undefined]);
    expect(ask(breaker, 'f')).toEqual(['breaker-open']);
  });

  test('closes by itself when less has been asked for long enough, and not before', () => {
    const breaker = make();
    ask(breaker, 'a', 'b', 'c', 'd');
    for (let minute = 0; minute < 10; minute += 1) {
      now += 60_000;
      // As much as before: it goes on.
      expect(ask(breaker, ...[1, 2, 3, 4].map((n) => `${minute} ${n}`))).toContain('breaker-open');
    }
    const last = now;
    now = last + 119_000;
    expect(breaker.state().open).toBe(true);
    // One now and then is calm.
    expect(ask(breaker, 'z')).toEqual(['breaker-open']);
    now = last + 181_000;
    expect(breaker.state().open).toBe(false);
    expect(ask(breaker, 'y')).toEqual([undefined]);
    expect(changes.map(({ open }) => open)).toEqual([true, false]);
    expect(changes[1]?.refused).toBeGreaterThan(10);
  });

  test('a person closes it at once', () => {
    const breaker = make();
    ask(breaker, 'a', 'b', 'c', 'd');
    breaker.close();
    expect(breaker.state()).toMatchObject({ open: false, lastMinute: 0 });
    expect(ask(breaker, 'a', 'b', 'c')).not.toContain('breaker-open');
  });

  test('goes on counting over a restart', () => {
    const at = now - 1_000;
    const breaker = make(['a', 'b', 'c'].map((target) => ({ target, at })));
    expect(ask(breaker, 'd')).toEqual(['breaker-open']);
  });

  test('keeps no more of a flood than it has to count', () => {
    const breaker = make();
    ask(breaker, ...Array.from({ length: 10_000 }, (_, n) => `t${n}`));
    expect(breaker.state().lastMinute).toBeLessThanOrEqual(4);
  });

  test('0 is no limit, also at once where it is open', () => {
    const breaker = make();
    ask(breaker, 'a', 'b', 'c', 'd');
    limits = { ...limits, perMinute: 0, held: 0 };
    expect(ask(breaker, 'e', 'f', 'g', 'h')).not.toContain('breaker-open');
  });
});

describe('the breaker, by what is held', () => {
  test('opens when as much is held as may be, and closes when there is room again', () => {
    const breaker = make();
    held = 9;
    expect(ask(breaker, 'a')).toEqual([undefined]);
    held = 10;
    expect(ask(breaker, 'b')).toEqual(['breaker-open']);
    expect(breaker.state()).toMatchObject({ open: true, why: 'held' });
    held = 9;
    expect(breaker.state().open).toBe(true);
    held = 8;
    expect(breaker.state().open).toBe(false);
  });

  test('what waits to be written down counts', () => {
    const breaker = make();
    expect(() => breaker.check('a', 10)).toThrow(expect.objectContaining({ code: 'breaker-open' }));
  });
});

test('whoever asks by hand is no alert', () => {
  expect(isAutomatic({ dialect: 'native' })).toBe(false);
  for (const dialect of ['ossec', 'wazuh4', 'wazuh5', 'alert'] as const) {
    expect(isAutomatic({ dialect })).toBe(true);
  }
});

test('what people hold does not count, whenever it was counted last', () => {
  const state = { now: 0, live: 9, byAlerts: 0, counted: 0 };
  const journal = {
    liveCount: () => state.live,
    countByAlerts: () => {
      state.counted += 1;
      return state.byAlerts;
    },
  };
  const held = heldByAlerts(journal, { now: () => state.now }, () => 10);
  expect(held()).toBe(0);
  // People block more within the second.
  state.live = 30;
  expect(held()).toBe(0);
  for (let n = 1; n <= 12; n += 1) {
    state.live += 1;
    state.byAlerts += 1;
    expect(held()).toBe(n);
    expect(held()).toBe(n);
  }
  // It is counted where it could decide, and else once a second.
  expect(state.counted).toBe(5);
  state.now = 1_001;
  held();
  expect(state.counted).toBe(6);
});
