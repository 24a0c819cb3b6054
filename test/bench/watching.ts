/**
 * How long it takes until what somebody undid stands again, and what it costs to be sure that all stands:
 *
 *   node build/executable.ts && node test/bench/watching.ts [rounds] [entries]
 *
 * One block is taken away by hand in each of the rounds, in each facility, with pauses that are no fight.
 * Then so many entries are put into the table; a look at all of them is forced by a change of somebody
 * else's in it, and set beside what an interval costs at which everything was heard.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Agent, createHome, type Home, startAgent } from '../e2e/agent.ts';
import { createFirewalld, preparedZone } from '../kernel/firewalld-host.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';

const rounds = Number(process.argv[2] ?? 20);
const entries = Number(process.argv[3] ?? 100_000);
/** Four repairs within 15 s would be a fight. */
const betweenMs = 5_500;
const address = '203.0.113.7';

interface Facility {
  readonly name: string;
  readonly response: string;
  readonly settings: string;
  undo(hosts: Hosts, home: Home): Promise<unknown>;
  stands(hosts: Hosts, home: Home): Promise<boolean>;
}

const pin = (driver: string, variant: string): string =>
  `<driver response="block-ip">${driver}</driver><iptables_variant>${variant}</iptables_variant>`;
/** Commands, one after the other. */
const each =
  (...lines: readonly string[]) =>
  async (hosts: Hosts): Promise<void> => {
    for (const line of lines) await hosts.exec(line.split(' '));
  };
const endsWell =
  (...words: readonly string[]) =>
  (hosts: Hosts): Promise<boolean> =>
    hosts.exec(words).then(
      () => true,
      () => false,
    );

const facilities: readonly Facility[] = [
  {
    name: 'nft flush ruleset',
    response: 'firewall-drop',
    settings: '<driver response="firewall-drop">nftables</driver>',
    undo: each('nft flush ruleset'),
    stands: endsWell('nft', 'get', 'element', 'inet', 'ar-exec', 'hosts4', `{ ${address} }`),
  },
  {
    name: 'iptables -F (nft)',
    response: 'block-ip',
    settings: pin('iptables', 'nft'),
    undo: each('iptables-nft -t mangle -F'),
    stands: endsWell('iptables-nft', '-t', 'mangle', '-C', 'ar-exec', '-s', address, '-j', 'DROP'),
  },
  {
    name: 'a rule above ours (nft)',
    response: 'block-ip',
    settings: pin('iptables', 'nft'),
    undo: each('iptables-nft -t mangle -I INPUT -i lo -j ACCEPT'),
    stands: async (hosts) => {
      const [, first] = (await hosts.exec(['iptables-nft', '-t', 'mangle', '-S', 'INPUT'])).split(
        '\n',
      );
      return first === '-A INPUT -j ar-exec';
    },
  },
  {
    name: 'iptables -F (legacy)',
    response: 'block-ip',
    settings: pin('iptables', 'legacy'),
    undo: each('iptables-legacy -t mangle -F'),
    stands: endsWell(
      'iptables-legacy',
      '-t',
      'mangle',
      '-C',
      'ar-exec',
      '-s',
      address,
      '-j',
      'DROP',
    ),
  },
  {
    name: 'ipset flush',
    response: 'block-ip',
    settings: pin('ipset', 'legacy'),
    undo: each('ipset flush'),
    stands: endsWell('ipset', 'test', 'ar-exec-hosts4', address),
  },
  {
    name: 'iptables -F, ipset destroy',
    response: 'block-ip',
    settings: pin('ipset', 'nft'),
    undo: each('iptables-nft -t mangle -F', 'ipset destroy'),
    stands: endsWell('ipset', 'test', 'ar-exec-hosts4', address),
  },
  {
    name: 'route deleted',
    response: 'route-null',
    settings: '',
    undo: each(`ip route del blackhole ${address}`),
    // To an address with a blackhole route there is no way.
    stands: async (hosts) => !(await endsWell('ip', 'route', 'get', address)(hosts)),
  },
  {
    name: 'hosts.deny written anew',
    response: 'host-deny',
    settings: '',
    undo: (_hosts, { hostsDeny }) => writeFile(hostsDeny, '# by somebody else\n'),
    stands: async (_hosts, { hostsDeny }) => {
      // As often as others are asked by a program, so that it leaves the agent as much of the machine.
      await sleep(5);
      return (await readFile(hostsDeny, 'utf8')).includes(address);
    },
  },
];

