import { execa } from 'execa';
import type { CommandStep } from '../../platform/step.ts';

/** `nft -j list` of 100,000 elements prints about 9 MB. */
const outputLimitBytes = 128 * 1024 * 1024;

/** Starts a tool in a process group of its own, with nothing of our environment. */
export function startChild(file: string, step: CommandStep, env: Record<string, string>) {
  return execa(file, step.args, {
    detached: true,
    cwd: '/',
    env,
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    maxBuffer: outputLimitBytes,
    stdin: 'pipe',
  });
}

export type Child = ReturnType<typeof startChild>;
