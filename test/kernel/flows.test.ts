/** Connections that stand when an address is blocked: real ones, of this machine and through it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createFlowEnder, type FlowEnder, type FlowsEnded } from '../../agent/engine/flow-ender.ts';
import { createRunner } from '../../agent/system/runner.ts';
import { planFlows } from '../../platform/linux/flows.ts';
import { nftablesSet } from '../../platform/linux/nftables-set.ts';
import type { Runner, Step } from '../../platform/step.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { createHosts, endpoint4, endpoint6, type Hosts } from './hosts.ts';
import { type Inner, joinInner } from './inner.ts';
import { createTalks, type Talk, type Talks } from './talk.ts';

const port = 7_005;

/** Rules that let through what stands before they look at who it is from, as most people's do. */
const rules = `
table inet fence {
  set blocked4 { type ipv4_addr; flags interval; }
  set blocked6 { type ipv6_addr; flags interval; }
  chain check {
    ct state established,related accept
    ip saddr @blocked4 drop
    ip6 saddr @blocked6 drop
  }
  chain in { type filter hook input priority 0; jump check; }
  chain through { type filter hook forward priority 0; jump check; }
  chain nat {
    type nat hook prerouting priority dstnat;
    ip daddr ${endpoint4} tcp dport 8080 dnat ip to 10.78.0.2:${port}
    ip daddr ${endpoint4} udp dport 8080 dnat ip to 10.78.0.2:${port}
  }
}
`;

