/** A machine as far as files go: a mount namespace with file systems of its own, in temporary folders. */
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { StepResult } from '../../platform/step.ts';
import type { Machine } from '../contract/driver-contract.ts';

const runner = fileURLToPath(new URL('./mount-runner.ts', import.meta.url));

export interface MountMachine extends Machine {
  /** Of the process that runs the steps. */
  readonly pid: number;
}

/** Mounts a tmpfs at each of `folders`, which exist; nobody else sees them. */
export async function mountMachine(folders: readonly string[]): Promise<MountMachine> {
  const child = execa(
    'unshare',
    ['--mount', '--propagation', 'private', process.execPath, runner],
    {
      reject: false,
      buffer: false,
      stdin: 'pipe',
      stderr: 'inherit',
    },
  );
  const waiting = new Map<number, (result: StepResult) => void>();
  let next = 0;
  const ready = new Promise<void>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      if (line === 'ready') return resolve();
      const { id, result } = JSON.parse(line) as { id: number; result: StepResult };
      waiting.get(id)?.(result);
      waiting.delete(id);
    });
    void child.then(() => reject(new Error('the runner has ended')));
  });
  await ready;
  // unshare without --fork becomes the program that it starts.
  const pid = child.pid as number;
  const exec = async (argv: readonly string[], input = ''): Promise<string> => {
    const inside = ['--mount', '--target', String(pid), '--', ...argv];
    return (await execa('nsenter', inside, { input, stripFinalNewline: false })).stdout;
  };
  for (const folder of folders) {
    await exec(['mount', '-t', 'tmpfs', '-o', 'mode=700', 'tmpfs', folder]);
  }
  return {
    pid,
    exec,
    run: (step) =>
      new Promise((resolve) => {
        const id = next++;
        waiting.set(id, resolve);
        child.stdin.write(`${JSON.stringify({ id, step })}\n`);
      }),
    close: async () => {
      child.stdin.end();
      await child;
    },
  };
}