/** From when it was gone until it was seen to stand, which is looked for all the time. */
async function measure(
  hosts: Hosts,
  home: Home,
  { undo, stands, name }: Facility,
): Promise<number> {
  await undo(hosts, home);
  const start = performance.now();
  while (!(await stands(hosts, home))) {
    if (performance.now() - start > 30_000) throw new Error(`${name}: not put back`);
  }
  return performance.now() - start;
}

function percentile(sorted: readonly number[], share: number): string {
  const at = Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1);
  return `${(sorted[at] ?? Number.NaN).toFixed(1)} ms`;
}

/** CPU seconds of the agent and of the programs it has waited for. */
async function cpuSeconds({ pid }: Agent): Promise<{ own: number; tools: number }> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(' ').map(Number);
  const sum = (from: number): number => ((fields[from] ?? 0) + (fields[from + 1] ?? 0)) / 100;
  return { own: sum(13), tools: sum(15) };
}

async function residentMb({ pid }: Agent): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
}

async function withAgent(
  hosts: Hosts,
  settings: string,
  work: (agent: Agent, home: Home) => Promise<void>,
): Promise<void> {
  const home = await createHome(hosts.endpoint, settings);
  const agent = await startAgent(home);
  try {
    await work(agent, home);
  } finally {
    await agent.end();
    await home.remove();
  }
}

async function timeRepairs(hosts: Hosts, facility: Facility): Promise<void> {
  const { name, response, settings } = facility;
  const unwatched = `<reconcile_every>1d</reconcile_every>${settings}`;
  await withAgent(hosts, unwatched, async (agent, home) => {
    await agent.ask({ command: 'add', response, srcip: address });
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      await sleep(betweenMs);
      times.push(await measure(hosts, home, facility));
    }
    times.sort((a, b) => a - b);
    const figures = [0.5, 0.99].map((share) => percentile(times, share)).join(', p99 ');
    process.stdout.write(`${name}: stands again after p50 ${figures} (${rounds} rounds)\n`);
    await agent.ask({ command: 'delete', response, srcip: address });
  });
}

/** From the end of the reload, which itself takes the real firewalld longer. */
async function timeReload(hosts: Hosts): Promise<void> {
  const firewalld = await createFirewalld({ namespace: hosts.endpoint, files: preparedZone });
  try {
    await timeRepairs(hosts, {
      name: 'firewalld reloaded',
      response: 'firewalld-drop',
      settings: `<dbus_socket>${firewalld.socket}</dbus_socket>`,
      undo: () => firewalld.call('', 'reload'),
      stands: async () => (await firewalld.holdings([], ['ar-exec4'])).includes(address),
    });
  } finally {
    await firewalld.close();
  }
}

const hosts = await createHosts();
try {
  for (const facility of facilities) await timeRepairs(hosts, facility);
  await timeReload(hosts);
  await withAgent(hosts, '<reconcile_every>5s</reconcile_every>', async (agent) => {
    const peer = await agent.connect();
    for (let id = 0; id < entries; id += 1) {
      const srcip = `198.${18 + (id >> 16)}.${(id >> 8) & 255}.${id & 255}`;
      peer.send({ id, command: 'add', response: 'firewall-drop', srcip });
    }
    for (let id = 0; id < entries; id += 1) await peer.next();
    peer.close();
    await sleep(12_000);
    const spent = async (what: string, work: () => Promise<unknown>): Promise<void> => {
      const before = await cpuSeconds(agent);
      await work();
      const after = await cpuSeconds(agent);
      const own = (after.own - before.own).toFixed(2);
      const tools = (after.tools - before.tools).toFixed(2);
      const mb = await residentMb(agent);
      process.stdout.write(`${what}: ${own} s of CPU, tools ${tools} s, ${mb} MB resident\n`);
    };
    await spent(`${entries} entries, a minute of intervals of 5 s, all heard`, () => sleep(60_000));
    await spent(`${entries} entries, one look at all of them`, async () => {
      await hosts.exec(['nft', 'add', 'chain', 'inet', 'ar-exec', 'somebodys']);
      await sleep(10_000);
    });
  });
} finally {
  await hosts.close();
}
