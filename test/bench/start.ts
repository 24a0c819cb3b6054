/**
 * How long a manager's agent waits for an executable: from its start to its end, an address being
 * blocked by the running agent meanwhile. Beside it, a Node that does nothing (the floor), the same
 * block asked for on the command line, and the two iptables processes that upstream starts.
 *
 *   node build/executable.ts && node test/bench/start.ts [rounds]
 *
 * All of them in turn in every round, so that what else the machine does meets all alike.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createHome, startAgent } from '../e2e/agent.ts';
import { createManagerHome, startExecutable } from '../e2e/execd.ts';
import { createHosts } from '../kernel/hosts.ts';

const rounds = Number(process.argv[2] ?? 30);
let next = 0;

/** Another address each time. */
function address(): string {
  next += 1;
  return `198.18.${next >> 8}.${next & 255}`;
}

function message(command: string, srcip: string): string {
  const parameters = { extra_args: [], alert: { rule: { id: '5715' }, data: { srcip } } };
  const origin = { name: 'node01', module: 'wazuh-execd' };
  return `${JSON.stringify({ version: 1, origin, command, parameters })}\n`;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

async function run(command: string, words: readonly string[]): Promise<void> {
  const [status] = await once(spawn(command, words, { stdio: 'ignore' }), 'close');
  if (status !== 0) throw new Error(`${command} ${words.join(' ')} ended with ${status}`);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

const hosts = await createHosts();
const home = await createHome(hosts.endpoint);
const agent = await startAgent(home);
const manager = await createManagerHome(home.folder, ['firewall-drop'], {
  AR_EXEC_SOCKET: home.socket,
  AR_EXEC_CONFIG: home.config,
});

async function call(): Promise<void> {
  const srcip = address();
  const executable = startExecutable(manager, 'firewall-drop');
  executable.send(message('add', srcip));
  if ((await executable.keys())?.includes(srcip) !== true) throw new Error('no keys');
  executable.send(message('continue', srcip));
  executable.endInput();
  const { status } = await executable.ended;
  if (status !== 0) throw new Error(`the executable ended with ${status}`);
}

const ways: Record<string, () => Promise<unknown>> = {
  'node -e 0': () => run(process.execPath, ['-e', '0']),
  'ar-exec --version': () => run('build/out/ar-exec', ['--version']),
  'a call, to its end': call,
  'ar-exec add, to its end': () =>
    run('build/out/ar-exec', [
      'add',
      'firewall-drop',
      '--srcip',
      address(),
      '--socket',
      home.socket,
    ]),
  'two iptables processes': async () => {
    const srcip = address();
    for (const chain of ['INPUT', 'FORWARD']) {
      const inside = ['netns', 'exec', hosts.endpoint];
      await run('ip', [...inside, 'iptables', '-I', chain, '-s', srcip, '-j', 'DROP']);
    }
  },
};

const times = new Map(Object.keys(ways).map((name) => [name, [] as number[]]));
try {
  for (const way of Object.values(ways)) await way();
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, way] of Object.entries(ways)) times.get(name)?.push(await timed(way));
  }
} finally {
  await agent.end('SIGKILL');
  await home.remove();
  await hosts.close();
}
for (const [name, values] of times) {
  const least = Math.min(...values).toFixed(1);
  process.stdout.write(
    `${name.padEnd(26)} median ${median(values).toFixed(1)} ms, least ${least} ms\n`,
  );
}
