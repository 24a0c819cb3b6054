import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('docs/threat-model.md names a test for each threat, and only tests that are there', () => {
  const page = readFileSync('docs/threat-model.md', 'utf8');
  const [, threats = ''] = page.split('## Threats');
  const [table = ''] = threats.split('\n## ');
  const rows = table.split('\n').filter((line) => line.startsWith('| **'));
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.filter((row) => !row.includes('`test/'))).toEqual([]);
  const named = [...page.matchAll(/`((?:test|agent|platform)\/[^`]+)`/g)].map(([, path]) => path);
  expect(named.filter((path) => !existsSync(path ?? ''))).toEqual([]);
});
