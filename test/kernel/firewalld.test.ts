import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { Settings } from '../../platform/driver.ts';
import { firewalld } from '../../platform/linux/firewalld.ts';
import type { DbusStep, Runner } from '../../platform/step.ts';
import {
  addressSamples,
  driverContract,
  effects,
  type Machine,
  targets,
} from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { createFirewalld, type FirewalldHost, preparedZone } from './firewalld-host.ts';

const zones = ['public', 'drop', 'trusted', 'ar-exec'];
const ipsets = ['ar-exec4', 'ar-exec6', 'people'];

const rules = { mode: 'rules', zones: 'public trusted', priority: '-17373' };
const zone = { mode: 'zone', zone: 'ar-exec', ipset4: 'ar-exec4', ipset6: 'ar-exec6' };

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'dbus-daemon',
  'firewalld',
  'setpriv',
)('firewalld', () => {
  const namespace = `ar-f-${randomBytes(3).toString('hex')}`;
  let host: FirewalldHost;
  let run: Runner;

  beforeAll(async () => {
    await execa('ip', ['netns', 'add', namespace]);
    host = await createFirewalld({
      namespace,
      files: {
        ...preparedZone,
        'ipsets/people.xml': '<ipset type="hash:net"><entry>192.0.2.0/24</entry></ipset>\n',
        'zones/trusted.xml':
          '<zone target="ACCEPT"><source address="192.0.2.77"/><rule family="ipv4"><source address="192.0.2.9"/><drop/></rule></zone>\n',
      },
    });
    run = inside(namespace, host);
  });
  afterAll(async () => {
    await host?.close();
    await execa('ip', ['netns', 'del', namespace]);
  });

  /** The daemon is shared; what was done at runtime is gone after a reload. */
  const machine = async (): Promise<Machine> => ({
    run,
    exec: async (argv, input = '') =>
      (await execa('ip', ['netns', 'exec', namespace, ...argv], { input })).stdout,
    close: async () => {
      await host.call('', 'reload');
    },
  });

  const inUse = { ...rules, zones: 'ar-exec public trusted' };
  const inspectRules = () => createCarrier(firewalld.make(inUse), run).inspect();

  test('is found with its zone and ipsets, or with the zones that are in use', async () => {
    const probe = async (settings: Settings) => {
      const { steps, read } = firewalld.make({ ...firewalld.defaults, ...settings }).probe;
      return read(await Promise.all(steps.map(run)));
    };
    expect(await probe({})).toMatchObject({ usable: true, families: [4, 6], settled: zone });
    expect(await probe({ ipset6: 'none' })).toMatchObject({ settled: { ...zone, ipset6: '' } });
    expect(await probe({ zone: 'public' })).toMatchObject({
      settled: inUse,
    });
    expect(await probe({ zone: 'none' })).toMatchObject({ settled: { mode: 'rules' } });
  });

  test('that does not answer is given up in time, and goes on being asked over the same connection', async () => {
    const [step] = firewalld.make(inUse).apply(effects(targets(['203.0.113.7']))) as [DbusStep];
    process.kill(host.pid(), 'SIGSTOP');
    try {
      const result = await run({ ...step, deadlineMs: 300 });
      expect(result).toMatchObject({
        failure: 'timeout',
        stderr: expect.stringMatching('did not answer addRichRule within'),
      });
    } finally {
      process.kill(host.pid(), 'SIGCONT');
    }
    // What it was asked it does all the same, before anything that it is asked later.
    expect(await inspectRules()).toMatchObject({ effects: [{ target: { text: '203.0.113.7' } }] });
    await host.call('', 'reload');
  });

  test('that lost its table in the kernel is told of, and a restart mends it', async () => {
    expect(await inspectRules()).toMatchObject({ trouble: undefined });
    await execa('ip', ['netns', 'exec', namespace, 'nft', 'flush', 'ruleset']);
    expect(await inspectRules()).toMatchObject({
      known: true,
      trouble: expect.stringMatching('the table of firewalld is gone'),
    });
    // firewalld 1.3 wants to delete the table first.
    await expect(host.call('', 'reload')).rejects.toThrow('COMMAND_FAILED');
    await host.stop();
    await host.start();
    expect(await inspectRules()).toMatchObject({ trouble: undefined });
  });

  test('that has a zone in use without our rules is told of', async () => {
    await host.call('zone', 'addInterface', 'external', 'dummy7');
    expect(await inspectRules()).toMatchObject({
      trouble: expect.stringMatching('zone external is in use'),
    });
    await host.call('zone', 'removeInterface', 'external', 'dummy7');
    expect(await inspectRules()).toMatchObject({ trouble: undefined });
  });

  test('a rule that a person took out of one zone is put back there', async () => {
    const carrier = createCarrier(firewalld.make(rules), run);
    const all = effects(targets(['203.0.113.7']));
    await carrier.apply(all);
    const rule = 'rule priority="-17373" family="ipv4" source address="203.0.113.7" drop';
    await host.call('zone', 'removeRichRule', 'public', rule);
    expect(await carrier.inspect()).toMatchObject({ effects: [{ partial: true }] });
    expect(await carrier.apply(all)).toMatchObject([{ result: 'done' }]);
    expect(await host.call('zone', 'queryRichRule', 'public', rule)).toBe(true);
    await host.call('zone', 'removeRichRule', 'trusted', rule);
    expect(await carrier.revert(all)).toMatchObject([{ result: 'done' }]);
    expect(await carrier.inspect()).toMatchObject({ effects: [] });
  });

  test("what is a source of somebody else's zone is refused, and never moved or removed", async () => {
    const sources = firewalld.make({ ...zone, ipset4: '', ipset6: '' });
    const carrier = createCarrier(sources, run);
    const theirs = effects(targets(['192.0.2.77']));
    const [refused] = await carrier.apply(theirs);
    expect(refused).toMatchObject({
      result: 'failed',
      why: expect.stringMatching('ZONE_CONFLICT'),
    });
    expect(await carrier.revert(theirs)).toMatchObject([{ result: 'done' }]);
    expect(await host.call('zone', 'querySource', 'trusted', '192.0.2.77')).toBe(true);
  });

  const dump = async ({ exec }: Machine): Promise<string> => {
    const known = await host.holdings(zones, ipsets);
    return `${known}\n${await exec(['nft', '-s', 'list', 'ruleset'])}`;
  };

  const plantForeign = async (): Promise<void> => {
    const rule = 'rule family="ipv4" source address="203.0.113.7" drop';
    await host.call('zone', 'addSource', 'trusted', '192.0.2.78');
    await host.call('ipset', 'addEntry', 'people', '198.51.100.0/24');
    for (const text of [
      rule,
      'rule priority="-17373" family="ipv4" source address="192.0.2.10" accept',
      'rule priority="-17372" family="ipv6" source address="2001:db8::7" drop',
    ]) {
      await host.bus.call(
        {
          destination: 'org.fedoraproject.FirewallD1',
          path: '/org/fedoraproject/FirewallD1',
          interface: 'org.fedoraproject.FirewallD1.zone',
          member: 'addRichRule',
          signature: 'ssi',
          args: ['public', text, 0],
        },
        20_000,
      );
    }
  };

  describe.each([
    ['rich rules', rules],
    ['a zone with ipsets', zone],
  ])('%s', (name, settings) => {
    driverContract({
      name: `keep the contract: ${name}`,
      kind: firewalld,
      // firewalld takes some milliseconds for each.
      samples: { ...addressSamples(true), bulk: 100 },
      settings,
      machine,
      dump,
      plantForeign,
      damages: {},
    });
  });
});

function inside(namespace: string, host: FirewalldHost): Runner {
  const run = createRunner({ bus: host.bus });
  return (step) =>
    step.kind === 'command'
      ? run({
          ...step,
          tool: 'ip',
          args: ['netns', 'exec', namespace, step.tool, ...step.args],
        })
      : run(step);
}
