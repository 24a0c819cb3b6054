import { expect, test } from 'vitest';
import { netsh } from '../../platform/windows/netsh.ts';
import { driverContract, effects, targets } from '../contract/driver-contract.ts';
import type { QuickMachine } from '../sim/quick-machine.ts';
import { createQuickWindows } from '../sim/windows.ts';
import { registryOf, rulesKey } from '../sim/windows-registry.ts';
import { show } from './show.ts';

const driver = netsh.make(netsh.defaults);

/** In the order of their contents: which one is written first is no difference. */
const rules = (machine: QuickMachine): string =>
  Object.entries(registryOf(machine.parts)[rulesKey] ?? {})
    .map(([id, [, data]]) => `${id.startsWith('{') ? '' : id} ${data}`)
    .sort()
    .join('\n');

for (const language of ['en', 'de']) {
  driverContract({
    name: `keeps the contract in the language ${language}`,
    kind: netsh,
    machine: async () => createQuickWindows({ language }),
    dump: async (machine) => rules(machine as QuickMachine),
    plantForeign: async ({ exec }) => {
      const rule = ['netsh', 'advfirewall', 'firewall', 'add', 'rule'];
      const block = ['dir=in', 'action=block', 'remoteip=203.0.113.7'];
      await exec([...rule, 'name=WAZUH ACTIVE RESPONSE BLOCKED IP', 'interface=any', ...block]);
      await exec([...rule, 'name=ar-exec-00011', ...block]);
      await exec([...rule, 'name=ar-exec', ...block]);
      await exec([...rule, 'name=mine', 'dir=out', 'action=allow', 'program=C:\\x\\ar-exec-0001']);
    },
    damages: {},
    takesBackUnnamed: true,
  });
}

test('a block is two commands, a change of the rules two more', () => {
  expect(
    show(driver.apply(effects(targets(['203.0.113.7', '2001:db8::/48'])))),
  ).toMatchInlineSnapshot(`
    "$ netsh advfirewall firewall add rule name=ar-exec-0001 description=Made and looked after by ar-exec dir=in remoteip=203.0.113.7,2001:db8::/48 action=block
    $ netsh advfirewall firewall add rule name=ar-exec-0001 description=Made and looked after by ar-exec dir=out remoteip=203.0.113.7,2001:db8::/48 action=block
    "
  `);
});
