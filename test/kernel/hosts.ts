/**
 * Real hosts for tests: network namespaces of our own, joined by a veth pair. Nothing outside of them
 * is touched.
 */
import { randomBytes } from 'node:crypto';
import { execa, type ResultPromise } from 'execa';
import type { Runner } from '../../platform/step.ts';

export const endpoint4 = '10.77.0.1';
export const endpoint6 = 'fd77::1';
/** Addresses the attacker can connect from. */
export const attacker4 = ['203.0.113.7', '203.0.113.8', '198.51.100.9'] as const;
export const attacker6 = ['2001:db8::7', '2001:db8::8', '2001:db8:1::9'] as const;

export interface Hosts {
  /** Name of the namespace that is defended. */
  readonly endpoint: string;
  readonly attacker: string;
  /** Runs a command on the endpoint; rejects when it fails. */
  exec(argv: readonly string[], input?: string): Promise<string>;
  /** The same on the attacker. */
  attack(argv: readonly string[]): Promise<string>;
  /** A runner whose commands run on the endpoint. */
  runner(inner: Runner): Runner;
  /** Starts an echo service on the endpoint, on both families, and waits until it listens. */
  serve(port: number): Promise<void>;
  /** Opens a real TCP connection from `from` to the echo service: does an answer come back? */
  connects(from: string, port: number): Promise<boolean>;
  /** A connection that stays open; `alive` sends a line and waits for its echo. */
  open(from: string, port: number): Promise<{ alive(): Promise<boolean>; close(): void }>;
  close(): Promise<void>;
}

const inNamespace = (name: string, argv: readonly string[]): string[] => [
  'netns',
  'exec',
  name,
  ...argv,
];

export async function createHosts(): Promise<Hosts> {
  const tag = randomBytes(3).toString('hex');
  const endpoint = `ar-e-${tag}`;
  const attacker = `ar-a-${tag}`;
  const started: ResultPromise[] = [];
  const close = async (): Promise<void> => {
    for (const child of started) child.kill('SIGKILL');
    for (const name of [endpoint, attacker]) await removeNamespace(name);
  };
  try {
    await join(tag, endpoint, attacker);
  } catch (error) {
    await close();
    throw error;
  }

  const address = (from: string) => (from.includes(':') ? `[${endpoint6}]` : endpoint4);
  const source = (from: string) => (from.includes(':') ? `bind=[${from}]` : `bind=${from}`);
  const target = (from: string, port: number, timeout: number) =>
    `TCP${from.includes(':') ? '6' : '4'}:${address(from)}:${port},${source(from)},connect-timeout=${timeout}`;

  return {
    endpoint,
    attacker,
    exec: async (argv, input = '') =>
      (await execa('ip', inNamespace(endpoint, argv), { input })).stdout,
    attack: async (argv) => (await execa('ip', inNamespace(attacker, argv))).stdout,
    runner: (inner) => (step) =>
      step.kind === 'command'
        ? inner({ ...step, tool: 'ip', args: inNamespace(endpoint, [step.tool, ...step.args]) })
        : inner(step),
    serve: async (port) => {
      for (const listen of [`TCP4-LISTEN:${port}`, `TCP6-LISTEN:${port},ipv6only=1`]) {
        const child = execa(
          'ip',
          inNamespace(endpoint, ['socat', '-d', '-d', `${listen},fork,reuseaddr`, 'PIPE']),
          { reject: false, stdin: 'ignore', stdout: 'ignore', buffer: false },
        );
        started.push(child as unknown as ResultPromise);
        await new Promise<void>((resolve, reject) => {
          child.stderr.on('data', (chunk: Buffer) => {
            if (String(chunk).includes('listening')) resolve();
          });
          void child.then(() => reject(new Error(`no service on port ${port}`)));
        });
      }
    },
    connects: async (from, port) => {
      const result = await execa(
        'ip',
        inNamespace(attacker, ['socat', '-t', '1', '-T', '1', '-', target(from, port, 1)]),
        { input: 'ping\n', reject: false },
      );
      return result.stdout.includes('ping');
    },
    open: async (from, port) => {
      const child = execa('ip', inNamespace(attacker, ['socat', '-', target(from, port, 1)]), {
        reject: false,
        buffer: false,
      });
      started.push(child as unknown as ResultPromise);
      let heard = '';
      let wake = (): void => {};
      child.stdout.on('data', (chunk: Buffer) => {
        heard += String(chunk);
        wake();
      });
      let count = 0;
      const alive = async (): Promise<boolean> => {
        count += 1;
        const line = `line ${count}\n`;
        child.stdin.write(line);
        const deadline = Date.now() + 1_000;
        while (!heard.includes(line) && Date.now() < deadline) {
          await new Promise<void>((resolve) => {
            wake = resolve;
            setTimeout(resolve, deadline - Date.now());
          });
        }
        return heard.includes(line);
      };
      return { alive, close: () => child.kill('SIGKILL') };
    },
    close,
  };
}

const ip = (...args: string[]) => execa('ip', args);

/** Makes both namespaces, and the pair of devices and the routes between them. */
async function join(tag: string, endpoint: string, attacker: string): Promise<void> {
  await ip('netns', 'add', endpoint);
  await ip('netns', 'add', attacker);
  // Without it an IPv6 packet can meet a link that still waits for duplicate address detection.
  for (const name of [endpoint, attacker]) {
    const scopes = ['all', 'default'].map((scope) => `net.ipv6.conf.${scope}.accept_dad=0`);
    await ip('netns', 'exec', name, 'sysctl', '-qw', ...scopes);
  }
  await ip(
    'link',
    'add',
    `e${tag}`,
    'netns',
    endpoint,
    'type',
    'veth',
    'peer',
    `a${tag}`,
    'netns',
    attacker,
  );
  for (const [name, device] of [
    [endpoint, `e${tag}`],
    [attacker, `a${tag}`],
  ] as const) {
    await ip('-n', name, 'link', 'set', 'lo', 'up');
    await ip('-n', name, 'link', 'set', device, 'up');
  }
  await ip('-n', endpoint, 'addr', 'add', `${endpoint4}/24`, 'dev', `e${tag}`);
  await ip('-n', endpoint, '-6', 'addr', 'add', `${endpoint6}/64`, 'dev', `e${tag}`, 'nodad');
  await ip('-n', attacker, 'addr', 'add', '10.77.0.2/24', 'dev', `a${tag}`);
  await ip('-n', attacker, '-6', 'addr', 'add', 'fd77::2/64', 'dev', `a${tag}`, 'nodad');
  for (const address of attacker4)
    await ip('-n', attacker, 'addr', 'add', `${address}/32`, 'dev', 'lo');
  for (const address of attacker6) {
    await ip('-n', attacker, '-6', 'addr', 'add', `${address}/128`, 'dev', 'lo', 'nodad');
  }
  await ip('-n', endpoint, 'route', 'add', '203.0.113.0/24', 'via', '10.77.0.2');
  await ip('-n', endpoint, 'route', 'add', '198.51.100.0/24', 'via', '10.77.0.2');
  await ip('-n', endpoint, '-6', 'route', 'add', '2001:db8::/32', 'via', 'fd77::2');
}

async function removeNamespace(name: string): Promise<void> {
  const pids = await execa('ip', ['netns', 'pids', name], { reject: false });
  // Its own words say that it is not there: it was never made.
  if (pids.failed) return;
  for (const pid of pids.stdout.split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
  await ip('netns', 'del', name);
}