const driver = nftablesSet.make({
  ipv4: 'inet fence blocked4',
  ipv6: 'inet fence blocked6',
  mark: 'ar-exec',
  expiry: 'agent',
});

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'socat',
  'ss',
  'conntrack',
)('connections that stand', () => {
  let hosts: Hosts;
  let inner: Inner;
  let innerName: string;
  let talks: Talks;
  let run: Runner;
  let ender: FlowEnder | undefined;

  beforeEach(async () => {
    hosts = await createHosts();
    inner = await joinInner(hosts);
    innerName = hosts.endpoint.replace('ar-e-', 'ar-i-');
    talks = createTalks();
    run = hosts.runner(createRunner());
    await hosts.exec(['nft', '-f', '-'], rules);
    await hosts.attack(['ip', 'link', 'set', 'lo', 'up']);
  });
  afterEach(async () => {
    await ender?.close();
    await talks?.close();
    await inner?.close();
    await hosts?.close();
  });

  const block = async (...texts: string[]): Promise<void> => {
    const carried = await createCarrier(driver, run).apply(effects(targets(texts)));
    expect(carried.filter(({ result }) => result !== 'done')).toEqual([]);
  };
  const end = (...texts: string[]): Promise<FlowsEnded> =>
    new Promise((resolve) => {
      ender = createFlowEnder({ plan: planFlows, run, ended: resolve });
      ender.end(targets(texts));
    });
  // Until it has looked again: what the inner side sends once more is remembered anew.
  const isDead = async (talk: Talk): Promise<void> => {
    await expect.poll(talk.alive, { timeout: 20_000 }).toBe(false);
  };
  const alive = (...all: readonly Talk[]) => Promise.all(all.map((talk) => talk.alive()));
  const bound = (from: string) => (from.includes(':') ? `[${from}]` : from);

  /** Ways of a connection between the address and us, or somebody behind us. */
  const ways = {
    'to this machine': {
      service: () => [hosts.endpoint, port] as const,
      open: (from: string) =>
        talks.open(
          hosts.attacker,
          from.includes(':')
            ? `TCP6:[${endpoint6}]:${port},bind=${bound(from)}`
            : `TCP4:${endpoint4}:${port},bind=${from}`,
        ),
      // The process of a socket of ours is told, and so is the other side.
      isReset: true,
    },
    'from this machine': {
      service: () => [hosts.attacker, port] as const,
      open: (to: string) =>
        talks.open(hosts.endpoint, `TCP${to.includes(':') ? 6 : 4}:${bound(to)}:${port}`),
      isReset: true,
    },
    'through this machine': {
      service: () => [innerName, port] as const,
      open: (from: string) =>
        talks.open(
          hosts.attacker,
          from.includes(':')
            ? `TCP6:[fd78::2]:${port},bind=${bound(from)}`
            : `TCP4:10.78.0.2:${port},bind=${from}`,
        ),
      isReset: false,
    },
  } as const;

  for (const [name, way] of Object.entries(ways)) {
    test.each([
      ['203.0.113.7', '203.0.113.7', '203.0.113.8'],
      ['203.0.113.0/24', '203.0.113.8', '198.51.100.9'],
      ['2001:db8::7', '2001:db8::7', '2001:db8::8'],
      ['2001:db8::/48', '2001:db8::8', '2001:db8:1::9'],
    ])(`${name}: goes on when %s is blocked, until it is ended`, async (blocked, from, other) => {
      const [namespace, listening] = way.service();
      for (const listen of [`TCP4-LISTEN:${listening}`, `TCP6-LISTEN:${listening},ipv6only=1`]) {
        await talks.serve(namespace, `${listen},fork,reuseaddr`);
      }
      const mine = await way.open(from);
      const bystander = await way.open(other);
      expect(await alive(mine, bystander)).toEqual([true, true]);
      await block(blocked);
      expect(await alive(mine, bystander)).toEqual([true, true]);

      const ended = await end(blocked);
      expect(ended.troubles).toEqual([]);
      expect(ended.flows).toBeGreaterThan(0);
      expect(ended.sockets).toBe(way.isReset ? 1 : 0);
      if (way.isReset) await mine.over;
      await isDead(mine);
      expect(await bystander.alive()).toBe(true);
    });
  }

  test('translated on its way through this machine', async () => {
    await talks.serve(innerName, `TCP4-LISTEN:${port},fork,reuseaddr`);
    const to = `TCP4:${endpoint4}:8080`;
    const mine = await talks.open(hosts.attacker, `${to},bind=203.0.113.7`);
    const bystander = await talks.open(hosts.attacker, `${to},bind=203.0.113.8`);
    expect(await alive(mine, bystander)).toEqual([true, true]);
    await block('203.0.113.7');
    expect(await alive(mine, bystander)).toEqual([true, true]);
    expect(await end('203.0.113.7')).toMatchObject({ flows: 1, sockets: 0, troubles: [] });
    await isDead(mine);
    expect(await bystander.alive()).toBe(true);
  });

  test.each([
    ['to this machine', () => hosts.endpoint, () => `${endpoint4}:${port}`],
    ['translated through it', () => innerName, () => `${endpoint4}:8080`],
  ])('datagrams that go on and on, %s', async (_, service, address) => {
    await talks.serve(service(), `UDP4-RECVFROM:${port},fork`);
    const open = (from: string) => talks.open(hosts.attacker, `UDP4:${address()},bind=${from}`);
    const mine = await open('203.0.113.7');
    const bystander = await open('203.0.113.8');
    expect(await alive(mine, bystander)).toEqual([true, true]);
    await block('203.0.113.7');
    expect(await alive(mine, bystander)).toEqual([true, true]);
    expect(await end('203.0.113.7')).toMatchObject({ flows: 1, troubles: [] });
    expect(await alive(mine, bystander)).toEqual([false, true]);
  });

  test('a connection that this machine translates into one with the address', async () => {
    await hosts.exec(
      ['nft', '-f', '-'],
      [
        'add chain inet fence out { type nat hook output priority -100; }',
        `add rule inet fence out ip daddr 192.0.2.1 dnat ip to 203.0.113.7`,
        '',
      ].join('\n'),
    );
    await hosts.exec(['ip', 'route', 'add', '192.0.2.0/24', 'via', '10.77.0.2']);
    await talks.serve(hosts.attacker, `UDP4-RECVFROM:${port},fork,bind=203.0.113.7`);
    const mine = await talks.open(hosts.endpoint, `UDP4-SENDTO:192.0.2.1:${port}`);
    expect(await mine.alive()).toBe(true);
    expect(await end('203.0.113.7')).toMatchObject({ flows: 1 });
    expect(await mine.alive()).toBe(true);
    expect(await end('203.0.113.0/24')).toMatchObject({ flows: 1 });
  });

  test('a thousand addresses are a few processes, and those with connections are ended', async () => {
    for (const listen of [`TCP4-LISTEN:${port}`, `TCP6-LISTEN:${port},ipv6only=1`]) {
      await talks.serve(hosts.endpoint, `${listen},fork,reuseaddr`);
      await talks.serve(innerName, `${listen},fork,reuseaddr`);
    }
    const mine = await Promise.all([
      ways['to this machine'].open('203.0.113.7'),
      ways['through this machine'].open('203.0.113.8'),
      ways['to this machine'].open('2001:db8::7'),
      ways['through this machine'].open('2001:db8::8'),
    ]);
    const bystander = await ways['through this machine'].open('198.51.100.9');
    expect(await alive(...mine, bystander)).toEqual([true, true, true, true, true]);
    const many = Array.from({ length: 996 }, (_, index) => `10.9.${index >> 8}.${index & 255}`);
    const all = [...many, '203.0.113.7', '203.0.113.8', '2001:db8::7', '2001:db8::8'];
    await block(...all);
    const steps: Step[] = [];
    const inHost = run;
    run = (step) => {
      steps.push(step);
      return inHost(step);
    };
    const ended = await end(...all);
    const count = steps.length;
    expect(ended).toMatchObject({ addresses: 1_000, sockets: 2, troubles: [] });
    expect(ended.flows).toBeGreaterThanOrEqual(4);
    expect(count).toBeLessThanOrEqual(10);
    for (const talk of mine) await isDead(talk);
    expect(await bystander.alive()).toBe(true);
  });

  test('without the right to end them it is said that they stand', async () => {
    await talks.serve(hosts.endpoint, `TCP4-LISTEN:${port},fork,reuseaddr`);
    const mine = await ways['to this machine'].open('203.0.113.7');
    expect(await mine.alive()).toBe(true);
    const inHost = run;
    const dropped = ['--bounding-set=-net_admin', '--inh-caps=-net_admin'];
    run = (step) =>
      step.kind === 'command'
        ? inHost({ ...step, tool: 'setpriv', args: [...dropped, step.tool, ...step.args] })
        : inHost(step);
    const ended = await end('203.0.113.7');
    expect(ended.troubles).toEqual([
      expect.stringMatching(/ss: 1 sockets are left: .*Operation not permitted/),
      expect.stringMatching(/conntrack: .*CAP_NET_ADMIN/),
    ]);
    expect(await mine.alive()).toBe(true);
  });
});
