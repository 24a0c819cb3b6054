/**
 * The loop of the fuzzer: inputs are made from those that were worth keeping, and one is worth keeping
 * when code ran that had never run before. V8 is asked once for many inputs; only when there is something
 * new it is found out which of them it was.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Coverage } from './coverage.ts';
import { minimise } from './minimise.ts';
import { mutate } from './mutate.ts';
import { createRandom } from './random.ts';
import type { FuzzTarget } from './target.ts';

export interface LoopOptions {
  readonly target: FuzzTarget;
  readonly seeds: readonly Buffer[];
  readonly coverage: Coverage;
  readonly seed: number;
  readonly inputs: number;
  readonly milliseconds: number;
  /** Is told of each input before it is tried: whoever watches knows at which one it hangs. */
  onInput(input: Buffer): void;
}

export interface Crash {
  /** In latin1, so that every byte is one character. */
  readonly input: string;
  readonly error: string;
}

export interface LoopResult {
  readonly target: string;
  readonly seed: number;
  readonly inputs: number;
  readonly seconds: number;
  readonly corpus: readonly string[];
  readonly ran: number;
  readonly all: number;
  readonly crashes: readonly Crash[];
  readonly slowestMs: number;
  readonly slowest: string;
  /** How much more the heap holds at the end than after the first inputs, garbage collected. */
  readonly grownBytes: number;
}

/** V8 is asked after so many inputs: few as long as there is much that is new, then more. */
const smallestBatch = 64;
const largestBatch = 2_048;
const warmUp = 20_000;
const corpusAtMost = 4_096;
const crashesAtMost = 20;
/** An input that took this long is tried again: the machine may have done something else meanwhile. */
const suspiciousMs = 100;

export async function fuzz(options: LoopOptions): Promise<LoopResult> {
  const { target, seeds, coverage, inputs, milliseconds, onInput } = options;
  const random = createRandom(options.seed);
  const corpus: Buffer[] = [];
  const crashes = new Map<string, Crash>();
  let slowestMs = 0;
  let slowest = '';
  let done = 0;
  let heapBefore: number | undefined;
  let batch = smallestBatch;
  const started = performance.now();

  const attempt = (input: Buffer): void => {
    onInput(input);
    const from = performance.now();
    const error = tryInput(target, input);
    let took = performance.now() - from;
    if (took > suspiciousMs) took = Math.min(took, timed(target, input), timed(target, input));
    if (took > slowestMs) {
      slowestMs = took;
      slowest = input.toString('latin1');
    }
    if (error !== undefined && crashes.size < crashesAtMost && !crashes.has(signOf(error))) {
      const small = minimise(input, (one) => signOf(tryInput(target, one)) === signOf(error));
      crashes.set(signOf(error), { input: small.toString('latin1'), error: String(error.stack) });
    }
    done += 1;
  };
  /** Halves what brought something new until what did it is alone. */
  const keep = (list: readonly Buffer[]): void => {
    const middle = Math.ceil(list.length / 2);
    const parts = list.length === 1 ? [list] : [list.slice(0, middle), list.slice(middle)];
    for (const part of parts) {
      for (const input of part) tryInput(target, input);
      const novelty = coverage.look();
      if (novelty === undefined) continue;
      if (part.length > 1) keep(part);
      else {
        novelty.note();
        corpus.push(...part);
        if (corpus.length > corpusAtMost) corpus.splice(random.below(corpus.length), 1);
      }
    }
  };

  for (const input of seeds) {
    attempt(input);
    const novelty = coverage.look();
    if (novelty === undefined) continue;
    novelty.note();
    corpus.push(input);
  }
  while (done < inputs && performance.now() - started < milliseconds) {
    const made = Array.from({ length: Math.min(batch, inputs - done) }, () =>
      mutate(
        random.pick(corpus) ?? Buffer.alloc(0),
        random.pick(corpus) ?? Buffer.alloc(0),
        target,
        random,
      ),
    );
    for (const input of made) attempt(input);
    const novelty = coverage.look();
    if (novelty === undefined) batch = Math.min(largestBatch, batch * 2);
    else {
      batch = smallestBatch;
      keep(made);
      // What is not reached a second time (code that runs once) is new no longer either.
      novelty.note();
    }
    // What an input began and nobody waits for comes to its end.
    await turn();
    if (heapBefore === undefined && done >= warmUp) heapBefore = heapBytes();
  }

  const heapAfter = heapBytes();
  return {
    target: target.name,
    seed: options.seed,
    inputs: done,
    seconds: (performance.now() - started) / 1_000,
    corpus: corpus.map((one) => one.toString('latin1')),
    ...coverage.reached,
    crashes: [...crashes.values()],
    slowestMs,
    slowest,
    grownBytes: heapAfter - (heapBefore ?? heapAfter),
  };
}

function tryInput({ run }: FuzzTarget, input: Buffer): Error | undefined {
  try {
    run(input);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** What an input costs of the processor, whatever else the machine does. */
function timed(target: FuzzTarget, input: Buffer): number {
  const before = process.threadCpuUsage();
  tryInput(target, input);
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

/** The same fault has the same place. */
function signOf(error: Error | undefined): string {
  if (error === undefined) return '';
  const place = /\(?(file:[^)\s]+:\d+:\d+)/.exec(error.stack ?? '')?.[1] ?? '';
  return `${error.name} ${place}`;
}

// Refusals are errors, and most inputs are refused.
Error.stackTraceLimit = 6;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

function heapBytes(): number {
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}
