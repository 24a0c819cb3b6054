import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createClock } from '../../agent/system/clock.ts';

/** What the machine's three clocks say; a test moves them apart. */
const machine = vi.hoisted(() => ({ wall: 0, monotonic: 0, sinceBoot: 0 }));
vi.mock('node:os', () => ({ uptime: () => machine.sinceBoot / 1_000 }));
vi.mock('node:perf_hooks', () => ({ performance: { now: () => machine.monotonic } }));

const start = 1_700_000_000_000;
const hour = 3_600_000;

beforeEach(() => {
  Object.assign(machine, { wall: start, monotonic: 5_000, sinceBoot: 100_000 });
  vi.spyOn(Date, 'now').mockImplementation(() => machine.wall);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const pass = (ms: number): void => {
  machine.wall += ms;
  machine.monotonic += ms;
  machine.sinceBoot += ms;
};

describe('the clock', () => {
  test('goes on with the time', () => {
    const clock = createClock();
    expect(clock.now()).toBe(start);
    pass(5_000);
    expect(clock.now()).toBe(start + 5_000);
    expect(clock.checkWall()).toBe(0);
    pass(30 * 24 * hour);
    expect(clock.checkWall()).toBe(0);
    expect(clock.now()).toBe(start + 5_000 + 30 * 24 * hour);
  });

  test.each([hour, -hour, 2_000, -2_000])(
    'does not jump when the wall clock is set by %d',
    (by) => {
      const clock = createClock();
      pass(5_000);
      machine.wall += by;
      expect(clock.now()).toBe(start + 5_000);
      expect(clock.checkWall()).toBe(by);
      expect(clock.now()).toBe(start + 5_000 + by);
      expect(clock.checkWall()).toBe(0);
    },
  );

  test('follows a wall clock that is slewed, and calls it nothing', () => {
    const clock = createClock();
    for (let turn = 0; turn < 100; turn += 1) {
      pass(5_000);
      machine.wall += 40;
      expect(clock.checkWall()).toBe(0);
    }
    expect(clock.now()).toBe(machine.wall);
  });

  test('counts the time that the machine slept', () => {
    const clock = createClock();
    pass(1_000);
    // Asleep: the monotonic clock stands still.
    machine.wall += hour;
    machine.sinceBoot += hour;
    expect(clock.checkWall()).toBe(0);
    expect(clock.now()).toBe(start + 1_000 + hour);
  });

  test('tells a sleep from a wall clock that was set in it', () => {
    const clock = createClock();
    machine.wall += 3 * hour;
    machine.sinceBoot += hour;
    expect(clock.checkWall()).toBe(2 * hour);
    expect(clock.now()).toBe(start + 3 * hour);
  });
});
