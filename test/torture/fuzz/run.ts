/** Runs the fuzzer on a target, and sees to it that an input that hangs it is known. */
import { Worker } from 'node:worker_threads';
import type { LoopResult } from './loop.ts';

export interface RunOptions {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  readonly milliseconds: number;
  /** Inputs to begin with, besides the seeds of the target; in latin1. */
  readonly more?: readonly string[];
}

export type WorkerData = Required<RunOptions> & { readonly shared: SharedArrayBuffer };

const longestInput = 262_144;
/** Of the processor, not of the clock: the machine may have other work. */
const hangsAfterMs = 10_000;
const heapMegabytes = 512;

/** Rejects when an input hangs it, or kills it. */
export function runFuzzer(options: RunOptions): Promise<LoopResult> {
  const shared = new SharedArrayBuffer(8 + longestInput);
  const progress = new Int32Array(shared, 0, 2);
  const current = (): string => {
    const bytes = Buffer.from(new Uint8Array(shared, 8, progress[1]));
    return JSON.stringify(bytes.toString('latin1').slice(0, 4_096));
  };
  const workerData: WorkerData = { more: [], ...options, shared };
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: heapMegabytes },
  });
  return new Promise((resolve, reject) => {
    let before = -1;
    let since = cpuMs();
    const timer = setInterval(() => {
      const now = Atomics.load(progress, 0);
      if (now !== before) since = cpuMs();
      before = now;
      if (cpuMs() - since < hangsAfterMs) return;
      finish(() => reject(new Error(`${options.target}: it hangs at ${current()}`)));
    }, 1_000);
    const finish = (then: () => void): void => {
      clearInterval(timer);
      void worker.terminate();
      then();
    };
    worker.once('message', (result: LoopResult) => finish(() => resolve(result)));
    worker.once('error', (error) =>
      finish(() => reject(new Error(`${options.target}: ${error} at ${current()}`))),
    );
  });
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
