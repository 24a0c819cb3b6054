/** One machine with all that ar-exec can act with on Linux, and what other people have in each place. */
import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createBus } from '../../agent/system/dbus/bus.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { DriverKind, Settings } from '../../platform/driver.ts';
import { nftables } from '../../platform/linux/nftables.ts';
import type { Runner } from '../../platform/step.ts';
import type { Machine } from '../contract/driver-contract.ts';
import { configuration } from '../crash/endpoint.ts';
import { type Facility, facilities, firewalldHosts } from '../crash/facilities.ts';
import { dumpTables } from '../kernel/xtables.ts';

const named = (name: string): Facility => {
  const found = facilities.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no facility is called ${name}`);
  return found;
};
const table = named('nftables');
const sets = named('ipset, nft variant');
const rules = named('iptables, nft variant');
const oldRules = named('iptables, legacy variant');
const theirSet = named('nftables-set');
const theirIpset = named('ipset-set, comments and timeouts');
const account = named('account');
const files = named('quarantine');
const daemon = named('firewalld, rich rules');
/** What has a place of its own, which its own dump tells. */
const apart = [named('hosts-deny'), named('route-null'), account, named('block-file'), files];

/** What an agent of the storm goes by in one of its lives: the driver of each response that has several. */
export const manners: readonly string[] = [
  [table, theirSet],
  [sets, theirIpset],
  [rules, theirSet],
  [oldRules, theirIpset],
].map((pair) => pair.map(({ config }) => config).join('\n'));

/** What is asked of each response. */
export interface Field {
  readonly response: string;
  readonly member: string;
  readonly targets: readonly string[];
  /** How often it is asked, beside the others. */
  readonly weight: number;
}

const addresses = (net: number): string[] =>
  Array.from({ length: 24 }, (_, index) =>
    index % 4 === 3 ? `2001:db8:77:${net}::${index}` : `10.77.${net}.${index}`,
  );
const prefixes = (net: number): string[] => [`10.77.${net}.128/25`, `2001:db8:77:${net}:1::/80`];

export const fields: readonly Field[] = [
  {
    response: 'firewall-drop',
    member: 'srcip',
    targets: [...addresses(1), ...prefixes(1)],
    weight: 6,
  },
  {
    response: 'nftables-drop',
    member: 'srcip',
    targets: [...addresses(2), ...prefixes(2)],
    weight: 4,
  },
  { response: 'host-deny', member: 'srcip', targets: addresses(3), weight: 3 },
  { response: 'route-null', member: 'srcip', targets: addresses(4), weight: 3 },
  { response: 'ip-customblock', member: 'srcip', targets: addresses(5), weight: 3 },
  { response: 'firewalld-drop', member: 'srcip', targets: addresses(6).slice(0, 4), weight: 0.3 },
  { response: 'mark.sh', member: 'srcip', targets: addresses(7), weight: 1 },
  { response: 'disable-account', member: 'user', targets: ['alice', 'bob', 'carol'], weight: 0.6 },
  { response: 'quarantine-file', member: 'file', targets: victimsOf(files), weight: 1 },
];

function victimsOf({ targets }: Facility): string[] {
  return targets === undefined ? [] : [targets.target, ...targets.bystanders];
}

/** A script of somebody's own, of which nothing but a file tells that it acted. */
const script = (folder: string) => `#!/bin/sh
case "$1" in
  add) : >> "${marksOf(folder)}/$3" ;;
  delete) rm -f "${marksOf(folder)}/$3" ;;
