import { iptables } from '../../platform/linux/iptables.ts';
import { driverContract, type Machine } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { kernelMachine } from './machine.ts';
import { blocksPackets } from './packets.ts';
import { dumpTables, plantRules } from './xtables.ts';

for (const variant of ['nft', 'legacy']) {
  requires(
    'root',
    'namespaces',
    'ip',
    'socat',
    `iptables-${variant}`,
  )(variant, () => {
    const settings = { ...iptables.defaults, variant };
    const four = (...args: string[]) => [`iptables-${variant}`, '-t', 'mangle', ...args];
    const six = (...args: string[]) => [`ip6tables-${variant}`, '-t', 'mangle', ...args];
    const each =
      (...commands: string[][]) =>
      async (machine: Machine) => {
        for (const argv of commands) await machine.exec(argv);
      };

    driverContract({
      name: 'iptables',
      kind: iptables,
      settings,
      machine: kernelMachine,
      dump: (machine) => dumpTables(machine, variant),
      plantForeign: (machine) => plantRules(machine, variant),
      double: (machine, target) =>
        machine.exec(four('-A', 'ar-exec', '-s', target.text, '-j', 'DROP')),
      rebuilds: true,
      damages: {
        'a rule in front of the jump': each(
          four('-I', 'INPUT', '-i', 'lo', '-j', 'ACCEPT'),
          four('-D', 'INPUT', '-j', 'ar-exec'),
          four('-A', 'INPUT', '-j', 'ar-exec'),
          four('-D', 'INPUT', '-i', 'lo', '-j', 'ACCEPT'),
        ),
        'a jump that stands twice': each(six('-I', 'FORWARD', '-j', 'ar-exec')),
        'no jump from INPUT': each(four('-D', 'INPUT', '-j', 'ar-exec')),
        'no jump from FORWARD': each(six('-D', 'FORWARD', '-j', 'ar-exec')),
        'no chain': each(
          six('-D', 'INPUT', '-j', 'ar-exec'),
          six('-D', 'FORWARD', '-j', 'ar-exec'),
          six('-F', 'ar-exec'),
          six('-X', 'ar-exec'),
        ),
      },
    });

    blocksPackets('iptables', iptables, settings);
  });
}
