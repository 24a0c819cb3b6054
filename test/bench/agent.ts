/** A running agent in a namespace of its own, and a client that pipelines requests to it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import type { Hosts } from '../kernel/hosts.ts';

export interface BenchAgent {
  /** Sends all requests at once; resolves when each has its reply. Throws when one is not ok. */
  send(requests: readonly object[]): Promise<void>;
  /** Resolves when the agent has nothing left to do, its log included. */
  quiet(): Promise<void>;
  residentMb(): Promise<number>;
  stop(): Promise<void>;
}

const executable = new URL('../../build/out/ar-exec', import.meta.url).pathname;

export async function startBenchAgent(hosts: Hosts): Promise<BenchAgent> {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-bench-'));
  const config = join(folder, 'ar-exec.conf');
  await writeFile(
    config,
    `<ar-exec>
       <hosts_deny_file>${folder}/hosts.deny</hosts_deny_file>
       <active_responses_log>${folder}/active-responses.log</active_responses_log>
     </ar-exec>`,
  );
  const socketPath = join(folder, 'socket');
  const flags = ['--config', config, '--state', join(folder, 'state'), '--socket', socketPath];
  const agent = execa('ip', ['netns', 'exec', hosts.endpoint, executable, 'run', ...flags], {
    buffer: false,
    reject: false,
  });
  await ready(agent.stdout);
  // The log goes on being read: nobody wants to measure a pipe that is full.
  agent.stdout.resume();
  const socket = connect(socketPath);
  await new Promise((resolve) => socket.once('connect', resolve));
  const proc = `/proc/${agent.pid}`;
  return {
    send: createSender(socket),
    quiet: async () => {
      let before = -1;
      let now = await cpuTicks(proc);
      while (now - before > 1) {
        await new Promise((resolve) => setTimeout(resolve, 250));
        before = now;
        now = await cpuTicks(proc);
      }
    },
    residentMb: async () => {
      const status = await readFile(`${proc}/status`, 'utf8');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
    },
    stop: async () => {
      socket.destroy();
      agent.kill('SIGTERM');
      await agent;
      await rm(folder, { recursive: true });
    },
  };
}

/** CPU time used so far, user and system, in hundredths of a second (proc_pid_stat(5)). */
async function cpuTicks(proc: string): Promise<number> {
  const fields = (await readFile(`${proc}/stat`, 'utf8')).split(' ');
  return Number(fields[13]) + Number(fields[14]);
}

async function ready(log: NodeJS.ReadableStream): Promise<void> {
  const lines = createInterface({ input: log });
  for await (const line of lines) if (line.includes('"msg":"ready"')) return;
  throw new Error('the agent did not start');
}

function createSender(socket: Socket): BenchAgent['send'] {
  let rest = '';
  let open = 0;
  let finish: () => void = () => {};
  let fail: (error: Error) => void = () => {};
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (!line.includes('"ok":true')) fail(new Error(line));
    }
    open -= lines.length;
    if (open === 0) finish();
  });
  return (requests) => {
    const text = requests.map((request) => `${JSON.stringify(request)}\n`).join('');
    open = requests.length;
    return new Promise((resolve, reject) => {
      finish = resolve;
      fail = reject;
      socket.write(text);
    });
  };
}
