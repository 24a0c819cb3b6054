import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createDesk, type Desk } from '../../agent/desk/desk.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { Driver, WatchEvent } from '../../platform/driver.ts';
import { target } from './sample.ts';

const instance = { driver: 'toy', settings: {} };
const watch = { kind: 'dbus', service: 'org.example.A', signals: [] } as const;
const order = {
  verb: 'add',
  response: 'firewall-drop',
  target: target('203.0.113.7'),
  instance,
  origin: { dialect: 'native' },
} as const;

let journal: Journal;
let desk: Desk;
let happens: (kind: WatchEvent['kind']) => void;
const looked = vi.fn();
const unwatch = vi.fn();
let heardAll: boolean;

beforeEach(() => {
  const driver: Driver = {
    name: 'toy',
    settings: {},
    traits: { selfExpiring: false, prefixes: true, batchSize: 10 },
    watch: [watch],
    probe: { steps: [], read: () => ({ usable: true, why: '', families: [4, 6] }) },
    inspect: {
      steps: [],
      read: () => {
        looked();
        const none = { foreign: [], containers: [], setup: () => [], teardown: () => [] };
        return { known: true, effects: [{ target: order.target }], ...none };
      },
    },
    container: () => undefined,
    apply: () => [],
    revert: () => [],
  };
  heardAll = false;
  journal = openJournal(':memory:');
  desk = createDesk(
    {
      journal,
      clock: { now: () => Date.now() },
      report: { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} },
      limits: { pendingRequests: 10 },
      carrier: () => createCarrier(driver, async () => ({ exitCode: 0, stdout: '', stderr: '' })),
      responseOf: () => 'firewall-drop',
      watch: (wanted, onEvent) => {
        expect(wanted).toBe(watch);
        happens = (kind) => onEvent({ kind, what: 'something' });
        return {
          hasHeardAll: async () => heardAll,
          trouble: () => undefined,
          held: () => {},
          stop: unwatch,
        };
      },
    },
    instance,
  );
});

afterEach(async () => {
  await desk.stop(false);
  journal.close();
  vi.clearAllMocks();
});

test('what is held is compared at once when something happens to it', async () => {
  await desk.carryOut(order);
  for (const [index, event] of (['changed', 'gone'] as const).entries()) {
    happens(event);
    await expect.poll(() => looked.mock.calls.length).toBe(index + 1);
  }
});

test('where nothing is held, only what can have come is looked for', async () => {
  happens('gone');
  happens('changed');
  await expect.poll(() => looked.mock.calls.length).toBe(1);
  looked.mockClear();
  happens('gone');
  await desk.reconcile(false);
  await desk.reconcile(false);
  expect(looked).toHaveBeenCalledTimes(2);
});

test('many events are one comparison', async () => {
  await desk.carryOut(order);
  for (let count = 0; count < 50; count += 1) happens('changed');
  await expect.poll(() => looked.mock.calls.length).toBe(1);
  await desk.reconcile(false);
  expect(looked).toHaveBeenCalledTimes(2);
});

test('a desk that is closed listens no longer', async () => {
  await desk.stop(false);
  expect(unwatch).toHaveBeenCalledTimes(1);
});

test('at an interval, what nobody can have touched unheard is not listed', async () => {
  await desk.carryOut(order);
  await desk.reconcile(false, { by: 'interval' });
  expect(looked).toHaveBeenCalledTimes(1);
  heardAll = true;
  await desk.reconcile(false, { by: 'interval' });
  expect(looked).toHaveBeenCalledTimes(1);
  heardAll = false;
  await desk.reconcile(false, { by: 'interval' });
  expect(looked).toHaveBeenCalledTimes(2);
  heardAll = true;
  vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 600_001);
  await desk.reconcile(false, { by: 'interval' });
  vi.restoreAllMocks();
  expect(looked).toHaveBeenCalledTimes(3);
});
