import { expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import { routeNull } from '../../platform/linux/route-null.ts';
import type { Runner } from '../../platform/step.ts';
import { driverContract, effects, type Machine, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { attacker4, attacker6, createHosts, type Hosts } from './hosts.ts';

const port = 7001;
const everybody = [...attacker4, ...attacker6];
const driver = routeNull.make(routeNull.defaults);

/** Every route of every table with all that the kernel says of it. */
async function routes(exec: Machine['exec']): Promise<string> {
  const show = (family: string) =>
    exec(['ip', '-N', '-d', family, 'route', 'show', 'table', 'all']);
  return `${await show('-4')}\n${await show('-6')}`;
}

async function machine(): Promise<Machine> {
  const hosts = await createHosts();
  // The contract closes this very network, which an ordinary route would refuse.
  await hosts.exec(['ip', 'route', 'del', '198.51.100.0/24']);
  return { run: hosts.runner(createRunner()), exec: hosts.exec, close: hosts.close };
}

const handMade = [
  ['route', 'add', 'blackhole', '192.0.2.1'],
  ['route', 'add', 'unreachable', '192.0.2.2'],
  ['route', 'add', 'blackhole', '192.0.2.3', 'proto', 'static', 'metric', '7'],
  ['-6', 'route', 'add', 'blackhole', '2001:db8:f::1'],
  ['route', 'add', '192.0.2.128/25', 'via', '10.77.0.2', 'table', '100'],
];

requires(
  'root',
  'namespaces',
  'ip',
)('blackhole routes', () => {
  driverContract({
    name: 'keep the contract',
    kind: routeNull,
    machine,
    dump: ({ exec }) => routes(exec),
    plantForeign: async ({ exec }) => {
      for (const line of handMade) await exec(['ip', ...line]);
    },
    damages: {},
    double: ({ exec }, target) =>
      exec(['ip', 'route', 'add', 'blackhole', target.text, 'proto', '173', 'metric', '9']),
  });
});

requires(
  'root',
  'namespaces',
  'ip',
  'socat',
)('blackhole routes and packets', () => {
  const onHosts = (name: string, body: (hosts: Hosts, run: Runner) => Promise<void>) =>
    test(name, async () => {
      const hosts = await createHosts();
      try {
        await body(hosts, hosts.runner(createRunner()));
      } finally {
        await hosts.close();
      }
    });
  const admitted = async (hosts: Hosts): Promise<string[]> => {
    const answers = await Promise.all(everybody.map((from) => hosts.connects(from, port)));
    return everybody.filter((_, index) => answers[index]);
  };
  const but = (...denied: readonly string[]) => everybody.filter((one) => !denied.includes(one));

  onHosts('keep out whom they name, until they are taken back', async (hosts, run) => {
    await hosts.serve(port);
    const before = await routes(hosts.exec);
    expect(await admitted(hosts)).toEqual(everybody);
    const one = createCarrier(driver, run);
    for (const [text, ...denied] of [
      ['203.0.113.7', '203.0.113.7'],
      ['2001:db8::7', '2001:db8::7'],
      ['203.0.113.8/30', '203.0.113.8'],
      // The route of 203.0.113.0/24 is more specific, and goes on being used.
      ['203.0.112.0/20'],
      ['2001:db8::/64', '2001:db8::7', '2001:db8::8'],
    ] as const) {
      const all = effects(targets([text]));
      expect(await one.apply(all)).toMatchObject([{ result: 'done' }]);
      expect(await admitted(hosts)).toEqual(but(...denied));
      expect(await one.revert(all)).toMatchObject([{ result: 'done' }]);
    }
    expect(await admitted(hosts)).toEqual(everybody);
    expect(await routes(hosts.exec)).toBe(before);
  });

  onHosts('leave alone what somebody else closed, and say so', async (hosts, run) => {
    for (const line of handMade) await hosts.exec(['ip', ...line]);
    const before = await routes(hosts.exec);
    const one = createCarrier(driver, run);
    const all = effects(targets(['192.0.2.1', '192.0.2.2', '192.0.2.4']));
    expect((await one.apply(all)).map(({ result }) => result)).toEqual([
      'pre-existing',
      'pre-existing',
      'done',
    ]);
    expect((await one.revert(all)).map(({ result }) => result)).toEqual(['done', 'done', 'done']);
    expect(await routes(hosts.exec)).toBe(before);
  });

  onHosts('stand beside a closed route of another metric', async (hosts, run) => {
    for (const line of handMade) await hosts.exec(['ip', ...line]);
    const before = await routes(hosts.exec);
    const one = createCarrier(driver, run);
    const all = effects(targets(['192.0.2.3', '2001:db8:f::1']));
    expect(await one.apply(all)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    expect(await one.inspect()).toMatchObject({ effects: all, foreign: { length: 4 } });
    await one.revert(all);
    expect(await routes(hosts.exec)).toBe(before);
  });

  onHosts('never take the place of an ordinary route', async (hosts, run) => {
    await hosts.serve(port);
    await hosts.exec(['ip', 'route', 'add', '203.0.113.7', 'via', '10.77.0.2']);
    const before = await routes(hosts.exec);
    const one = createCarrier(driver, run);
    const all = effects(targets(['203.0.113.7', '203.0.113.8', '10.77.0.0/24']));
    const carried = await one.apply(all);
    expect(carried.map(({ result }) => result)).toEqual(['failed', 'done', 'failed']);
    expect(carried[0]?.why).toMatch('File exists');
    expect(await admitted(hosts)).toEqual(but('203.0.113.8'));
    expect(await one.revert(all)).toMatchObject(all.map(() => ({ result: 'done' })));
    expect(await routes(hosts.exec)).toBe(before);
  });

  onHosts('win over an ordinary route with a metric, which comes back', async (hosts, run) => {
    await hosts.serve(port);
    const via = ['via', '10.77.0.2', 'metric', '100'];
    await hosts.exec(['ip', 'route', 'add', '203.0.113.7', ...via]);
    await hosts.exec(['ip', 'route', 'add', '2001:db8::7', 'via', 'fd77::2']);
    const before = await routes(hosts.exec);
    const one = createCarrier(driver, run);
    const all = effects(targets(['203.0.113.7', '2001:db8::7']));
    await one.apply(all);
    expect(await admitted(hosts)).toEqual(but('203.0.113.7', '2001:db8::7'));
    await one.revert(all);
    expect(await routes(hosts.exec)).toBe(before);
    expect(await admitted(hosts)).toEqual(everybody);
  });

  onHosts('starve a connection that stands', async (hosts, run) => {
    await hosts.serve(port);
    const connection = await hosts.open('203.0.113.7', port);
    expect(await connection.alive()).toBe(true);
    await createCarrier(driver, run).apply(effects(targets(['203.0.113.7'])));
    expect(await connection.alive()).toBe(false);
    connection.close();
  });

  onHosts('of ten thousand are one process each way', async (hosts, run) => {
    const before = await routes(hosts.exec);
    let started = 0;
    const counted: Runner = (step) => {
      started += 1;
      return run(step);
    };
    const many = Array.from({ length: 5_000 }, (_, index) => [
      `10.8.${index >> 8}.${index & 255}`,
      `2001:db8:f::${index.toString(16)}`,
    ]).flat();
    const all = effects(targets(many));
    const one = createCarrier(driver, counted);
    expect((await one.apply(all)).filter(({ result }) => result !== 'done')).toEqual([]);
    expect(await one.inspect()).toMatchObject({ effects: { length: 10_000 } });
    expect((await one.revert(all)).filter(({ result }) => result !== 'done')).toEqual([]);
    expect(started).toBe(1 + 2 + 1);
    expect(await routes(hosts.exec)).toBe(before);
  });
});

requires(
  'root',
  'namespaces',
  'ip',
  'setpriv',
  'unshare',
)('the right to change routes', () => {
  test.each([
    ['without the capability', ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']],
    ['as root of another user namespace', ['unshare', '--user', '--map-root-user']],
  ])('is not there %s, and the probe says so', async (_, [tool = '', ...options]) => {
    const hosts = await createHosts();
    try {
      const run = hosts.runner(createRunner());
      const answers = [];
      for (const step of driver.probe.steps) {
        if (step.kind !== 'command') throw new Error('not a command');
        answers.push(await run({ ...step, tool, args: [...options, step.tool, ...step.args] }));
      }
      expect(driver.probe.read(answers)).toEqual({
        usable: false,
        families: [],
        why: expect.stringMatching('CAP_NET_ADMIN is missing: .*not permitted'),
      });
    } finally {
      await hosts.close();
    }
  });
});
