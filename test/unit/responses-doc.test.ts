import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { stepText } from '../../agent/cli/steps.ts';
import { responses } from '../../agent/policy/responses.ts';
import { drivers } from '../../platform/index.ts';
import { parseTarget } from '../../platform/target.ts';
import { readRows } from './read-table.ts';

const page = readFileSync('docs/responses.md', 'utf8');
const rows = readRows(page);

/** The text below a heading, up to the next one of the same or a higher level. */
function section(text: string, level: number, name: string): string | undefined {
  const mark = '#'.repeat(level);
  const [, ...parts] = text.split(new RegExp(`^${mark} `, 'm'));
  const part = parts.find((one) => one.startsWith(`\`${name}\`\n`));
  return part?.split(new RegExp(`^#{2,${level}} `, 'm'))[0];
}

describe.each(responses)('$name in docs/responses.md', ({ name, drivers: names }) => {
  test('has a section, with one for each of its drivers', () => {
    const text = section(page, 2, name) ?? '';
    expect(text).not.toBe('');
    const found = [...text.matchAll(/^### `(.+)`$/gm)].map(([, driver]) => driver);
    expect(found).toEqual(names);
  });

  test('has a row that names its drivers in their order', () => {
    const row = rows.find((cells) => cells[0] === name && cells.length === 4);
    expect(row?.[2]).toBe(names.join(', '));
  });
});

test('docs/responses.md has no response that does not exist', () => {
  const found = [...page.matchAll(/^## `(.+)`$/gm)].map(([, response]) => response);
  expect(found).toEqual(responses.map(({ name }) => name));
});

describe.each(drivers)('the driver $name in docs/responses.md', (kind) => {
  const driver = kind.make({ ...kind.defaults, path: '/tmp/try/hosts.deny' });
  const text = section(page, 3, kind.name) ?? '';
  const target = parseTarget('203.0.113.7');
  if (target === undefined) throw new Error('not an address');

  test('has a row that tells whether its effects end by themselves', () => {
    const row = rows.find((cells) => cells[0] === kind.name && cells.length === 2);
    const { selfExpiring, longestExpiryMs } = driver.traits;
    expect(row?.[1]).toBe(selfExpiring ? `yes, up to ${days(longestExpiryMs ?? 0)}` : 'no');
  });

  test.each([
    ['add', driver.apply([{ target, expiresInMs: 600_000 }])],
    ['delete', driver.revert([{ target }])],
  ])('shows what it runs on %s', (_, steps) => {
    for (const step of steps) expect(text).toContain(stepText(step));
  });
});

function days(ms: number): string {
  const hours = Math.floor(ms / 3_600_000);
  const whole = Math.floor(hours / 24).toLocaleString('en-GB');
  return hours % 24 === 0 ? `${whole} days` : `${whole} days and ${hours % 24} hours`;
}
