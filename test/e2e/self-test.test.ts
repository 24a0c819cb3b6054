/** `ar-exec self-test`, with the real tools: it tells what works, and leaves everything as it was. */
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { SelfTest } from '../../agent/self-test/self-test.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { createHome, type Home, startAgent } from './agent.ts';

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'ipset',
  'iptables-nft',
)('ar-exec self-test', () => {
  let hosts: Hosts;
  let home: Home;

  beforeEach(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
  });
  afterEach(async () => {
    await home.remove();
    await hosts.close();
  });

  const inside = async (...argv: readonly string[]): Promise<string> =>
    (await execa('ip', ['netns', 'exec', hosts.endpoint, ...argv])).stdout;

  /** All that the endpoint's firewall and routes hold, without what counts up and down. */
  const machine = async (): Promise<string> => {
    const texts = [
      await inside('nft', '--stateless', 'list', 'ruleset'),
      await inside('ipset', 'list', '-terse'),
      await inside('ip', 'route', 'show', 'table', 'all'),
      await inside('ip', '-6', 'route', 'show', 'table', 'all'),
    ];
    return texts.join('\n').replaceAll(/ expires \S+/g, '');
  };

  const selfTest = async (...words: readonly string[]) => {
    const { status, stdout, stderr } = await home.run(['self-test', '--json', ...words]);
    if (stdout === '') throw new Error(stderr);
    const result = JSON.parse(stdout) as SelfTest & { ok: boolean };
    const trial = (driver: string) => result.trials.find((one) => one.driver.includes(driver));
    return { ...result, status, trial };
  };

  test('tries every driver in a namespace of its own, with packets, beside a running agent', async () => {
    const agent = await startAgent(home);
    await home.run(['add', 'firewall-drop', '--srcip', '192.0.2.7']);
    const before = await machine();

    const { status, ok, ground, trial } = await selfTest();

    expect({ status, ok, ground }).toEqual({ status: 0, ok: true, ground: 'namespace' });
    for (const driver of ['nftables', 'ipset', 'iptables']) {
      expect(trial(driver)).toMatchObject({
        outcome: 'works',
        packets: 'dropped',
        targets: ['192.0.2.7', '2001:db8::7', '198.51.100.0/25', '2001:db8:7::/48'],
      });
    }
    expect(trial('route-null')).toMatchObject({ outcome: 'works' });
    expect(trial('hosts-deny')).toMatchObject({ outcome: 'works' });
    expect(trial('firewalld')).toMatchObject({ outcome: 'skipped' });
    expect(await machine()).toBe(before);
    await agent.end();
  });

  test('prints a table', async () => {
    const { status, stdout } = await home.run(['self-test']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^DRIVER +RESULT +ADD +VERIFY +REMOVE +PACKETS +WHAT$/m);
    expect(stdout).toMatch(/^nftables +works +[\d.]+ ms +[\d.]+ ms +[\d.]+ ms +dropped +held/m);
    expect(stdout).toMatch(/^\d+ work, 0 failed, \d+ not tried$/m);
  });

  test('here, through the agent, and what somebody holds is left alone', async () => {
    const agent = await startAgent(home);
    await home.run(['add', 'firewall-drop', '--srcip', '192.0.2.7']);

    const { status, ground, trials, trial } = await selfTest('--here');

    expect({ status, ground }).toEqual({ status: 0, ground: 'agent' });
    expect(trial('firewall-drop (nftables)')).toMatchObject({
      outcome: 'works',
      targets: ['2001:db8::7'],
    });
    expect(trial('route-null (route-null)')).toMatchObject({ outcome: 'works' });
    expect(trials.flatMap(({ targets }) => targets)).not.toContain('192.0.2.7');
    const { stdout } = await home.run(['list', '--json']);
    expect(JSON.parse(stdout).actions).toMatchObject([{ target: '192.0.2.7', state: 'active' }]);
    await agent.end();
  });

  test('here, without an agent, and all is as it was', async () => {
    // Once used, iptables keeps its empty built-in chains.
    for (const iptables of ['iptables-nft', 'ip6tables-nft']) {
      for (const chain of ['INPUT', 'FORWARD']) {
        await inside(iptables, '-t', 'mangle', '-A', chain);
        await inside(iptables, '-t', 'mangle', '-D', chain, '1');
      }
    }
    const before = await machine();
    const { status, ground, trial } = await selfTest('--here');
    expect({ status, ground }).toEqual({ status: 0, ground: 'machine' });
    expect(trial('nftables')).toMatchObject({ outcome: 'works' });
    expect(trial('nftables')).not.toHaveProperty('packets');
    expect(await machine()).toBe(before);
  });
});
