import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { inCi } from './ci.ts';

/**
 * Says as the very last line of a run how many tests passed, failed and were skipped. A file or a
 * suite that fails outside of its tests counts as a failed one. What was skipped is named before it,
 * with the reason that stands in its name, and what the projects took. In CI a skipped test fails the run.
 */
export default function closingLine(): Reporter {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  let skipped: readonly string[] = [];
  let times = '';

  process.on('exit', () => {
    if (times !== '') process.stdout.write(`seconds: ${times}\n`);
    for (const name of skipped) process.stdout.write(`skipped: ${name}\n`);
    if (counts.skipped > 0 && inCi) {
      process.stdout.write('In CI no test may be skipped.\n');
      process.exitCode = 1;
    }
    process.stdout.write(
      `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`,
    );
  });

  return {
    onTestRunEnd(modules, unhandledErrors) {
      const tests = modules.flatMap((module) => [...module.children.allTests()]);
      counts.passed = count(tests, 'passed');
      counts.skipped = count(tests, 'skipped');
      skipped = skippedSuites(modules);
      times = secondsOfProjects(modules);
      counts.failed = count(tests, 'failed') + failuresOutside(modules) + unhandledErrors.length;
    },
  };
}

function count(tests: readonly TestCase[], state: string): number {
  return tests.filter((test) => test.result().state === state).length;
}

/** What the files of each project took, in sum. */
function secondsOfProjects(modules: readonly TestModule[]): string {
  const sums = new Map<string, number>();
  for (const module of modules) {
    const { name } = module.project;
    sums.set(name, (sums.get(name) ?? 0) + module.diagnostic().duration);
  }
  return [...sums].map(([name, ms]) => `${name} ${Math.round(ms / 1_000)}`).join(', ');
}

/** The outermost suites of which no test ran, a line each: the file, and the suite's name. */
function skippedSuites(modules: readonly TestModule[]): string[] {
  return modules.flatMap((module) =>
    [...module.children.suites()]
      .filter((suite) => {
        const tests = [...suite.children.allTests()];
        return tests.length > 0 && tests.every((test) => test.result().state === 'skipped');
      })
      .map((suite) => `${module.relativeModuleId}: ${suite.name}`),
  );
}

function failuresOutside(modules: readonly TestModule[]): number {
  return modules
    .flatMap((module) => [module, ...module.children.allSuites()])
    .filter((group) => group.errors().length > 0).length;
}
