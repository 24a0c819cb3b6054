import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type Attention,
  type Cause,
  createAttention,
  type Fight,
} from '../../agent/desk/attention.ts';
import type { WatchEvent } from '../../platform/driver.ts';

let happens: (event: Partial<WatchEvent>) => void;
let attention: Attention;
let looks: Cause[];
let fights: (Fight | 'calm')[];
/** What each look comes to. */
let damage: boolean;
let tookMs: number;
let standing: number;
let heardAll: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  looks = [];
  fights = [];
  damage = true;
  tookMs = 10;
  standing = 1;
  heardAll = true;
  attention = createAttention({
    watches: [{ kind: 'files', paths: [] }],
    listen: (_watch, onEvent) => {
      happens = (event) => onEvent({ kind: 'changed', what: 'it', ...event });
      return { hasHeardAll: async () => heardAll, trouble: () => 'deaf', held: () => {}, stop };
    },
    look: async (cause) => {
      looks.push(cause);
      return { tookMs, damage };
    },
    inUse: () => true,
    standing: () => standing,
    onFight: (fight) => fights.push(fight),
    onCalm: () => fights.push('calm'),
  });
});
const stop = vi.fn();
afterEach(() => {
  attention.stop();
  vi.useRealTimers();
});

const after = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('what happens is looked at within a moment, once for all that comes together', async () => {
  happens({ what: 'first' });
  happens({ what: 'second' });
  await after(25);
  expect(looks).toEqual([{ by: 'watch', what: 'first' }]);
});

test('what happens during a look is looked at afterwards', async () => {
  happens({});
  await after(9);
  happens({});
  await after(1);
  expect(looks).toHaveLength(1);
  happens({ what: 'late' });
  await after(25);
  expect(looks.at(-1)).toEqual({ by: 'watch', what: 'late' });
});

test('as long as enough is there, fewer is no cause', async () => {
  happens({ stand: 1 });
  await after(1_000);
  expect(looks).toEqual([]);
  happens({ stand: 0 });
  await after(25);
  expect(looks).toHaveLength(1);
});

test('looks that find nothing take no more than a tenth of the time in the long run', async () => {
  damage = false;
  tookMs = 200;
  for (let ms = 0; ms < 120_000; ms += 10) {
    happens({});
    await after(10);
  }
  // A second at once, and a tenth of two minutes.
  expect(looks.length * tookMs).toBeLessThanOrEqual(1_000 + 12_000 + tookMs);
  expect(looks.length * tookMs).toBeGreaterThan(10_000);
});

test('who repeats it is told of and answered more slowly, within bounds, until it is quiet', async () => {
  for (let ms = 0; ms < 600_000; ms += 50) {
    happens({});
    await after(50);
  }
  const pauses = fights.flatMap((fight) => (fight === 'calm' ? [] : [fight.pauseMs]));
  expect(pauses.slice(0, 7)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000]);
  expect(new Set(pauses.slice(7))).toEqual(new Set([60_000]));
  expect(looks.length).toBeLessThan(25);
  expect(fights[0]).toMatchObject({ times: 4, what: 'it' });
  expect(attention.state().fighting).toBe(true);

  await after(60_000);
  const so = looks.length;
  await after(130_000);
  expect(looks.length).toBeLessThanOrEqual(so + 1);
  expect(fights.at(-1)).toBe('calm');
  expect(attention.state().fighting).toBe(false);
  happens({});
  await after(25);
  expect(looks.length).toBe(so + 1);
});

test('three repairs within seconds are each done at once', async () => {
  for (let times = 0; times < 3; times += 1) {
    happens({});
    await after(25);
  }
  expect(looks).toHaveLength(3);
  expect(fights).toEqual([]);
});

test('says what it cannot listen to, and whether all was heard', async () => {
  expect(attention.state()).toMatchObject({ watched: ['files'], troubles: ['deaf'] });
  expect(await attention.hasHeardAll()).toBe(true);
  happens({});
  expect(await attention.hasHeardAll()).toBe(false);
  await after(25);
  expect(await attention.hasHeardAll()).toBe(true);
  heardAll = false;
  expect(await attention.hasHeardAll()).toBe(false);
});
