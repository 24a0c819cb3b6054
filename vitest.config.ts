import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Tests that share the machine (its kernel, its time) run one file after the other. */
const alone = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

/** A file for each core; Vitest by itself leaves one of them to itself, which is half of two. */
const beside = {
  maxWorkers: Math.max(2, availableParallelism()),
  testTimeout: 30_000,
  hookTimeout: 30_000,
};

/** Files that have a machine of their own each, two of them at a time. */
const apart = { maxWorkers: 2, testTimeout: 120_000, hookTimeout: 120_000 };

const project = (name: string, groupOrder: number, settings = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], sequence: { groupOrder }, ...settings },
});

export default defineConfig({
  test: {
    setupFiles: ['./test/plain-environment.ts'],
    reporters: ['default', './test/closing-line.ts'],
    projects: [
      project('unit', 0, beside),
      project('drivers', 0, beside),
      project('kernel', 1, alone),
      project('crash', 2, alone),
      project('e2e', 3, alone),
      project('compat', 4, alone),
      project('torture', 5, alone),
      project('wine', 6, apart),
      project('life', 6, apart),
    ],
  },
});
