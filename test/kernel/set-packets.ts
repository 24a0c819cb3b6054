/** Does an administrator's rule drop what ar-exec puts into the administrator's set? Packets say. */
import { expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { Driver } from '../../platform/driver.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { effects, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { createHosts, type Hosts } from './hosts.ts';

const port = 7_003;

export interface RuledSets {
  /** Makes the sets and the rules that ask for them, as an administrator would. */
  make(exec: Hosts['exec']): Promise<void>;
  readonly driver: Driver<AddressTarget>;
}

export function rulesAct(name: string, tool: string, { make, driver }: RuledSets): void {
  requires(
    'root',
    'namespaces',
    'ip',
    'socat',
    tool,
  )(`${name}: packets`, () => {
    test.each([
      ['203.0.113.7', '203.0.113.7', '203.0.113.8'],
      ['203.0.113.0/24', '203.0.113.8', '198.51.100.9'],
      ['2001:db8::7', '2001:db8::7', '2001:db8::8'],
      ['2001:db8::/48', '2001:db8::8', '2001:db8:1::9'],
    ])('%s is kept out, until it is taken back', async (blocked, from, other) => {
      const hosts = await createHosts();
      try {
        await make(hosts.exec);
        await hosts.serve(port);
        const carrier = createCarrier(driver, hosts.runner(createRunner()));
        const block = effects(targets([blocked]));
        const who = () => Promise.all([from, other].map((one) => hosts.connects(one, port)));
        expect(await who()).toEqual([true, true]);
        expect(await carrier.apply(block)).toMatchObject([{ result: 'done' }]);
        expect(await who()).toEqual([false, true]);
        expect(await carrier.revert(block)).toMatchObject([{ result: 'done' }]);
        expect(await who()).toEqual([true, true]);
      } finally {
        await hosts.close();
      }
    });
  });
}
