import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const scripts: Record<string, string> = JSON.parse(readFileSync('package.json', 'utf8')).scripts;

/**
 * On a machine with an older Node the shell that started build/prepare.mjs remembers where that Node
 * is and would run the sources with it, although npm ci has brought another (dash and bash do so).
 */
test('no script goes on with node in the shell that prepared the machine', () => {
  const wrong = Object.entries(scripts).filter(([, script]) =>
    /build\/prepare\.mjs.*&& *node /.test(script),
  );
  expect(wrong).toEqual([]);
});

test('every script that a newcomer types prepares the machine first', () => {
  for (const name of ['demo', 'test', 'build', 'check', 'bench']) {
    expect(scripts[name]).toMatch(/^node build\/prepare\.mjs npm/);
  }
});
