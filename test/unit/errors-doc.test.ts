import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { errorCodes, exitStatus } from '../../agent/errors.ts';
import { readRows } from './read-table.ts';

const rows = readRows(readFileSync('docs/errors.md', 'utf8'));

test('docs/errors.md has every exit status', () => {
  const told = rows
    .filter((row) => /^\d+$/.test(row[0] ?? ''))
    .map(([status, name]) => [name, Number(status)]);
  expect(told).toEqual(Object.entries(exitStatus));
});

test('docs/errors.md has every code, in the order of the source, with its exit status', () => {
  const told = rows
    .filter((row) => /^\d+$/.test(row[1] ?? ''))
    .map(([code, status]) => [code, Number(status)]);
  expect(told).toEqual(Object.entries(errorCodes));
});

test('docs/errors.md says of every code what happened and what to do', () => {
  const codes = rows.filter((row) => /^\d+$/.test(row[1] ?? ''));
  expect(codes.filter((row) => row.length !== 4 || row.some((cell) => cell === ''))).toEqual([]);
});