esac
`;
const marksOf = (folder: string): string => join(folder, 'marks');

/** What of ours stands on the machine: by response and target, how often. */
export type Standing = ReadonlyMap<string, number>;

export const nameOf = (response: string, target: string): string => `${response} ${target}`;

export interface Everything {
  readonly facility: Facility;
  /** Asks everything on the machine. */
  standing(): Promise<Standing>;
  /** Writes the agent's configuration anew; it goes by it from its next start on. */
  configure(manner: string): Promise<void>;
  /** The agent's socket. */
  socket(): string;
}

export function createEverything(): Everything {
  let place: { machine: Machine; folder: string; run: Runner } | undefined;
  const here = () => {
    if (place === undefined) throw new Error('there is no machine yet');
    return place;
  };

  const facility: Facility = {
    name: 'everything',
    needs: [...new Set([table, sets, oldRules, account, daemon].flatMap(({ needs }) => needs))],
    response: 'firewall-drop',
    kind: nftables,
    settings: () => nftables.defaults,
    config: '',
    bus: (folder) => join(folder, 'bus'),
    inside: (folder) => ({
      command: (argv) =>
        account.inside?.(folder).command(files.inside?.(folder).command(argv) ?? argv) ?? argv,
      run: async () => ({ failure: 'io', stdout: '', stderr: 'asked of each facility' }),
    }),
    plant: async (machine, folder) => {
      const namespace = (await machine.exec(['ip', 'netns', 'identify'])).trim();
      const run = createRunner({ bus: createBus(join(folder, 'bus')) });
      place = {
        machine,
        folder,
        run: (step) =>
          step.kind === 'command'
            ? run({
                ...step,
                tool: 'ip',
                args: ['netns', 'exec', namespace, step.tool, ...step.args],
              })
            : run(step),
      };
      for (const one of [table, sets, oldRules, theirSet, theirIpset, ...apart, daemon]) {
        await one.plant(machine, folder);
      }
      await mkdir(marksOf(folder));
      await mkdir(responsesOf(folder), { mode: 0o755 });
      await writeFile(join(responsesOf(folder), 'mark.sh'), script(folder));
      await chmod(join(responsesOf(folder), 'mark.sh'), 0o755);
    },
    close: async (folder) => daemon.close?.(folder),
    dump: async (machine, folder) => {
      const parts = await Promise.all([
        packetTables(machine),
        dumpTables(machine, 'nft'),
        dumpTables(machine, 'legacy'),
        theirIpset.dump(machine, folder),
        firewalldHosts.get(folder)?.holdings(['public', 'trusted'], []) ?? '',
        ...apart.map((one) => one.dump(machine, folder)),
        readdir(marksOf(folder)).then((names) => names.sort().join('\n')),
      ]);
      return parts.join('\n=====\n');
    },
    foreign: (dump) => {
      const [tables = '', xtables = '', old = '', ipsets = '', firewalld = '', ...others] =
        dump.split('\n=====\n');
      others.pop();
      return [
        foreignTables(tables),
        foreignRules(xtables),
        foreignRules(old),
        sets.foreign(theirIpset.foreign(`${ipsets}\n`)),
        daemon.foreign(`${firewalld}\n`),
        ...others.map((text, index) => apart[index]?.foreign(text) ?? text),
      ].join('\n=====\n');
    },
  };

  return {
    facility,
    socket: () => join(here().folder, 'socket'),
    configure: (manner) => {
      const { folder } = here();
      const scripts = `<scripts_folder>${responsesOf(folder)}</scripts_folder>`;
      const config = [manner, files.config, scripts].join('\n');
      const text = configuration(folder, { ...facility, config });
      return writeFile(join(folder, 'ar-exec.conf'), text);
    },
    standing: async () => {
      const { machine, folder, run } = here();
      const effects = await Promise.all(
        [table, sets, rules, oldRules, theirSet, theirIpset, daemon, ...apart]
          .filter((one) => one.targets === undefined)
          .map((one) => found(one.kind, one.settings(folder), one.response, run)),
      );
      const marks = await readdir(marksOf(folder));
      const accounts = await account.dump(machine, folder);
      const taken = await files.dump(machine, folder);
      const all = [
        ...effects.flat(),
        ...marks.map((target) => nameOf('mark.sh', target)),
        ...victimsOf(account)
          .filter((user) => accounts.includes(`\n${user} expires 1\n`))
          .map((user) => nameOf('disable-account', user)),
        ...victimsOf(files)
          .filter((file) => !taken.includes(`place/${file.split('/').at(-1)} `))
          .map((file) => nameOf('quarantine-file', file)),
      ];
      return new Map([...Map.groupBy(all, (one) => one)].map(([one, { length }]) => [one, length]));
    },
  };
}

const responsesOf = (folder: string): string => join(folder, 'responses');

async function found(
  kind: DriverKind,
  settings: Settings,
  response: string,
  run: Runner,
): Promise<string[]> {
  // The agent may take away an empty table between two of the questions.
  for (let tries = 0; ; tries += 1) {
    const reading = await createCarrier(kind.make(settings), run).inspect();
    if (reading.known) return reading.effects.map(({ target }) => nameOf(response, target.text));
    if (tries === 5) throw new Error(`${kind.name}: ${reading.why}`);
  }
}

/** Tables of iptables' are told by iptables itself. */
const byIptables = /^table ip6? (filter|nat|mangle|raw|security) \{\n[\s\S]*?^\}\n/gm;

async function packetTables(machine: Machine): Promise<string> {
  const all = await theirSet.dump(machine, '');
  return all.replaceAll(byIptables, '').replaceAll(/^# Warning:.*\n/gm, '');
}

function foreignTables(dump: string): string {
  const ours = /^.*(10\.77\.\d+\.|2001:db8:77:).*\n/gm;
  const without = table.foreign(theirSet.foreign(dump));
  // firewalld's own table shows what it was asked for.
  return without.replaceAll(/^table inet firewalld \{\n[\s\S]*?^\}\n/gm, (text) =>
    text.replaceAll(ours, ''),
  );
}

function foreignRules(dump: string): string {
  return rules.foreign(`${dump}\n`);
}
