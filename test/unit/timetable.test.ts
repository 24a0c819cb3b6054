import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createTimetable } from '../../agent/engine/timetable.ts';

const dayMs = 86_400_000;
let due: number[];
let done: number[];
let shift: number;
let trouble: Error | undefined;
const onError = vi.fn();

/** The time by the timetable's clock, which can be set. */
const now = (): number => Date.now() + shift;

const table = () =>
  createTimetable({
    now,
    nextDueAt: () => (due.length === 0 ? undefined : Math.min(...due)),
    work: async () => {
      if (trouble !== undefined) throw trouble;
      done.push(...due.filter((at) => at <= now()).map(() => now()));
      due = due.filter((at) => at > now());
    },
    onError,
  });

beforeEach(() => {
  vi.useFakeTimers({ now: 0 });
  [due, done, shift, trouble] = [[], [], 0, undefined];
  onError.mockClear();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('the timetable', () => {
  test('wakes when something is due, and not before', async () => {
    due = [1_000, 2_500];
    table().look();
    await vi.advanceTimersByTimeAsync(999);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toEqual([1_000]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(done).toEqual([1_000, 2_500]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('does at once what is due already', async () => {
    due = [-5];
    table().look();
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toHaveLength(1);
  });

  test('waits for what is further away than a timer can count', async () => {
    due = [60 * dayMs];
    table().look();
    await vi.advanceTimersByTimeAsync(60 * dayMs - 1);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toEqual([60 * dayMs]);
  });

  test('looks again when something is due earlier than it thought', async () => {
    due = [10_000];
    const timetable = table();
    timetable.look();
    due.push(500);
    timetable.look();
    await vi.advanceTimersByTimeAsync(500);
    expect(done).toEqual([500]);
    expect(vi.getTimerCount()).toBe(1);
  });

  test('does nothing early when a deadline was moved away', async () => {
    due = [500];
    const timetable = table();
    timetable.look();
    due = [900];
    await vi.advanceTimersByTimeAsync(899);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toEqual([900]);
  });

  test('is an hour late at most when its clock leaps and nobody says so', async () => {
    due = [30 * dayMs];
    table().look();
    shift = 40 * dayMs;
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(done).toHaveLength(1);
  });

  test('waits on when its clock was set back', async () => {
    due = [1_000];
    table().look();
    shift = -500;
    await vi.advanceTimersByTimeAsync(1_499);
    expect(done).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toEqual([1_000]);
  });

  test('reports what goes wrong, and tries it again with a pause', async () => {
    due = [100];
    trouble = new Error('full');
    table().look();
    await vi.advanceTimersByTimeAsync(3_150);
    expect(onError.mock.calls).toEqual(Array(4).fill([trouble]));
    trouble = undefined;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done).toHaveLength(1);
  });

  test('does not work twice at a time', async () => {
    let running = 0;
    let most = 0;
    const timetable = createTimetable({
      now,
      nextDueAt: () => due[0],
      work: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => setTimeout(resolve, 5_000));
        running -= 1;
        due = [];
      },
      onError,
    });
    due = [10];
    timetable.look();
    await vi.advanceTimersByTimeAsync(100);
    timetable.look();
    await vi.advanceTimersByTimeAsync(10_000);
    expect([most, running]).toEqual([1, 0]);
  });

  test('stops for good', async () => {
    due = [100];
    const timetable = table();
    timetable.look();
    timetable.stop();
    timetable.look();
    await vi.advanceTimersByTimeAsync(1_000);
    expect([done, vi.getTimerCount()]).toEqual([[], 0]);
  });
});
