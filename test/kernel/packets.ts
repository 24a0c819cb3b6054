/** What a packet filter is for, seen from the attacker: who still gets through, and who does not. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Carrier, createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { DriverKind } from '../../platform/driver.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { createHosts, type Hosts } from './hosts.ts';
import { type Inner, joinInner } from './inner.ts';

const port = 7_000;

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
  });
}
