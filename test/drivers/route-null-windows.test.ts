import { describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Effect, Memory } from '../../platform/driver.ts';
import { routeNullWindows } from '../../platform/windows/route-null.ts';
import { driverContract, effects, targets } from '../contract/driver-contract.ts';
import type { QuickMachine } from '../sim/quick-machine.ts';
import { createQuickWindows } from '../sim/windows.ts';
import { routesOf } from '../sim/windows-routes.ts';
import { show } from './show.ts';

const variants = [
  ['en', 'active'],
  ['de', 'persistent'],
] as const;
const kind = routeNullWindows;
const settings = { interface: '1', store: 'active' };

for (const [language, store] of variants) {
  driverContract({
    name: `keeps the contract, ${store} routes, in the language ${language}`,
    kind,
    settings: { interface: '1', store },
    machine: async () => createQuickWindows({ language }),
    dump: async (machine) => JSON.stringify(routesOf((machine as QuickMachine).parts), null, 1),
    plantForeign: async ({ exec }) => {
      await exec(['route', 'ADD', '203.0.113.250', 'MASK', '255.255.255.255', '192.0.2.77']);
      await exec(['route', '-p', 'ADD', '198.51.0.0', 'MASK', '255.255.0.0', '192.0.2.77']);
      const route = ['netsh', 'interface', 'ipv6', 'add', 'route'];
      await exec([...route, 'prefix=2001:db8:f::/48', 'interface=12', 'nexthop=fe80::1']);
    },
    damages: {},
  });
}

const start = (switches = {}) => {
  const machine = createQuickWindows(switches);
  const memories = new Map<string, Memory>();
  const carrier = createCarrier(kind.make(settings), machine.run, (found) => {
    for (const { target, memory } of found) memories.set(target.text, memory);
  });
  const held = (texts: readonly string[]): Effect[] =>
    targets(texts).map((target) => {
      const memory = memories.get(target.text);
      return memory === undefined ? { target } : { target, memory };
    });
  return { machine, carrier, held, table: () => JSON.stringify(routesOf(machine.parts)) };
};
const results = (carried: readonly { result: string }[]) => carried.map(({ result }) => result);

test('a route is a process, with its mask, its next hop and its interface', () => {
  const some = effects(targets(['203.0.113.7', '198.51.100.0/24', '2001:db8::7', '2001:db8::/48']));
  const driver = kind.make(settings);
  expect(show(driver.apply(some))).toMatchInlineSnapshot(`
    "$ route ADD 203.0.113.7 MASK 255.255.255.255 0.0.0.0 IF 1
    $ route ADD 198.51.100.0 MASK 255.255.255.0 0.0.0.0 IF 1
    $ netsh interface ipv6 add route prefix=2001:db8::7/128 interface=1 store=active
    $ netsh interface ipv6 add route prefix=2001:db8::/48 interface=1 store=active
    "
  `);
  expect(show(driver.revert(some))).toMatchInlineSnapshot(`
    "$ route DELETE 203.0.113.7 MASK 255.255.255.255 0.0.0.0 IF 1
    $ route DELETE 198.51.100.0 MASK 255.255.255.0 0.0.0.0 IF 1
    $ netsh interface ipv6 delete route prefix=2001:db8::7/128 interface=1 store=active
    $ netsh interface ipv6 delete route prefix=2001:db8::/48 interface=1 store=active
    "
  `);
  const kept = kind.make({ interface: '1', store: 'persistent' });
  expect(show(kept.apply(some.slice(1, 3)))).toMatchInlineSnapshot(`
    "$ route -p ADD 198.51.100.0 MASK 255.255.255.0 0.0.0.0 IF 1
    $ netsh interface ipv6 add route prefix=2001:db8::7/128 interface=1 store=persistent
    "
  `);
});

test('the interface is found by its number, and written down', async () => {
  const { machine } = start({ language: 'de' });
  const { probe } = kind.make(kind.defaults);
  const answers = [];
  for (const step of probe.steps) answers.push(await machine.run(step));
  expect(probe.read(answers)).toMatchObject({
    usable: true,
    why: 'routes to interface 1',
    settled: { interface: '1', store: 'active' },
  });
  const other = answers[1];
  if (other === undefined) throw new Error('no answer');
  const moved = { ...other, stdout: other.stdout.replace(/^ {2}1 /m, '  7 ') };
  expect(probe.read(answers.with(1, moved))).toMatchObject({ settled: { interface: '7' } });
  const none = { ...other, stdout: other.stdout.replace('4294967295', '      1500') };
  expect(probe.read(answers.with(1, none))).toMatchObject({ usable: false });
});

