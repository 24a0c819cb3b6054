/** A machine of its own, an agent on it that can be killed and started again, and what became of it. */
import { randomBytes } from 'node:crypto';
import { access, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { execa } from 'execa';
import { afterAll } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { ActionReply } from '../../agent/reply.ts';
import { createBus } from '../../agent/system/dbus/bus.ts';
import { createRunner } from '../../agent/system/runner.ts';
import { toolFolders } from '../../agent/system/tool-place.ts';
import type { FoundEffect } from '../../platform/driver.ts';
import type { Machine } from '../contract/driver-contract.ts';
import type { Facility, Inside } from './facilities.ts';
import type { During, Moment } from './moments.ts';

const fewTools = fileURLToPath(new URL('./tool-place.ts', import.meta.url));

/** Both agents as one file each, which start in half the time that their sources take. */
const bundles = await mkdtemp(join(tmpdir(), 'ar-exec-crash-'));
afterAll(() => rm(bundles, { recursive: true }));
await build({
  entryPoints: {
    real: fileURLToPath(new URL('../../agent/main.ts', import.meta.url)),
    doomed: fileURLToPath(new URL('./agent.ts', import.meta.url)),
  },
  outdir: bundles,
  plugins: [
    {
      name: 'few tools',
      setup: ({ onResolve }) => {
        onResolve({ filter: /\/tool-place\.ts$/ }, ({ importer }) =>
          importer === fewTools ? undefined : { path: fewTools },
        );
      },
    },
  ],
  outExtension: { '.js': '.mjs' },
  bundle: true,
  platform: 'node',
  format: 'esm',
  banner: {
    js: [
      "import { createRequire as createBundleRequire } from 'node:module';",
      'const require = createBundleRequire(import.meta.url);',
    ].join('\n'),
  },
});

/** When the agent is to kill itself. */
export interface Death {
  readonly during: During;
  readonly at: Moment;
  readonly target: string;
  readonly after?: number;
  /** What else test/crash/agent.ts is to be told. */
  readonly more?: readonly string[];
}

export interface Reply {
  readonly ok: boolean;
  readonly id?: number;
  readonly code?: string;
  readonly until?: string;
  readonly refreshed?: boolean;
  readonly actions?: readonly ActionReply[];
}

/** What the journal says of one action once nobody has it open. */
export interface Entry {
  readonly target: string;
  readonly state: string;
}

export interface Endpoint {
  /** Starts the agent as people do, and resolves when it is ready. */
  start(): Promise<void>;
  /** Starts one that is going to kill itself; resolves when it is ready, or dead before. */
  startDoomed(death: Death): Promise<void>;
  /** Sends one request. Undefined: the agent died before it answered. */
  ask(request: object): Promise<Reply | undefined>;
  /** Sends all at once over one connection; `onReply` sees each reply. Ends with the connection. */
  askAll(requests: readonly object[], onReply?: () => void): Promise<Map<number, Reply>>;
  /** Waits until it has killed itself. */
  death(): Promise<void>;
  /** Waits until the tools that it started have ended too. */
  calm(): Promise<void>;
  kill(): Promise<void>;
  /** Of the agent. */
  pid(): number;
  stop(): Promise<void>;
  /** Live actions as the agent lists them. */
  list(): Promise<readonly ActionReply[]>;
  /** Effects of ours as the driver finds them on the machine. */
  found(): Promise<readonly FoundEffect[]>;
  /** All actions that the journal remembers. */
  journal(): readonly Entry[];
  dump(): Promise<string>;
  close(): Promise<void>;
}

export async function createEndpoint(facility: Facility): Promise<Endpoint> {
  const name = `ar-c-${randomBytes(3).toString('hex')}`;
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-crash-'));
  const [config, state, socket] = ['ar-exec.conf', 'state', 'socket'].map((file) =>
    join(folder, file),
  ) as [string, string, string];
  const places = ['--config', config, '--state', state, '--socket', socket];
  await writeFile(config, configuration(folder, facility));
  const env = await toolsIn(join(folder, 'tools'), facility.tools);
  await execa('ip', ['netns', 'add', name]);
  const inside = facility.inside?.(folder);
  const machine = machineIn(name, inside, facility.bus?.(folder));
  let resident: readonly string[] = [];
  const processes = async (): Promise<string[]> => {
    const { stdout } = await execa('ip', ['netns', 'pids', name]);
    return stdout.split('\n').filter((pid) => pid !== '' && !resident.includes(pid));
  };
  let agent: ReturnType<typeof launch> | undefined;

  const endpoint: Endpoint = {
    start: async () => {
      agent = launch({ name, inside, env }, ['real', 'run', ...places]);
      if (!(await agent.ready))
        throw new Error(
          `the agent did not start: ${JSON.stringify(await agent.ended)} ${agent.said()}`,
        );
    },
    startDoomed: async ({ during, at, target, after = 0, more = [] }) => {
      const death = ['--during', during, '--at', at, '--target', target, '--after', `${after}`];
      const moment = [...death, ...more];
      agent = launch({ name, inside, env }, ['doomed', ...places, ...moment]);
      await agent.ready;
    },
    ask: async (request) => {
      const replies = await endpoint.askAll([request]);
      return replies.get(0);
    },
    askAll: (requests, onReply) => askAll(socket, requests, onReply),
    death: async () => {
      const { signal } = (await agent?.ended) ?? {};
      if (signal !== 'SIGKILL') throw new Error(`the agent did not kill itself: ${agent?.said()}`);
    },
    calm: async () => {
      while ((await processes()).length > 0) await pause(5);
    },
    kill: async () => {
      agent?.child.kill('SIGKILL');
      await agent?.ended;
    },
    pid: () => {
      // "ip netns exec" and what comes after it become the program that they start.
      if (agent?.child.pid === undefined) throw new Error('no agent has been started');
      return agent.child.pid;
    },
    stop: async () => {
      agent?.child.kill('SIGTERM');
      const { exitCode } = (await agent?.ended) ?? {};
      if (exitCode !== 0) throw new Error(`the agent ended with ${exitCode}: ${agent?.said()}`);
    },
    list: async () => {
      const reply = await endpoint.ask({ command: 'list', limit: 100_000 });
      return reply?.actions ?? [];
    },
    found: async () => {
      const driver = facility.kind.make(facility.settings(folder));
      const reading = await createCarrier(driver, machine.run).inspect();
      if (!reading.known) throw new Error(reading.why);
      return reading.effects;
    },
    journal: () => readJournal(join(state, 'journal.db')),
    dump: () => facility.dump(machine, folder),
    close: async () => {
      await endpoint.kill();
      await facility.close?.(folder);
      await machine.close();
      await rm(folder, { recursive: true });
    },
  };
  try {
    await facility.plant(machine, folder);
    resident = await processes();
  } catch (error) {
    await endpoint.close();
    throw error;
  }
  return endpoint;
}

/** The agent's configuration, in `ar-exec.conf` of the folder. */
export function configuration(
  folder: string,
  { config, bus }: Pick<Facility, 'config' | 'bus'>,
): string {
  return `<ossec_config><ar-exec>
    <hosts_deny_file>${join(folder, 'hosts.deny')}</hosts_deny_file>
    <block_folder>${join(folder, 'ipblock')}</block_folder>
    <manager_home>${join(folder, 'ossec')}</manager_home>
    <active_responses_log>${join(folder, 'active-responses.log')}</active_responses_log>
    <dbus_socket>${bus?.(folder) ?? join(folder, 'no-bus')}</dbus_socket>
    ${config}
  </ar-exec></ossec_config>`;
}

type Environment = Readonly<Record<string, string>>;

/** Whoever is used by any facility: sees what may be written, copies, ends connections. */
const toolsOfAll = ['test', 'cp', 'ss', 'conntrack'];

/**
 * A folder with these tools only, and what makes an agent look for them there: to ask after those of all
 * the other drivers would take it most of its start.
 */
async function toolsIn(folder: string, tools: readonly string[] | undefined): Promise<Environment> {
  if (tools === undefined) return {};
  await mkdir(folder);
  await Promise.all(
    [...toolsOfAll, ...tools].map(async (tool) => {
      const places = toolFolders.map((place) => join(place, tool));
      const found = await Promise.any(places.map(async (file) => access(file).then(() => file)));
      await symlink(found, join(folder, tool));
    }),
  );
  return { TOOL_FOLDERS: folder };
}

function machineIn(name: string, within: Inside | undefined, bus: string | undefined): Machine {
  const inside = (argv: readonly string[]) => ['netns', 'exec', name, ...argv];
  const run = createRunner({ bus: createBus(bus ?? '/nowhere') });
  return {
    run:
      within?.run ??
      ((step) =>
        step.kind === 'command'
          ? run({ ...step, tool: 'ip', args: inside([step.tool, ...step.args]) })
          : run(step)),
    exec: async (argv, input = '') =>
      (await execa('ip', inside(argv), { input, stripFinalNewline: false })).stdout,
    close: async () => {
      await execa('ip', ['netns', 'del', name]);
    },
  };
}

/** `ready`: true when it said so, false when it ended before. */
function launch(
  { name, inside, env }: { name: string; inside: Inside | undefined; env: Environment },
  [which, ...words]: readonly string[],
) {
  const node = [process.execPath, join(bundles, `${which}.mjs`), ...words];
  const command = inside?.command(node) ?? node;
  const child = execa('ip', ['netns', 'exec', name, ...command], {
    env: { NODE_COMPILE_CACHE: join(bundles, 'cache'), ...env },
    // On a busy machine it may take its time to stop.
    forceKillAfterDelay: false,
    reject: false,
    all: true,
    buffer: false,
    stdin: 'ignore',
  });
  let said = '';
  const ended = (async () => {
    const result = await child;
    return { exitCode: result.exitCode, signal: result.signal };
  })();
  const ready = new Promise<boolean>((resolve) => {
    child.all.on('data', (chunk: Buffer) => {
      said += String(chunk);
      if (said.includes('"msg":"ready"')) resolve(true);
    });
    void ended.then(() => resolve(false));
  });
  return { child, ended, ready, said: () => said };
}

/** Resolves with the replies by the place of their request, when all are there or nobody answers. */
async function askAll(
  path: string,
  requests: readonly object[],
  onReply: (() => void) | undefined,
): Promise<Map<number, Reply>> {
  if (requests.length === 0) return new Map();
  const socket = connect(path);
  const replies = new Map<number, Reply>();
  let text = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (text + chunk).split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      replies.set(reply.id ?? -1, reply);
      onReply?.();
    }
    if (replies.size === requests.length) socket.destroy();
  });
  // An agent that dies resets the connection, which `once` of node:events would throw.
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(requests.map((request, id) => `${JSON.stringify({ ...request, id })}\n`).join(''));
  await closed;
  return replies;
}

function readJournal(file: string): Entry[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const rows = database.prepare('SELECT target, state FROM actions ORDER BY id').all();
    return rows.map((row) => ({ target: String(row['target']), state: String(row['state']) }));
  } finally {
    database.close();
  }
}
