/** What a packet filter is for, seen from the attacker: who still gets through, and who does not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Carrier, createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { DriverKind } from '../../platform/driver.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { createHosts, endpoint4, endpoint6, type Hosts } from './hosts.ts';
import { type Inner, joinInner } from './inner.ts';
import { createTalks } from './talk.ts';

const port = 7_000;
const echo = 7_008;

/** What is blocked, an address that it stops, and one that goes on. */
const blocks = [
  ['an IPv4 address', '203.0.113.7', '203.0.113.7', '203.0.113.8'],
  ['an IPv6 address', '2001:db8::7', '2001:db8::7', '2001:db8::8'],
  ['an IPv4 prefix', '203.0.113.0/24', '203.0.113.8', '198.51.100.9'],
  ['an IPv6 prefix', '2001:db8::/48', '2001:db8::8', '2001:db8:1::9'],
] as const;

export function blocksPackets(name: string, kind: DriverKind, settings = kind.defaults): void {
  describe(`${name}: packets`, () => {
    let hosts: Hosts;
    let inner: Inner;
    let carrier: Carrier;

    beforeAll(async () => {
      hosts = await createHosts();
      inner = await joinInner(hosts);
      await Promise.all([hosts.serve(port), inner.serve(port)]);
      carrier = createCarrier(kind.make(settings), hosts.runner(createRunner()));
    });
    afterAll(async () => {
      await inner?.close();
      await hosts?.close();
    });

    test.each(blocks)('%s', async (_, blocked, from, other) => {
      const block = effects(targets([blocked]));
      const both = () => Promise.all([hosts.connects(from, port), inner.connects(from, port)]);
      const others = () => Promise.all([hosts.connects(other, port), inner.connects(other, port)]);
      const established = await hosts.open(from, port);
      const bystander = await hosts.open(other, port);
      expect(await established.alive()).toBe(true);
      expect(await bystander.alive()).toBe(true);
      expect(await both()).toEqual([true, true]);

      expect(await carrier.apply(block)).toMatchObject([{ result: 'done' }]);
      expect(await Promise.all([established.alive(), both()])).toEqual([false, [false, false]]);
      expect(await Promise.all([bystander.alive(), others()])).toEqual([true, [true, true]]);

      expect(await carrier.revert(block)).toMatchObject([{ result: 'done' }]);
      expect(await both()).toEqual([true, true]);
      established.close();
      bystander.close();
    });

    /** The last, because it ends all that runs there. Whoever began it: somebody outside, this machine, or somebody behind it. */
    test.each([
      ['IPv4', '203.0.113.7', '203.0.113.8'],
      ['IPv6', '2001:db8::7', '2001:db8::8'],
    ])('connections that stand come to nothing, in every direction, %s', async (_, from, other) => {
      const talks = createTalks();
      try {
        const six = from.includes(':');
        const [to, tcp] = six ? [`[${endpoint6}]`, 'TCP6'] : [endpoint4, 'TCP4'];
        const behind = six ? '[fd78::2]' : '10.78.0.2';
        const host = (address: string) => (six ? `[${address}]` : address);
        const innerName = hosts.endpoint.replace('ar-e-', 'ar-i-');
        const listen = `${tcp}-LISTEN:${echo}${six ? ',ipv6only=1' : ''},fork,reuseaddr`;
        for (const name of [hosts.attacker, hosts.endpoint, innerName]) {
          await talks.serve(name, listen);
        }
        const with4 = (address: string) => [
          talks.open(hosts.attacker, `${tcp}:${to}:${echo},bind=${host(address)}`),
          talks.open(hosts.attacker, `${tcp}:${behind}:${echo},bind=${host(address)}`),
          talks.open(hosts.endpoint, `${tcp}:${host(address)}:${echo}`),
          talks.open(innerName, `${tcp}:${host(address)}:${echo}`),
        ];
        const all = await Promise.all([...with4(from), ...with4(other)]);
        const alive = () => Promise.all(all.map((talk) => talk.alive()));
        expect(await alive()).toEqual(all.map(() => true));
        const block = effects(targets([from]));
        expect(await carrier.apply(block)).toMatchObject([{ result: 'done' }]);
        expect(await alive()).toEqual(all.map((_, index) => index >= 4));
        await carrier.revert(block);
      } finally {
        await talks.close();
      }
    });
  });
}