test('nobody but an administrator may use it', async () => {
  const { machine } = start({ limited: true });
  const { probe } = kind.make(kind.defaults);
  const answers = [];
  for (const step of probe.steps) answers.push(await machine.run(step));
  expect(probe.read(answers)).toMatchObject({
    usable: false,
    why: 'only an administrator may change routes',
  });
});

test('never takes the place of an ordinary route, and never removes one', async () => {
  const { machine, carrier, held, table } = start();
  await machine.exec(['route', 'ADD', '203.0.113.7', 'MASK', '255.255.255.255', '192.0.2.77']);
  await machine.exec([
    ...['netsh', 'interface', 'ipv6', 'add', 'route', 'prefix=2001:db8::7/128'],
    ...['interface=12', 'nexthop=fe80::1'],
  ]);
  const before = table();
  const all = ['203.0.113.7', '2001:db8::7', '203.0.113.9', '192.0.2.0/24'];
  const carried = await carrier.apply(held(all));
  const of = (text: string) => carried.find(({ target }) => target.text === text);
  expect(of('203.0.113.7')).toMatchObject({
    result: 'failed',
    why: 'a route to 203.0.113.7 is there already, by 192.0.2.77, and is left alone',
  });
  expect(of('2001:db8::7')).toMatchObject({
    result: 'failed',
    why: 'a route to 2001:db8::7 is there already, by fe80::1, and is left alone',
  });
  expect(of('192.0.2.0/24')?.result).toBe('failed');
  expect(of('203.0.113.9')?.result).toBe('done');
  expect(results(await carrier.revert(held(all)))).toEqual(['done', 'done', 'done', 'done']);
  expect(table()).toBe(before);
});

test('leaves alone a null route that somebody made before', async () => {
  const { machine, carrier, held, table } = start();
  const made = ['203.0.113.7', 'MASK', '255.255.255.255', '0.0.0.0', 'IF', '1'];
  await machine.exec(['route', '-p', 'ADD', ...made]);
  const before = table();
  expect(results(await carrier.apply(held(['203.0.113.7'])))).toEqual(['pre-existing']);
  expect(results(await carrier.revert(held(['203.0.113.7'])))).toEqual(['done']);
  expect(table()).toBe(before);
});

test('what came to stand in its place is left there', async () => {
  const { machine, carrier, held, table } = start();
  await carrier.apply(held(['203.0.113.7']));
  await machine.exec(['route', 'DELETE', '203.0.113.7']);
  await machine.exec(['route', 'ADD', '203.0.113.7', 'MASK', '255.255.255.255', '192.0.2.77']);
  const before = table();
  expect(results(await carrier.revert(held(['203.0.113.7'])))).toEqual(['done']);
  expect(table()).toBe(before);
});

describe('route ends with 0 whatever came of it', () => {
  test('a route that was not made is a failure', async () => {
    const { machine, carrier, held } = start();
    const memory = { before: 'absent' };
    machine.switches = { limited: true };
    const [target] = targets(['203.0.113.7']);
    if (target === undefined) throw new Error('no target');
    expect(await carrier.apply([{ target, memory }])).toMatchObject([{ result: 'failed' }]);
    machine.switches = {};
    await carrier.apply(held(['203.0.113.8']));
    machine.switches = { limited: true };
    expect(results(await carrier.revert(held(['203.0.113.8'])))).toEqual(['failed']);
  });

  test('the gateway of 127.0.0.1 that upstream has used makes no route', async () => {
    const { machine, table } = start();
    const before = table();
    const answer = machine.call([
      ...['route', '-p', 'ADD', '203.0.113.7', 'MASK', '255.255.255.255', '127.0.0.1'],
    ]);
    expect(answer.exitCode).toBe(0);
    expect(table()).toBe(before);
  });
});

test('a machine without IPv6 is used for IPv4', async () => {
  const { machine, carrier, held } = start({ language: 'de' });
  const routes = routesOf(machine.parts);
  routes.splice(0, routes.length, ...routes.filter(({ target }) => !target.includes(':')));
  const { probe } = kind.make(kind.defaults);
  const answers = [];
  for (const step of probe.steps) answers.push(await machine.run(step));
  expect(probe.read(answers)).toMatchObject({ usable: true, families: [4] });
  expect(results(await carrier.apply(held(['203.0.113.7'])))).toEqual(['done']);
  expect(await carrier.inspect()).toMatchObject({ known: true, effects: [{}] });
});

test('asks for the tables once for a batch, and is a process for each route', async () => {
  const { machine, carrier, held } = start();
  const many = Array.from({ length: 20 }, (_, index) => `203.0.113.${index + 1}`);
  await carrier.apply(held(many));
  const asked = machine.ran.filter((line) => !line.includes(' ADD '));
  // Before, and after: both families each.
  expect(asked).toHaveLength(4);
  expect(machine.ran.length - asked.length).toBe(20);
});
