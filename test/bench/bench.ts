/**
 * How long it takes until N distinct addresses are enforced and on disk, beside what a manager's own
 * firewall-drop does (two iptables processes an address) and the floor (one nft batch, no journal).
 *
 *   npm run bench            10,000 addresses for all but the two processes an address, which get 1,000
 *   npm run bench -- --long  10,000 for these too (minutes)
 *
 * Every round measures all of them, in turn; medians and ratios of medians are printed.
 */
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { type BenchAgent, startBenchAgent } from './agent.ts';

const rounds = 5;
const singles = 200;
const long = process.argv.includes('--long');
let nextBlock = 0;

/** Addresses that no round has used before, from the range for benchmarks (RFC 2544) and beyond. */
function addresses(count: number): string[] {
  const first = nextBlock * 65_536;
  nextBlock += 1;
  return Array.from({ length: count }, (_, index) => {
    const number = first + index;
    return `100.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
  });
}

const requests = (command: 'add' | 'delete', list: readonly string[]): object[] =>
  list.map((srcip, id) => ({
    id,
    command,
    response: 'firewall-drop',
    srcip,
    ...(command === 'add' ? { timeoutSeconds: 3_600 } : {}),
  }));

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function inKernel(hosts: Hosts, table: string): Promise<number> {
  const text = await hosts.exec(['nft', 'list', 'table', 'inet', table]);
  return text.match(/expires/g)?.length ?? 0;
}

async function agentBatch(hosts: Hosts, agent: BenchAgent, count: number): Promise<number> {
  const list = addresses(count);
  await agent.quiet();
  const ms = await timed(() => agent.send(requests('add', list)));
  const held = await inKernel(hosts, 'ar-exec');
  if (held !== count) throw new Error(`${held} of ${count} are in the kernel`);
  await agent.send(requests('delete', list));
  return ms;
}

/** The same addresses and timeouts in one transaction, from a process that is started for it. */
async function nftBatch(hosts: Hosts, count: number): Promise<number> {
  const declare = `add table inet floor
    add set inet floor hosts { type ipv4_addr; flags timeout; }
    add chain inet floor input { type filter hook input priority 0; }
    add rule inet floor input ip saddr @hosts drop\n`;
  await hosts.exec(['nft', '-f', '-'], declare);
  const elements = addresses(count).map((address) => `${address} timeout 3600s`);
  const batch = `add element inet floor hosts { ${elements.join(', ')} }\n`;
  const ms = await timed(() => hosts.exec(['nft', '-f', '-'], batch));
  const held = await inKernel(hosts, 'floor');
  if (held !== count) throw new Error(`${held} of ${count} are in the kernel`);
  await hosts.exec(['nft', 'delete', 'table', 'inet', 'floor']);
  return ms;
}

/** A shell loop within the namespace: nothing of this process is in the way. */
async function twoProcessesEach(hosts: Hosts, count: number): Promise<number> {
  const script = `while read -r ip; do
    iptables -I INPUT -s "$ip" -j DROP; iptables -I FORWARD -s "$ip" -j DROP
  done`;
  const list = `${addresses(count).join('\n')}\n`;
  const ms = await timed(() => hosts.exec(['sh', '-c', script], list));
  await hosts.exec(['iptables', '-F']);
  return ms;
}

async function oneAtATime(agent: BenchAgent): Promise<number[]> {
  const times: number[] = [];
  const list = addresses(singles);
  for (const one of list) {
    times.push(await timed(() => agent.send(requests('add', [one]))));
    await pause();
  }
  await agent.send(requests('delete', list));
  return times;
}

/** Attackers do not wait for the last block to be answered; what is measured is one block alone. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

async function iptablesOneAtATime(hosts: Hosts): Promise<number[]> {
  const times: number[] = [];
  for (const one of addresses(singles)) {
    const block = ['INPUT', 'FORWARD'].map((chain) => `iptables -I ${chain} -s ${one} -j DROP`);
    times.push(await timed(() => hosts.exec(['sh', '-c', block.join(';')])));
    await pause();
  }
  await hosts.exec(['iptables', '-F']);
  return times;
}

async function nftOneAtATime(hosts: Hosts): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < 20; index += 1) times.push(await nftBatch(hosts, 1));
  return times;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
const row = (...cells: string[]): void =>
  print(cells.map((cell, column) => cell.padEnd(column === 0 ? 34 : 16)).join(''));

async function main(): Promise<void> {
  const hosts = await createHosts();
  try {
    const agent = await startBenchAgent(hosts);
    const single = await oneAtATime(agent);
    const singleIptables = await iptablesOneAtATime(hosts);
    const singleNft = await nftOneAtATime(hosts);
    // What is compiled on first use is compiled before anything counts.
    await agentBatch(hosts, agent, 10_000);
    const at: Record<string, number[]> = {};
    const note = (name: string, value: number): void => {
      at[name] = [...(at[name] ?? []), value];
    };
    for (let round = 0; round < rounds; round += 1) {
      for (const count of [1_000, 10_000]) {
        note(`agent ${count}`, await agentBatch(hosts, agent, count));
        note(`nft ${count}`, await nftBatch(hosts, count));
      }
    }
    note('iptables 1000', await twoProcessesEach(hosts, 1_000));
    if (long) note('iptables 10000', await twoProcessesEach(hosts, 10_000));
    const resident = await agent.residentMb();
    await agent.stop();
    report(at, { single, singleIptables, singleNft, resident });
  } finally {
    await hosts.close();
  }
}

interface Singles {
  readonly single: readonly number[];
  readonly singleIptables: readonly number[];
  readonly singleNft: readonly number[];
  readonly resident: number;
}

function report(at: Record<string, number[]>, singles_: Singles): void {
  const median = (name: string): number => quantile(at[name] ?? [], 0.5);
  const { single, singleIptables, singleNft, resident } = singles_;
  print(`\none address at a time, ${singles} times, through the socket to "enforced and on disk"`);
  row('', 'p50', 'p99');
  row('ar-exec', ms(quantile(single, 0.5)), ms(quantile(single, 0.99)));
  row(
    'two iptables processes',
    ms(quantile(singleIptables, 0.5)),
    ms(quantile(singleIptables, 0.99)),
  );
  row('one nft process', ms(quantile(singleNft, 0.5)), ms(quantile(singleNft, 0.99)));
  for (const count of [1_000, 10_000]) {
    const agent = median(`agent ${count}`);
    const floor = median(`nft ${count}`);
    const iptables = at[`iptables ${count}`]?.[0];
    print(`\n${count} addresses at once (median of ${rounds})`);
    row('', 'time', 'ar-exec is');
    row('ar-exec', ms(agent), '');
    row('one nft batch (the floor)', ms(floor), `${(agent / floor).toFixed(1)} times it`);
    if (iptables === undefined) row('two iptables processes each', 'with --long', '');
    else {
      row(
        'two iptables processes each',
        ms(iptables),
        `${(iptables / agent).toFixed(0)} times faster`,
      );
    }
  }
  print(`\nresident memory of the agent afterwards: ${resident.toFixed(0)} MB`);
}

await main();
