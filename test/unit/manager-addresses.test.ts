import { expect, test } from 'vitest';
import { createManagerAddresses } from '../../agent/system/manager-addresses.ts';

/** A resolver, a clock, and managers by these names. */
function setUp(managers: readonly string[], known = new Map<string, readonly string[]>()) {
  const state = { now: 0, asked: [] as string[], answers: new Map<string, readonly string[]>() };
  const addresses = createManagerAddresses(managers, {
    now: () => state.now,
    known,
    lookUp: async (name) => {
      state.asked.push(name);
      const answer = state.answers.get(name);
      if (answer === undefined) throw new Error('ENOTFOUND');
      return answer;
    },
  });
  /** Asks, and asks again once what was looked up meanwhile is known. */
  const later = async (network = 'net') => {
    await addresses(network);
    await new Promise(setImmediate);
    return addresses(network);
  };
  return { state, known, addresses, later };
}

test('an address stands for itself, and is not looked up', async () => {
  const { state, addresses } = setUp(['192.0.2.1', '2001:db8::1']);
  expect(await addresses('net')).toEqual(['192.0.2.1', '2001:db8::1']);
  expect(state.asked).toEqual([]);
});

test('a name is followed once a minute, and at once when the network changes', async () => {
  const { state, addresses, later } = setUp(['192.0.2.1', 'manager.example']);
  state.answers.set('manager.example', ['198.51.100.8', '2001:db8::8']);
  expect(await addresses('net')).toEqual(['192.0.2.1', '198.51.100.8', '2001:db8::8']);
  state.answers.set('manager.example', ['198.51.100.9']);
  state.now = 60_000;
  expect(await later()).toContain('198.51.100.8');
  expect(state.asked).toHaveLength(1);
  state.now = 60_001;
  expect(await later()).toEqual(['192.0.2.1', '198.51.100.9']);
  expect(state.asked).toHaveLength(2);
  state.answers.set('manager.example', ['198.51.100.10']);
  expect(await later('other net')).toEqual(['192.0.2.1', '198.51.100.10']);
  expect(await later('other net')).toEqual(['192.0.2.1', '198.51.100.10']);
  expect(state.asked).toHaveLength(3);
});

test('what nobody knows any more is what it was, over a new configuration too', async () => {
  const { state, addresses, later, known } = setUp(['manager.example']);
  state.answers.set('manager.example', ['198.51.100.8']);
  await addresses('net');
  state.answers.clear();
  state.now = 120_000;
  expect(await later()).toEqual(['198.51.100.8']);
  const { addresses: anew } = setUp(['manager.example', 'second.example'], known);
  expect(await anew('net')).toEqual(['198.51.100.8']);
});

test('a name that nobody knows yet is asked for again soon, and nobody waits for it twice', async () => {
  const { state, addresses, later } = setUp(['manager.example']);
  expect(await addresses('net')).toEqual([]);
  state.now = 10_000;
  await later();
  expect(state.asked).toHaveLength(1);
  state.answers.set('manager.example', ['198.51.100.8']);
  state.now = 10_001;
  expect(await later()).toEqual(['198.51.100.8']);
});

test('a resolver that does not answer holds up one question, and is not asked twice at a time', async () => {
  let asked = 0;
  let now = 0;
  const addresses = createManagerAddresses(['manager.example'], {
    now: () => now,
    lookUp: () => {
      asked += 1;
      return new Promise(() => {});
    },
  });
  const began = performance.now();
  expect(await addresses('net')).toEqual([]);
  expect(performance.now() - began).toBeGreaterThan(1_900);
  const second = performance.now();
  for (now = 0; now < 100_000; now += 5_000) expect(await addresses('net')).toEqual([]);
  expect(performance.now() - second).toBeLessThan(1_500);
  expect(asked).toBe(1);
});
