/**
 * What a run of the torture tests is: the short form of `npm test`, or the long one of
 * `npm run test:torture`, which has minutes to spend. The same tests do both.
 *
 *     AR_EXEC_TORTURE_MINUTES   the long form, and how long it may take all in all
 *     AR_EXEC_TORTURE_SEED      what chance goes by; printed, so that a run can be had again
 */
import { createHash, randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where each torture leaves its figures, and the long run the sum of them. */
export const figuresFolder = fileURLToPath(new URL('../../build/out/torture/', import.meta.url));

const minutes = Number(process.env['AR_EXEC_TORTURE_MINUTES'] ?? 0);

/** Whether there are minutes to spend. */
export const isLong = minutes > 0;

const seed = Number(process.env['AR_EXEC_TORTURE_SEED'] ?? randomInt(2 ** 31));

/** How much of a long run each torture may take, in hundredths of the whole; together at most 100. */
const shares = {
  fuzz: 20,
  storm: 35,
  tools: 15,
  'slow-disk': 2,
  power: 5,
  reboot: 5,
  disk: 5,
  clock: 5,
} as const;

export type Torture = keyof typeof shares;

/** How long a torture may take in the long form. It ends by itself when that is over. */
export function shareMs(name: Torture): number {
  return (minutes * 60_000 * shares[name]) / 100;
}

/** As long as a test may take before it counts as hanging, whatever else the machine does. */
export function patienceMs(name: Torture, shortMs: number): number {
  return isLong ? Math.max(shortMs, shareMs(name) * 2 + 300_000) : shortMs;
}

/** How many of something: this many in `npm test`, that many in the long form. */
export function amount(short: number, long: number): number {
  return isLong ? long : short;
}

/** Chance that is the same for the same seed; `name` keeps tortures apart. */
export interface Chance {
  /** From 0 to 1, without 1. */
  fraction(): number;
  /** A whole number below this. */
  below(limit: number): number;
  /** One of these. */
  one<Item>(items: readonly Item[]): Item;
  /** All of these, in another order. */
  shuffled<Item>(items: readonly Item[]): Item[];
}

export function createChance(name: string): Chance {
  let count = 0;
  const fraction = (): number => {
    const hash = createHash('sha256').update(`${seed} ${name} ${count++}`).digest();
    return hash.readUInt32BE() / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(fraction() * limit);
  return {
    fraction,
    below,
    one: (items) => {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error(`nothing to choose from for ${name}`);
      return item;
    },
    shuffled: (items) => {
      const left = [...items];
      return items.flatMap(() => left.splice(below(left.length), 1));
    },
  };
}

export type Figures = Readonly<Record<string, number | string | Readonly<Record<string, number>>>>;

/** Keeps what was counted and measured, for docs/guarantees.md. */
export async function keepFigures(name: Torture, figures: Figures): Promise<void> {
  await mkdir(figuresFolder, { recursive: true });
  const kept = { seed, long: isLong, machine: machine(), ...figures };
  await writeFile(join(figuresFolder, `${name}.json`), `${JSON.stringify(kept, null, 2)}\n`);
}

function machine(): string {
  return `${cpus().length} cores, ${process.arch}, Linux ${release()}, Node ${process.versions.node}`;
}
