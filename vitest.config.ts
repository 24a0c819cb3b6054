import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Files that share the kernel, or keep the whole machine busy, run one after the other. */
const alone = { fileParallelism: false, testTimeout: 120_000, hookTimeout: 120_000 };

/** A file for each core; Vitest by itself leaves one of them to itself, which is half of two. */
const beside = {
  maxWorkers: Math.max(2, availableParallelism()),
  testTimeout: 30_000,
  hookTimeout: 30_000,
};

/** Files that have machines of their own (namespaces, containers, Wine), and mostly wait: two at a time. */
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
      project('e2e', 3, apart),
      project('compat', 3, apart),
      project('torture', 4, alone),
      project('wine', 5, apart),
      project('life', 5, apart),
    ],
  },
});
