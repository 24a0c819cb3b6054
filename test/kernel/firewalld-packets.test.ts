import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Carrier, createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import { firewalld } from '../../platform/linux/firewalld.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { createFirewalld, type FirewalldHost, preparedZone } from './firewalld-host.ts';
import { createHosts, type Hosts } from './hosts.ts';
import { type Inner, joinInner } from './inner.ts';

const port = 7_004;

/** What is blocked, an address that it stops, and one that goes on. */
const blocks = [
  ['an IPv4 address', '203.0.113.7', '203.0.113.7', '203.0.113.8'],
  ['an IPv6 address', '2001:db8::7', '2001:db8::7', '2001:db8::8'],
  ['an IPv4 prefix', '203.0.113.0/24', '203.0.113.8', '198.51.100.9'],
  ['an IPv6 prefix', '2001:db8::/48', '2001:db8::8', '2001:db8:1::9'],
] as const;

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'socat',
  'dbus-daemon',
  'firewalld',
  'setpriv',
)('firewalld and packets', () => {
  describe.each([
    // Rich rules are about packets to this machine, and say nothing of what it forwards.
    ['rich rules', { mode: 'rules', zones: 'public trusted', priority: '-17373' }, true],
    [
      'a zone with ipsets',
      { mode: 'zone', zone: 'ar-exec', ipset4: 'ar-exec4', ipset6: 'ar-exec6' },
      false,
    ],
    ['a zone without ipsets', { mode: 'zone', zone: 'ar-exec', ipset4: '', ipset6: '' }, false],
  ] as const)('%s', (_, settings, forwards) => {
    let hosts: Hosts;
    let inner: Inner;
    let host: FirewalldHost;
    let carrier: Carrier;

    beforeAll(async () => {
      hosts = await createHosts();
      inner = await joinInner(hosts);
      await Promise.all([hosts.serve(port), inner.serve(port)]);
      host = await createFirewalld({
        namespace: hosts.endpoint,
        files: {
          ...preparedZone,
          'zones/public.xml': '<zone target="ACCEPT"><forward/></zone>\n',
          // In another zone, and accepted there: the source decides before the interface does.
          'zones/trusted.xml':
            '<zone target="ACCEPT"><source address="203.0.113.8"/><source address="2001:db8::8"/></zone>\n',
        },
      });
      const run = hosts.runner(createRunner({ bus: host.bus }));
      carrier = createCarrier(firewalld.make(settings), run);
    });
    afterAll(async () => {
      await host?.close();
      await inner?.close();
      await hosts?.close();
    });

    test.each(blocks)('%s', async (_, blocked, from, other) => {
      const block = effects(targets([blocked]));
      const both = () => Promise.all([hosts.connects(from, port), inner.connects(from, port)]);
      const others = () => Promise.all([hosts.connects(other, port), inner.connects(other, port)]);
      const established = await hosts.open(from, port);
      expect(await established.alive()).toBe(true);
      expect(await both()).toEqual([true, true]);

      expect(await carrier.apply(block)).toMatchObject([{ result: 'done' }]);
      expect(await both()).toEqual([false, forwards]);
      expect(await others()).toEqual([true, true]);
      // firewalld accepts what is established before it looks at zones.
      expect(await established.alive()).toBe(true);
      expect(carrier.driver.traits.leavesFlows).toBe(true);

      expect(await carrier.revert(block)).toMatchObject([{ result: 'done' }]);
      expect(await both()).toEqual([true, true]);
      established.close();
    });
  });
});
