/** Plays the part of a manager's execd towards an executable: pipes for its input and output, no more. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';

/** Where a manager's agent lies, with links to the executable in the place of its own. */
export interface ManagerHome {
  readonly folder: string;
  /** What the executables find in their environment. */
  readonly env: Readonly<Record<string, string>>;
}

export interface Executable {
  readonly pid: number;
  send(line: string): void;
  /** Its first line; undefined when it closes its output without one. */
  keys(): Promise<string | undefined>;
  /** No more input. */
  endInput(): void;
  /** As execd does before it waits. */
  closeOutput(): void;
  kill(): void;
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string }>;
}

export async function createManagerHome(
  folder: string,
  names: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<ManagerHome> {
  const bin = join(folder, 'active-response', 'bin');
  await mkdir(bin, { recursive: true });
  await mkdir(join(folder, 'logs'), { recursive: true });
  for (const name of names) await symlink(resolve('build/out/ar-exec'), join(bin, name));
  return { folder, env };
}

/** Starts `active-response/bin/<name>` as execd does: by a relative path, in a session of its own. */
export function startExecutable(
  { folder, env }: ManagerHome,
  name: string,
  words: readonly string[] = [],
): Executable {
  const child = spawn(`active-response/bin/${name}`, words, {
    cwd: folder,
    env: { ...env, PATH: process.env['PATH'] },
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  return play(child, child.stdin, child.stdout);
}

function play(child: ChildProcess, stdin: Writable, output: Readable): Executable {
  let stdout = '';
  let listening: () => void = () => {};
  output.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
    listening();
  });
  output.on('close', () => listening());
  // What ends before it has read everything is seen by its status.
  stdin.on('error', () => {});
  const ended = once(child, 'close').then(([status]) => ({ status, stdout }));
  return {
    pid: child.pid ?? 0,
    send: (line) => stdin.write(line),
    keys: async () => {
      while (!stdout.includes('\n') && !output.closed) {
        await new Promise<void>((done) => {
          listening = done;
        });
      }
      const end = stdout.indexOf('\n');
      return end === -1 ? undefined : stdout.slice(0, end);
    },
    endInput: () => stdin.end(),
    closeOutput: () => output.destroy(),
    kill: () => child.kill('SIGKILL'),
    ended,
  };
}
