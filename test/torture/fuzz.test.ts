/**
 * Messages of every dialect and files that others write, made by a fuzzer: no crash, no hang, no growth,
 * nothing done but what was asked for. The short form goes on from what the long ones have found.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { amount, isLong, keepFigures, patienceMs, shareMs } from './course.ts';
import { runFuzzer } from './fuzz/run.ts';
import { targets } from './fuzz/targets.ts';

/** For all targets together. */
const shortMs = 45_000;
const allMs = isLong ? shareMs('fuzz') : shortMs;

describe('fuzzing', () => {
  const figures: Record<string, Record<string, number>> = {};
  afterAll(() => keepFigures('fuzz', figures));

  test.each(targets.map(({ name }) => name))(
    '%s',
    async (target) => {
      const seed = Math.floor(Math.random() * 2 ** 31);
      const result = await runFuzzer({
        target,
        seed,
        inputs: amount(200_000, 10_000_000),
        milliseconds: allMs / targets.length,
      });
      const { inputs, seconds, ran, all, crashes, slowestMs, slowest, grownBytes } = result;
      figures[target] = { inputs, perSecond: Math.round(inputs / seconds), ran, all, slowestMs };
      expect(crashes, `seed ${seed}`).toEqual([]);
      expect(inputs).toBeGreaterThan(100);
      // An input of 128 KiB can take some milliseconds, and the machine may be busy.
      expect(slowestMs, slowest.slice(0, 4_096)).toBeLessThan(2_000);
      expect(grownBytes).toBeLessThan(64 * 1_048_576);
    },
    patienceMs('fuzz', 120_000),
  );
});
