import { expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Driver } from '../../platform/driver.ts';
import { ipset } from '../../platform/linux/ipset.ts';
import type { Step } from '../../platform/step.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { driverContract, type Machine, targets } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { kernelMachine } from './machine.ts';
import { blocksPackets } from './packets.ts';
import { dumpSets, dumpTables, plantRules, plantSet } from './xtables.ts';

for (const variant of ['nft', 'legacy']) {
  requires(
    'root',
    'namespaces',
    'ip',
    'socat',
    'ipset',
    `iptables-${variant}`,
  )(variant, () => {
    const settings = { ...ipset.defaults, variant };
    const four = (...args: string[]) => [`iptables-${variant}`, '-t', 'mangle', ...args];
    const six = (...args: string[]) => [`ip6tables-${variant}`, '-t', 'mangle', ...args];
    const each =
      (...commands: string[][]) =>
      async (machine: Machine) => {
        for (const argv of commands) await machine.exec(argv);
      };

    driverContract({
      name: 'ipset',
      kind: ipset,
      settings,
      machine: kernelMachine,
      dump: async (machine) =>
        [await dumpTables(machine, variant), await dumpSets(machine)].join('\n'),
      plantForeign: async (machine) => {
        await plantRules(machine, variant);
        await plantSet(machine, variant);
      },
      // hash:net takes every prefix but this one.
      refused: targets(['0.0.0.0/0'])[0] as AddressTarget,
      rebuilds: true,
      damages: {
        'no jump from INPUT': each(four('-D', 'INPUT', '-j', 'ar-exec')),
        'a jump that is not the first': each(
          six('-D', 'FORWARD', '-j', 'ar-exec'),
          six('-A', 'FORWARD', '-j', 'ar-exec'),
        ),
        'no rules in the chain': each(four('-F', 'ar-exec')),
        'no entries': each(['ipset', 'flush', 'ar-exec-hosts4'], six('-F', 'ar-exec')),
        'no rule and no set': each(six('-F', 'ar-exec'), ['ipset', 'destroy', 'ar-exec-nets6']),
      },
    });

    test('a set that goes after the look comes back with the same processes', async () => {
      const machine = await kernelMachine();
      try {
        const steps: Step[] = [];
        const driver = ipset.make(settings);
        const run: Machine['run'] = (step) => {
          steps.push(step);
          return machine.run(step);
        };
        const carrier = createCarrier(driver as Driver, run);
        const blocked = targets(['203.0.113.7', '2001:db8::7']).map((target) => ({ target }));
        const names = blocked.map(({ target }) => driver.container(target) ?? '');
        await carrier.apply(blocked);
        await each(four('-F'), six('-F'))(machine);
        const broken = await carrier.inspect();
        await machine.exec(['ipset', 'destroy']);
        steps.length = 0;
        expect(await carrier.rebuild(broken, names, blocked)).toMatchObject({
          carried: [{ result: 'done' }, { result: 'done' }],
        });
        expect(steps).toHaveLength(3);
        expect(await carrier.inspect()).toMatchObject({ containers: names, effects: blocked });
      } finally {
        await machine.close();
      }
    });

    blocksPackets('ipset', ipset, settings);
  });
}
