import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { afterAll, beforeAll, describe } from 'vitest';
import { createRunner, toolFolders } from '../../agent/system/runner.ts';
import { firewalld } from '../../platform/linux/firewalld.ts';
import type { Runner } from '../../platform/step.ts';
import { addressSamples, driverContract, type Machine } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { createFirewalld, type FirewalldHost, preparedZone } from './firewalld-host.ts';

const zones = ['public', 'drop', 'trusted', 'ar-exec'];
const ipsets = ['ar-exec4', 'ar-exec6', 'people'];

const rules = { mode: 'rules', zones: 'public trusted', priority: '-17373' };
const zone = { mode: 'zone', zone: 'ar-exec', ipset4: 'ar-exec4', ipset6: 'ar-exec6' };

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'dbus-daemon',
  'firewalld',
  'setpriv',
)('firewalld', () => {
  const namespace = `ar-f-${randomBytes(3).toString('hex')}`;
  let host: FirewalldHost;
  let run: Runner;

  beforeAll(async () => {
    await execa('ip', ['netns', 'add', namespace]);
    host = await createFirewalld({
      namespace,
      files: {
        ...preparedZone,
        'ipsets/people.xml': '<ipset type="hash:net"><entry>192.0.2.0/24</entry></ipset>\n',
        'zones/trusted.xml':
          '<zone target="ACCEPT"><source address="192.0.2.77"/><rule family="ipv4"><source address="192.0.2.9"/><drop/></rule></zone>\n',
      },
    });
    run = inside(namespace, host);
  });
  afterAll(async () => {
    await host?.close();
    await execa('ip', ['netns', 'del', namespace]);
  });

  /** The daemon is shared; what was done at runtime is gone after a reload. */
  const machine = async (): Promise<Machine> => ({
    run,
    exec: async (argv, input = '') =>
      (await execa('ip', ['netns', 'exec', namespace, ...argv], { input })).stdout,
    close: async () => {
      await host.call('', 'reload');
    },
  });

  const dump = async ({ exec }: Machine): Promise<string> => {
    const lines: string[] = [];
    const list = async (name: string, place: string, member: string): Promise<void> => {
      const all = (await host.call(place, member, name)) as string[];
      lines.push(...all.sort().map((one) => `${name} ${one}`));
    };
    for (const name of zones) await list(name, 'zone', 'getRichRules');
    for (const name of zones) await list(name, 'zone', 'getSources');
    for (const name of ipsets) await list(name, 'ipset', 'getEntries');
    const known = lines.join('\n');
    return `${known}\n${await exec(['nft', '-s', 'list', 'ruleset'])}`;
  };

  const plantForeign = async (): Promise<void> => {
    const rule = 'rule family="ipv4" source address="203.0.113.7" drop';
    await host.call('zone', 'addSource', 'trusted', '192.0.2.78');
    await host.call('ipset', 'addEntry', 'people', '198.51.100.0/24');
    for (const text of [
      rule,
      'rule priority="-17373" family="ipv4" source address="192.0.2.10" accept',
      'rule priority="-17372" family="ipv6" source address="2001:db8::7" drop',
    ]) {
      await host.bus.call(
        {
          destination: 'org.fedoraproject.FirewallD1',
          path: '/org/fedoraproject/FirewallD1',
          interface: 'org.fedoraproject.FirewallD1.zone',
          member: 'addRichRule',
          signature: 'ssi',
          args: ['public', text, 0],
        },
        20_000,
      );
    }
  };

  describe.each([
    ['rich rules', rules],
    ['a zone with ipsets', zone],
  ])('%s', (name, settings) => {
    driverContract({
      name: `keep the contract: ${name}`,
      kind: firewalld,
      // firewalld takes some milliseconds for each.
      samples: { ...addressSamples(true), bulk: 100 },
      settings,
      machine,
      dump,
      plantForeign,
      damages: {},
    });
  });
});

function inside(namespace: string, host: FirewalldHost): Runner {
  const run = createRunner(toolFolders, host.bus);
  return (step) =>
    step.kind === 'command'
      ? run({
          ...step,
          tool: 'ip',
          args: ['netns', 'exec', namespace, step.tool, ...step.args],
        })
      : run(step);
}
