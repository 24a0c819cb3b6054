/**
 * The real executable as a user starts it, in a network namespace, with everything that it writes in
 * a folder of its own.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { openPeer, type Peer, type Reply } from './peer.ts';

const executable = fileURLToPath(new URL('../../build/out/ar-exec', import.meta.url));
const readyMs = 90_000;

/** Where an agent lives; it outlasts the agent. */
export interface Home {
  readonly namespace: string;
  /** What makes the machine in which the executable runs. */
  readonly before: readonly string[];
  readonly folder: string;
  readonly config: string;
  readonly state: string;
  readonly socket: string;
  /** active-responses.log. */
  readonly managerLog: string;
  readonly hostsDeny: string;
  /** Writes the configuration anew, with these settings. */
  configure(settings: string): Promise<void>;
  /** Runs the executable with these words, the flags that name its places added, to its end. */
  run(words: readonly string[], options?: RunOptions): Promise<Ended>;
  remove(): Promise<void>;
}

interface RunOptions {
  /** Instead of the flags that name the places. */
  readonly env?: Readonly<Record<string, string>>;
  /** What it reads from standard input; nothing if absent. */
  readonly input?: string;
}

export interface Ended {
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A line of the agent's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface Agent {
  readonly pid: number;
  /** From its start to the line "ready". */
  readonly readyAfterMs: number;
  readonly log: readonly LogLine[];
  /** Resolves with the first log line with this event, also if it came already. */
  logged(event: string): Promise<LogLine>;
  /** One request on a connection of its own. */
  ask(message: object | string): Promise<Reply>;
  connect(): Promise<Peer>;
  /** Sends a signal; resolves with the exit status when the process is gone. */
  end(signal?: NodeJS.Signals): Promise<number | undefined>;
}

/**
 * Makes the folder and a configuration with these settings, the files of the machine spared. `before`
 * are words that stand before the executable's: a program that makes a machine for it and becomes it.
 */
export async function createHome(
  namespace: string,
  settings = '',
  before: readonly string[] = [],
): Promise<Home> {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-e2e-'));
  const home = {
    namespace,
    before,
    folder,
    config: join(folder, 'ar-exec.conf'),
    state: join(folder, 'state'),
    socket: join(folder, 'ar-exec.sock'),
    managerLog: join(folder, 'logs', 'active-responses.log'),
    hostsDeny: join(folder, 'hosts.deny'),
  };
  await mkdir(home.state, { mode: 0o700 });
  const configure = (all: string): Promise<void> =>
    writeFile(
      home.config,
      `<ar-exec>
      <active_responses_log>${home.managerLog}</active_responses_log>
      <hosts_deny_file>${home.hostsDeny}</hosts_deny_file>
      <block_folder>${join(folder, 'ipblock')}</block_folder>
      <dbus_socket>${join(folder, 'no-bus')}</dbus_socket>
      ${all}
    </ar-exec>`,
    );
  await configure(settings);
  return {
    ...home,
    configure,
    run: async (words, { env, input = '' } = {}) => {
      const places = env === undefined ? placesOf(home) : [];
      const result = await execa('ip', inside(home, [...words, ...places]), {
        reject: false,
        input,
        ...(env === undefined ? {} : { env }),
      });
      return { status: result.exitCode, stdout: result.stdout, stderr: result.stderr };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Starts the agent; resolves when it says that it is ready, and rejects when it ends before. */
export async function startAgent(home: Home): Promise<Agent> {
  const startedAt = performance.now();
  const child = execa('ip', inside(home, ['run', ...placesOf(home)]), {
    reject: false,
    buffer: { stdout: false },
    stdin: 'ignore',
  });
  const log: LogLine[] = [];
  const listeners = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    log.push(JSON.parse(line));
    for (const listener of listeners) listener();
  });
  const ended = child.then(({ exitCode, stderr }) => ({ exitCode, stderr }));

  const logged = (event: string): Promise<LogLine> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = log.find(({ msg }) => msg === event);
        if (line === undefined) return;
        listeners.delete(look);
        resolve(line);
      };
      listeners.add(look);
      look();
      void ended.then(({ exitCode, stderr }) =>
        reject(new Error(`the agent ended (${exitCode}) before it logged "${event}": ${stderr}`)),
      );
    });

  await within(readyMs, logged('ready'), () => child.kill('SIGKILL'));
  return {
    // "ip netns exec" becomes the program that it runs.
    pid: child.pid ?? 0,
    readyAfterMs: Math.round(performance.now() - startedAt),
    log,
    logged,
    connect: () => openPeer(home.socket),
    ask: async (message) => {
      const peer = await openPeer(home.socket);
      try {
        return await peer.ask(message);
      } finally {
        peer.close();
      }
    },
    end: async (signal = 'SIGTERM') => {
      child.kill(signal);
      return (await ended).exitCode;
    },
  };
}

function placesOf({ config, state, socket }: Pick<Home, 'config' | 'state' | 'socket'>): string[] {
  return ['--config', config, '--state', state, '--socket', socket];
}

function inside(
  { namespace, before }: Pick<Home, 'namespace' | 'before'>,
  words: readonly string[],
): string[] {
  return ['netns', 'exec', namespace, ...before, executable, ...words];
}

async function within<Result>(
  ms: number,
  work: Promise<Result>,
  giveUp: () => void,
): Promise<Result> {
  const timer = setTimeout(giveUp, ms);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
  }
}
