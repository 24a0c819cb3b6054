/** One run of the fuzzer on a target, in a thread of its own: one that hangs can be ended. */
import { parentPort, workerData } from 'node:worker_threads';
import { startCoverage } from './coverage.ts';
import { fuzz } from './loop.ts';
import type { WorkerData } from './run.ts';
import { seedsOf } from './seeds.ts';
import { targets } from './targets.ts';

const { target: name, seed, inputs, milliseconds, more, shared } = workerData as WorkerData;
const target = targets.find((one) => one.name === name);
if (target === undefined) throw new Error(`there is no target ${name}`);
const progress = new Int32Array(shared, 0, 2);
const current = Buffer.from(shared, 8);

const result = await fuzz({
  target,
  seeds: [...seedsOf(name), ...more].map((one) => Buffer.from(one, 'latin1')),
  coverage: startCoverage((url) => /\/(?:agent|platform)\/.*\.ts$/.test(url)),
  seed,
  inputs,
  milliseconds,
  onInput: (input) => {
    input.copy(current);
    Atomics.store(progress, 1, Math.min(input.length, current.length));
    Atomics.add(progress, 0, 1);
  },
});
parentPort?.postMessage(result);
