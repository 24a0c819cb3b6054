/**
 * The long form of the torture tests, bounded in time:
 *
 *     npm run test:torture
 *     npm run test:torture -- --minutes 90 --seed 42 storm power
 *
 * The words are parts of the names of files in this folder; none: all of them. What was counted and
 * measured is printed at the end, and stands in build/out/torture/.
 */
import { randomInt } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startVitest } from 'vitest/node';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
});
if (!(Number(values.minutes) > 0)) throw new Error('--minutes wants a number above 0');
if (!Number.isInteger(Number(values.seed))) throw new Error('--seed wants a whole number');
process.env['AR_EXEC_TORTURE_MINUTES'] = values.minutes;
process.env['AR_EXEC_TORTURE_SEED'] = values.seed;

// What course.ts says of this run is read once the environment says which one it is.
const { figuresFolder } = await import('./course.ts');
await rm(figuresFolder, { recursive: true, force: true });
process.stdout.write(`torture: ${values.minutes} minutes, seed ${values.seed}\n`);

const files = positionals.map((word) => `test/torture/${word}`);
const vitest = await startVitest(files, { project: ['torture'], watch: false });
await vitest.close();

for (const file of (await readdir(figuresFolder).catch(() => [])).sort()) {
  const figures = await readFile(join(figuresFolder, file), 'utf8');
  process.stdout.write(`${file.replace('.json', '')} ${figures}`);
}
process.stdout.write(`torture: to have this run again: --seed ${values.seed}\n`);
