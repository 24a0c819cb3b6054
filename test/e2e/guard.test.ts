import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHosts, endpoint4, endpoint6, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { bruteForceMessage } from './brute-force.ts';
import { kernelTargets } from './kernel-holds.ts';

const gateway4 = '10.77.0.2';
const gateway6 = 'fd77::2';
const settings = `
  <never_block>198.51.100.0/28, 2001:db8:7::/48</never_block>
  <never_block>203.0.113.200</never_block>
`;

const protectedOnes = [
  ['loopback', '127.0.0.1'],
  ['anything in loopback', '127.200.0.1'],
  ['loopback, IPv6', '::1'],
  ['loopback, written as IPv4 in IPv6', '::ffff:127.0.0.1'],
  ['the same in hexadecimal', '::ffff:7f00:1'],
  ['the unspecified address', '0.0.0.0'],
  ['the unspecified address, IPv6', '::'],
  ['link-local', '169.254.1.1'],
  ['link-local, IPv6', 'fe80::1'],
  ['multicast', '224.0.0.1'],
  ['multicast, IPv6', 'ff02::1'],
  ['broadcast', '255.255.255.255'],
  ["the machine's own address", endpoint4],
  ["the machine's own address, as IPv4 in IPv6", `::ffff:${endpoint4}`],
  ["the machine's own address, IPv6", endpoint6],
  ['the default gateway', gateway4],
  ['the default gateway, IPv6', gateway6],
  ['the default gateway, spelled out', 'fd77:0000:0:0:0:0:0:0002'],
  ['a prefix that holds the gateway', '10.77.0.0/24'],
  ['the smallest prefix that holds the gateway', '10.77.0.3/31'],
  ['a prefix that holds the gateway, IPv6', 'fd77::/48'],
  ['the configured address', '203.0.113.200'],
  ['an address of a configured prefix', '198.51.100.15'],
  ['an address of a configured prefix, IPv6', '2001:db8:7:1::5'],
  ['a prefix within a configured one', '198.51.100.4/30'],
  ['a prefix around a configured one', '198.51.100.0/24'],
] as const;

const nonsense = [
  '127.1',
  '1',
  '0x7f000001',
  '0x7f.0.0.1',
  '010.0.0.1',
  '203.0.113.07',
  '203.0.113.256',
  '203.0.113',
  '203.0.113.7.',
  ' 203.0.113.7',
  '203.0.113.7 ',
  '203.0.113.7\n',
  '203.0.113.7/33',
  '203.0.113.7/08',
  '203.0.113.7/-1',
  '203.0.113.7/255.255.255.0',
  '203.0.113.7,203.0.113.8',
  '203.0.113.1-203.0.113.7',
  '203.0.113.7;id',
  '$(id)',
  '`id`',
  '-j',
  '--help',
  '!203.0.113.7',
  'fe80::1%eth0',
  '2001:db8::7%lo',
  '[2001:db8::7]',
  '2001:db8:::7',
  '2001:db8::7::',
  '::1.2.3.4',
  '::ffff:203.0.113.7/95',
  'localhost',
  'example.org',
  '２０３.0.113.7',
  'any',
  '}; flush ruleset; #',
  '',
];

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('the guard', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    await hosts.exec(['ip', 'route', 'add', 'default', 'via', gateway4]);
    await hosts.exec(['ip', '-6', 'route', 'add', 'default', 'via', gateway6]);
    home = await createHome(hosts.endpoint, settings);
    agent = await startAgent(home);
  });
  afterAll(async () => {
    await agent?.end();
    await home?.remove();
    await hosts?.close();
  });

  const ask = (srcip: string, more = {}) =>
    agent.ask({ command: 'add', response: 'firewall-drop', srcip, ...more });

  test.each(protectedOnes)('never blocks %s: %s', async (_, srcip) => {
    expect(await ask(srcip)).toMatchObject({ ok: false, code: 'target-protected' });
    expect(await agent.ask(bruteForceMessage({ srcip }))).toMatchObject({
      // An alert cannot name a prefix at all.
      code: srcip.includes('/') ? 'address-invalid' : 'target-protected',
    });
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test.each(nonsense)('does not take %j for an address', async (srcip) => {
    expect(await ask(srcip)).toMatchObject({ ok: false, code: 'address-invalid' });
    expect(await agent.ask(bruteForceMessage({ srcip }))).toMatchObject({
      code: 'address-invalid',
    });
    expect(await ask(srcip, { forceProtected: true })).toMatchObject({ code: 'address-invalid' });
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test.each(['203.0.0.0/15', '0.0.0.0/0', '2001:db8::/31', '::/0', '::ffff:0:0/96'])(
    'refuses %s as too wide',
    async (srcip) => {
      expect(await ask(srcip)).toMatchObject({ ok: false, code: 'prefix-too-wide' });
      expect(await kernelTargets(hosts)).toEqual([]);
    },
  );

  test('the command line is guarded as well', async () => {
    const block = (srcip: string) => home.run(['add', 'firewall-drop', '--srcip', srcip]);
    const [loopback, gateway, prefix, octal, option] = await Promise.all([
      block('::ffff:127.0.0.1'),
      block(gateway4),
      block('10.77.0.0/24'),
      block('010.0.0.1'),
      home.run(['add', 'firewall-drop', '--srcip=--help']),
    ]);
    expect(loopback).toMatchObject({ status: 4, stderr: expect.stringContaining('127.0.0.1') });
    expect(gateway).toMatchObject({ status: 4, stderr: expect.stringContaining('gateway') });
    expect(prefix).toMatchObject({ status: 4, stderr: expect.stringContaining('contains') });
    expect(octal).toMatchObject({ status: 2 });
    expect(option).toMatchObject({ status: 2 });
    expect(gateway.stderr).toContain('--force-protected');
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test('a gateway that is new is protected too', async () => {
    const address = '10.77.0.9';
    const isProtected = (srcip: string) =>
      expect
        .poll(() => ask(srcip, { dryRun: true }), { timeout: 5_000, interval: 100 })
        .toMatchObject({ code: 'target-protected' });
    expect(await ask(address, { dryRun: true })).toMatchObject({ ok: true });
    await hosts.exec(['ip', 'route', 'replace', 'default', 'via', address]);
    await isProtected(address);
    await hosts.exec(['ip', 'route', 'replace', 'default', 'via', gateway4]);
    await isProtected(gateway4);
  });

  test('a person can insist, and take it back', async () => {
    const words = ['firewall-drop', '--srcip', gateway4];
    expect(await home.run(['add', ...words, '--force-protected'])).toMatchObject({ status: 0 });
    expect(await kernelTargets(hosts)).toEqual([gateway4]);
    expect(await home.run(['delete', ...words])).toMatchObject({ status: 0 });
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test('a manager cannot insist', async () => {
    const message = { ...bruteForceMessage({ srcip: gateway4 }), forceProtected: true };
    expect(await agent.ask(message)).toMatchObject({ code: 'target-protected' });
  });
});
