import { describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { difference } from '../../agent/engine/reconcile.ts';
import { routeNullBsd } from '../../platform/bsd/route-null.ts';
import type { Effect, Memory } from '../../platform/driver.ts';
import type { Runner } from '../../platform/step.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { driverContract, effects, targets } from '../contract/driver-contract.ts';
import { simulate as id } from '../sim/id.ts';
import { createSimMachine } from '../sim/machine.ts';
import { simulate as netstat } from '../sim/netstat.ts';
import { createQuickMachine, type QuickMachine } from '../sim/quick-machine.ts';
import { simulate as route } from '../sim/route.ts';
import type { SimSystem } from '../sim/simulator.ts';
import { show } from './show.ts';

const systems = [
  ['freebsd13', 'freebsd'],
  ['freebsd15', 'freebsd'],
  ['openbsd76', 'openbsd'],
  ['netbsd10', 'netbsd'],
  ['dragonfly6', 'dragonfly'],
  ['macos14', 'darwin'],
] as const satisfies (readonly [SimSystem, string])[];

const quick = (simulated: SimSystem): QuickMachine =>
  createQuickMachine(simulated, { route, netstat, id });
const make = (system: string) => routeNullBsd.make({ system });

describe.each(systems)('on %s', (simulated, system) => {
  driverContract({
    name: 'keeps the contract',
    kind: routeNullBsd,
    settings: { system },
    machine: async () => quick(simulated),
    dump: async (machine) => {
      const routes = JSON.stringify((machine as QuickMachine).parts['routes'] ?? [], null, 1);
      return routes === '[]' ? JSON.stringify(fresh(simulated), null, 1) : routes;
    },
    plantForeign: async ({ exec }) => {
      await exec(['route', '-n', 'add', '-host', '203.0.113.250', '192.0.2.77']);
      await exec(['route', '-n', 'add', '-net', '198.51.0.0/16', '192.0.2.77']);
      await exec(['route', '-n', 'add', '-host', '203.0.113.251', '127.0.0.1', '-reject']);
    },
    damages: {},
  });

  const start = () => {
    const machine = quick(simulated);
    const memories = new Map<string, Memory>();
    const driver = make(system);
    const carrier = createCarrier(driver, machine.run, (found) => {
      for (const { target, memory } of found) memories.set(target.text, memory);
    });
    const held = (texts: readonly string[]): Effect[] =>
      targets(texts).map((target) => {
        const memory = memories.get(target.text);
        return memory === undefined ? { target } : { target, memory };
      });
    const table = () => JSON.stringify(machine.parts['routes']);
    return { machine, carrier, held, table, driver };
  };
  const results = (carried: readonly { result: string }[]) => carried.map(({ result }) => result);

  test('leaves alone what somebody else closed, and says so', async () => {
    const { machine, carrier, held, table } = start();
    await machine.exec(['route', '-n', 'add', '-host', '203.0.113.7', '127.0.0.1', '-blackhole']);
    await machine.exec(['route', '-n', 'add', '-host', '203.0.113.8', '127.0.0.1', '-reject']);
    const before = table();
    const all = ['203.0.113.7', '203.0.113.8'];
    expect(results(await carrier.apply(held(all)))).toEqual(['pre-existing', 'pre-existing']);
    expect(results(await carrier.revert(held(all)))).toEqual(['done', 'done']);
    expect(table()).toBe(before);
  });

  test('never takes the place of an ordinary route, and never removes one', async () => {
    const { machine, carrier, held, table } = start();
    await machine.exec(['route', '-n', 'add', '-host', '203.0.113.7', '192.0.2.77']);
    const before = table();
    const all = ['203.0.113.7', '203.0.113.9', '192.0.2.0/24'];
    const carried = await carrier.apply(held(all));
    const of = (text: string) => carried.find(({ target }) => target.text === text);
    expect(of('203.0.113.7')).toMatchObject({
      result: 'failed',
      why: 'a route to 203.0.113.7 is there already, by 192.0.2.77, and is left alone',
    });
    expect(of('192.0.2.0/24')?.result).toBe('failed');
    expect(of('203.0.113.9')?.result).toBe('done');
    expect(results(await carrier.revert(held(all)))).toEqual(['done', 'done', 'done']);
    expect(table()).toBe(before);
  });

  test('takes nothing that came to stand where its own was', async () => {
    const { machine, carrier, held } = start();
    const all = ['203.0.113.7', '203.0.113.8'];
    await carrier.apply(held(all));
    for (const [text, ...words] of [
      ['203.0.113.7', '192.0.2.77'],
      ['203.0.113.8', '127.0.0.1', '-reject'],
    ] as const) {
      await machine.exec(['route', '-n', 'delete', '-host', text, '127.0.0.1']);
      await machine.exec(['route', '-n', 'add', '-host', text, ...words]);
    }
    const before = JSON.stringify(machine.parts['routes']);
    expect(results(await carrier.revert(held(all)))).toEqual(['done', 'done']);
    expect(JSON.stringify(machine.parts['routes'])).toBe(before);
  });

  test('fails where the tool does, whatever status it ends with', async () => {
    const { machine, carrier, held } = start();
    machine.switches = { fail: 'ENOBUFS' };
    const [one] = await carrier.apply(held(['203.0.113.7']));
    expect(one?.result).toBe('failed');
    machine.switches = {};
    await carrier.apply(held(['203.0.113.7']));
    machine.switches = { fail: 'ENOBUFS' };
    expect(results(await carrier.revert(held(['203.0.113.7'])))).toEqual(['failed']);
  });

  test('makes a host of an address that ends in zeros', async () => {
    const { carrier, held } = start();
    const all = ['2001:db8::', '2001:db8:1:2::', '198.51.100.0'];
    expect(results(await carrier.apply(held(all)))).toEqual(['done', 'done', 'done']);
    const reading = await carrier.inspect();
    const found = reading.known ? reading.effects.map(({ target }) => target.text) : [];
    expect(found.sort()).toEqual(all.toSorted());
    expect(results(await carrier.revert(held(all)))).toEqual(['done', 'done', 'done']);
    expect(await carrier.inspect()).toMatchObject({ effects: [] });
  });

  test('takes a table that cannot be read for unknown', async () => {
    const { machine, carrier, held } = start();
    const tool = system === 'openbsd' ? 'route' : 'netstat';
    machine.switches = { hang: [tool] };
    expect(await carrier.inspect()).toMatchObject({ known: false });
    expect(results(await carrier.apply(held(['203.0.113.7'])))).toEqual(['failed']);
    expect(machine.parts['routes']).toBeUndefined();
  });

  test('asks for the table once for a batch, and is a process for each route', async () => {
    const { machine, carrier, held } = start();
    const many = Array.from({ length: 20 }, (_, index) => `203.0.113.${index + 1}`);
    await carrier.apply(held(many));
    const asked = machine.ran.filter((line) => !line.includes(' add '));
    expect(machine.ran.length - asked.length).toBe(20);
    expect(asked).toHaveLength(system === 'darwin' ? 4 : 2);
  });

  test('cannot be used by anybody but root, nor without the tool', async () => {
    const machine = quick(simulated);
    const driver = make(system);
    const probe = async () => {
      const answers = [];
      for (const step of driver.probe.steps) answers.push(await machine.run(step));
      return driver.probe.read(answers);
    };
    machine.switches = { euid: 1_001 };
    expect(await probe()).toMatchObject({ usable: false, why: 'only root may change routes' });
    machine.switches = { missing: ['route'] };
    expect(await probe()).toMatchObject({ usable: false, why: 'route is not installed' });
    machine.switches = {};
    await machine.exec(['route', '-n', 'get', '127.0.0.1']);
    const routes = machine.parts['routes'] as { target: string }[];
    routes.splice(
      routes.findIndex(({ target }) => target === '::1'),
      1,
    );
    expect(await probe()).toEqual({
      usable: true,
      why: 'blackhole routes, for IPv4 only',
      families: [4],
    });
  });
});

/** What a machine has that nobody asked anything of. */
function fresh(simulated: SimSystem): unknown {
  const machine = quick(simulated);
  machine.call(['route', '-n', 'get', '127.0.0.1']);
  return machine.parts['routes'];
}

describe('the plan', () => {
  test('is a route for each, by its own loopback address', () => {
    const some = effects(
      targets(['203.0.113.7', '2001:db8::', '198.51.100.0/24', '2001:db8::/48']),
    );
    expect(show(make('freebsd').apply(some)).split('\n')).toEqual([
      '$ route -n add -host 203.0.113.7 127.0.0.1 -blackhole',
      '$ route -n add -inet6 -host 2001:db8::/128 ::1 -blackhole',
      '$ route -n add -net 198.51.100.0/24 127.0.0.1 -blackhole',
      '$ route -n add -inet6 -net 2001:db8::/48 ::1 -blackhole',
      '',
    ]);
    expect(show(make('openbsd').revert(some)).split('\n')).toEqual([
      '$ route -n delete -host 203.0.113.7 127.0.0.1',
      '$ route -n delete -inet6 -host 2001:db8::/128 ::1',
      '$ route -n delete -net 198.51.100.0/24 127.0.0.1',
      '$ route -n delete -inet6 -net 2001:db8::/48 ::1',
      '',
    ]);
  });

  test('leaves out what stood before', () => {
    const [target] = targets(['203.0.113.7']) as [AddressTarget];
    const there = [{ target, memory: { before: 'present' } }];
    expect(make('freebsd').apply(there)).toEqual([]);
    expect(make('freebsd').revert(there)).toEqual([]);
  });
});

describe('on OpenBSD', () => {
  test('what would be accepted and do nothing is refused', async () => {
    const machine = quick('openbsd76');
    const carrier = createCarrier(make('openbsd'), machine.run);
    // An address of its own, a neighbour, and a connected network.
    const carried = await carrier.apply(
      effects(targets(['192.0.2.1', '192.0.2.2', '192.0.2.0/24'])),
    );
    expect(carried.map(({ result }) => result)).toEqual(['failed', 'failed', 'failed']);
    expect(machine.ran.filter((line) => line.includes(' add '))).toEqual([]);
  });
});

describe('on macOS', () => {
  test('a route that the system made for a neighbour makes way', async () => {
    const machine = quick('macos14');
    const carrier = createCarrier(make('darwin'), machine.run);
    expect(await carrier.apply(effects(targets(['192.0.2.9'])))).toMatchObject([
      { result: 'done' },
    ]);
  });
});

test('the tools are run as processes', { timeout: 60_000 }, async () => {
  const tools = { route: 'route.ts', netstat: 'netstat.ts', id: 'id.ts' };
  const machine = await createSimMachine({ system: 'freebsd15', tools });
  try {
    const memory: Memory = { before: 'absent' };
    const all = targets(['203.0.113.7', '2001:db8::7']).map((target) => ({ target, memory }));
    const carrier = createCarrier(make('freebsd'), machine.run as Runner);
    expect(await carrier.apply(all)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    expect(await carrier.inspect()).toMatchObject({ effects: [{}, {}] });
    expect(await carrier.revert(all)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    expect(await carrier.inspect()).toMatchObject({ effects: [] });
  } finally {
    await machine.close();
  }
});

test('what somebody else closed since is left to them when the two are compared', () => {
  const driver = make('freebsd');
  const [target] = targets(['203.0.113.7']) as [AddressTarget];
  const action = {
    id: 1,
    target,
    state: 'active',
    preExisting: true,
    memory: { before: 'present' },
  } as unknown as Parameters<typeof difference>[0][number];
  const reading = {
    known: true,
    containers: [],
    effects: [],
    foreign: [target],
    setup: () => [],
    teardown: () => [],
  } as const;
  const { repairs, verdicts } = difference([action], reading, driver.traits, 0);
  expect(repairs).toEqual([]);
  expect(verdicts).toMatchObject([{ state: 'active', preExisting: true }]);
});
