/**
 * The long run:
 *
 *     node test/torture/fuzz/main.ts [--inputs 10000000] [--minutes 60] [--seed N] [--target NAME] [--keep]
 *
 * Each target has as much time as the others. `--keep` writes the seeds anew, with the smallest inputs
 * that reach what was reached.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { LoopResult } from './loop.ts';
import { runFuzzer } from './run.ts';
import { targets } from './targets.ts';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '10000000' },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    target: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
});
const chosen = targets.filter(({ name }) => values.target === undefined || name === values.target);
const atMost = Number(values.inputs);
const milliseconds = (Number(values.minutes) * 60_000) / chosen.length;
let inputs = 0;
let crashes = 0;
for (const { name } of chosen) {
  const result = await runFuzzer({
    target: name,
    seed: Number(values.seed),
    inputs: atMost,
    milliseconds,
  });
  inputs += result.inputs;
  crashes += result.crashes.length;
  tell(result);
  if (values.keep) await keep(result);
}
process.stdout.write(`${inputs} inputs, ${crashes} crashes, seed ${values.seed}\n`);
process.exitCode = crashes === 0 ? 0 : 1;

function tell(result: LoopResult): void {
  const { target, inputs: tried, seconds, ran, all, corpus, slowestMs, grownBytes } = result;
  const facts = [
    `${tried} inputs`,
    `${Math.round(tried / seconds)} a second`,
    `${((100 * ran) / all).toFixed(1)} % of ${Math.round(all / 1_024)} KiB of code reached`,
    `${corpus.length} kept`,
    `slowest ${slowestMs.toFixed(1)} ms`,
    `heap ${(grownBytes / 1_048_576).toFixed(1)} MiB more`,
  ];
  process.stdout.write(`${target}: ${facts.join(', ')}\n`);
  for (const { input, error } of result.crashes) {
    process.stdout.write(
      `  ${JSON.stringify(input)}\n  ${error.split('\n').slice(0, 6).join('\n  ')}\n`,
    );
  }
}

/** The corpus has been reached in steps; not all of them are needed any more. */
async function keep({ target, seed, corpus }: LoopResult): Promise<void> {
  const bySize = corpus.filter((one) => one.length <= 1_024).sort((a, b) => a.length - b.length);
  const file = new URL(`seeds/${target}.json`, import.meta.url);
  await writeFile(file, '[]');
  const { corpus: needed } = await runFuzzer({
    target,
    seed,
    inputs: bySize.length,
    milliseconds: 60_000,
    more: bySize,
  });
  await writeFile(file, `${JSON.stringify(needed, undefined, 1)}\n`);
}
