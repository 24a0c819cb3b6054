import { nftables } from '../../platform/linux/nftables.ts';
import { driverContract, type Machine } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { kernelMachine } from './machine.ts';
import { blocksPackets } from './packets.ts';
import { plantRules } from './xtables.ts';

/** A ruleset as a person would write it, with names like ours. */
const ruleset = `
table inet ar-exec-friends {
  set hosts4 { type ipv4_addr; flags timeout; elements = { 192.0.2.9 } }
  set nets4-24 { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 } }
  chain hosts4-input {
    type filter hook input priority filter; policy accept;
    ct state established accept
    ip saddr @hosts4 counter drop comment "table inet ar-exec"
  }
}
table ip ar-exec {
  chain hosts4-input {
    type filter hook input priority 5; policy accept;
    tcp dport 22 accept
  }
}
`;

const nft =
  (...commands: string[]) =>
  (machine: Machine) =>
    machine.exec(['nft', '-f', '-'], `${commands.join('\n')}\n`);

requires(
  'root',
  'namespaces',
  'ip',
  'socat',
  'nft',
)('in the kernel', () => {
  driverContract({
    name: 'nftables',
    kind: nftables,
    machine: kernelMachine,
    dump: async (machine) => {
      const text = await machine.exec(['nft', '-s', 'list', 'ruleset']);
      return text.replaceAll(/ timeout \S+( expires [0-9a-z]+)?/g, ' timeout N');
    },
    plantForeign: async (machine) => {
      await nft(ruleset)(machine);
      await plantRules(machine, 'nft');
    },
    rebuilds: true,
    damages: {
      'no table': nft('delete table inet ar-exec'),
      'no rule in a chain': nft('flush chain inet ar-exec hosts4-input'),
      'no chain': nft('delete chain inet ar-exec hosts6-forward'),
      'another rule in front': nft('insert rule inet ar-exec hosts4-forward accept'),
      'no elements': nft('flush set inet ar-exec hosts4', 'flush chain inet ar-exec hosts4-input'),
      'no set': nft(
        'delete chain inet ar-exec hosts6-input',
        'delete chain inet ar-exec hosts6-forward',
        'delete set inet ar-exec hosts6',
      ),
    },
  });

  blocksPackets('nftables', nftables);
});
