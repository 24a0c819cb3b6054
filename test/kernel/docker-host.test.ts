/** Whoever is blocked does not reach containers either, whatever Docker puts in front of our rules. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Carrier, createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { DriverKind, Settings } from '../../platform/driver.ts';
import { ipset } from '../../platform/linux/ipset.ts';
import { iptables } from '../../platform/linux/iptables.ts';
import { nftables } from '../../platform/linux/nftables.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { type Docker, dockerWithIptables, dockerWithNftables, published } from './docker-host.ts';
import { createHosts, endpoint4, endpoint6, type Hosts } from './hosts.ts';
import { type Inner, joinInner } from './inner.ts';
import { createTalks, type Talks } from './talk.ts';

const variants = ['nft', 'legacy'] as const;
type Made = (hosts: Hosts, bridge: string) => Docker;

/** Docker and ar-exec each with the tools that they can have. */
const dockers: Readonly<Record<string, Made>> = {
  'iptables-nft': (hosts, bridge) => dockerWithIptables(hosts, bridge, 'nft'),
  'iptables-legacy': (hosts, bridge) => dockerWithIptables(hosts, bridge, 'legacy'),
  nftables: dockerWithNftables,
};
const ours: readonly (readonly [string, DriverKind<AddressTarget>, Settings])[] = [
  ['nftables', nftables, nftables.defaults],
  ...variants.flatMap((variant) => [
    [`ipset, ${variant}`, ipset, { ...ipset.defaults, variant }] as const,
    [`iptables, ${variant}`, iptables, { ...iptables.defaults, variant }] as const,
  ]),
];

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'socat',
  'ipset',
  'iptables-nft',
  'iptables-legacy',
)('on a host of containers', () => {
  let hosts: Hosts;
  let inner: Inner;
  let talks: Talks;
  let bridge: string;

  beforeEach(async () => {
    hosts = await createHosts();
    inner = await joinInner(hosts);
    talks = createTalks();
    const tag = hosts.endpoint.slice('ar-e-'.length);
    bridge = `f${tag}`;
    for (const listen of ['TCP4-LISTEN', 'TCP6-LISTEN']) {
      const only = listen === 'TCP6-LISTEN' ? ',ipv6only=1' : '';
      await talks.serve(`ar-i-${tag}`, `${listen}:${published.inside}${only},fork,reuseaddr`);
    }
  });
  afterEach(async () => {
    await talks?.close();
    await inner?.close();
    await hosts?.close();
  });

  const address = (from: string) =>
    from.includes(':')
      ? `TCP6:[${endpoint6}]:${published.port},bind=[${from}],connect-timeout=1`
      : `TCP4:${endpoint4}:${published.port},bind=${from},connect-timeout=1`;
  const open = (from: string) => talks.open(hosts.attacker, address(from));
  const reaches = async (from: string): Promise<boolean> => {
    const talk = await open(from);
    try {
      return await talk.alive();
    } finally {
      talk.close();
    }
  };
  const all = (...from: readonly string[]) => Promise.all(from.map(reaches));
  const blocked = ['203.0.113.7', '2001:db8::7'] as const;
  const others = ['203.0.113.8', '2001:db8::8'] as const;

  for (const [docker, make] of Object.entries(dockers)) {
    test.each(ours)(`Docker with ${docker}, blocked by %s`, async (_, kind, settings) => {
      const daemon = make(hosts, bridge);
      await daemon.start();
      const standing = await Promise.all([...blocked, ...others].map(open));
      const alive = () => Promise.all(standing.map((talk) => talk.alive()));
      expect(await alive()).toEqual([true, true, true, true]);

      const carrier: Carrier = createCarrier(kind.make(settings), hosts.runner(createRunner()));
      const carried = await carrier.apply(effects(targets(blocked)));
      expect(carried.map(({ result }) => result)).toEqual(['done', 'done']);
      expect(await Promise.all([alive(), all(...blocked), all(...others)])).toEqual([
        [false, false, true, true],
        [false, false],
        [true, true],
      ]);

      await daemon.start();
      expect(await Promise.all([all(...blocked), all(...others)])).toEqual([
        [false, false],
        [true, true],
      ]);

      await carrier.revert(effects(targets(blocked)));
      await carrier.teardown();
      expect(await all(...blocked, ...others)).toEqual([true, true, true, true]);
    });
  }
});
