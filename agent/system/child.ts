import { execa } from 'execa';
import type { CommandStep } from '../../platform/step.ts';

/** `nft -j list` of 100,000 elements prints about 9 MB. */
const outputLimitBytes = 128 * 1024 * 1024;

/** Where tools are looked for, and what they find when they start. */
export interface ToolPlace {
  readonly folders: readonly string[];
  readonly environment: Record<string, string>;
  /** The folder in which they start; nobody but the system's owner writes there. */
  readonly start: string;
  /** A child leads a process group, which is ended as a whole. */
  readonly groups: boolean;
  /** What a program's name ends in, where it need not be said. */
  readonly ending: string;
}

/** Starts a tool in a process group of its own where there are such, with nothing of our environment. */
export function startChild(file: string, step: CommandStep, place: ToolPlace) {
  return execa(file, step.args, {
    // On Windows it would be without a console, and some tools with it; and it would outlive us.
    detached: place.groups,
    windowsHide: true,
    cwd: place.start,
    env: place.environment,
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    maxBuffer: outputLimitBytes,
    stdin: 'pipe',
  });
}

export type Child = ReturnType<typeof startChild>;
