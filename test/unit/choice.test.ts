/** Which driver is taken, for every combination of what can be used, against docs/platforms.md. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Candidate, choose } from '../../agent/engine/choose.ts';
import { responses } from '../../agent/policy/responses.ts';
import type { Usability } from '../../platform/driver.ts';
import { kindsOn } from '../../platform/index.ts';
import { type System, systems } from '../../platform/system.ts';
import { readRows } from './read-table.ts';

const rows = readRows(readFileSync('docs/platforms.md', 'utf8'));
const table = rows.slice(rows.findIndex((row) => row[1] === 'firewall-drop'));

/** What the page says of a response on a system, in order. */
function told(system: System, response: string): string[] {
  const row = table.find(([name]) => name === systems[system]);
  const cell = row?.[table[0]?.indexOf(response) ?? -1] ?? 'no such row';
  return cell === 'none' ? [] : cell.split(', ');
}

/** What a driver is found to be good for. */
const findings: readonly (readonly (4 | 6)[])[] = [[], [4], [6], [4, 6]];

function* combinations(count: number): Generator<readonly (readonly (4 | 6)[])[]> {
  for (let index = 0; index < findings.length ** count; index += 1) {
    yield Array.from(
      { length: count },
      (_, place) => findings[Math.floor(index / findings.length ** place) % findings.length] ?? [],
    );
  }
}

function candidatesOn(system: System, response: string): readonly string[] {
  const there = kindsOn(system).drivers.map(({ name }) => name);
  const known = responses.find(({ name }) => name === response)?.drivers ?? [];
  return known.filter((name) => there.includes(name));
}

const usability = (families: readonly (4 | 6)[]): Usability => ({
  usable: families.length > 0,
  why: families.length > 0 ? 'runs' : 'does not run',
  families,
});

const cases = (Object.keys(systems) as System[]).flatMap((system) =>
  ['firewall-drop', 'block-ip'].map((response) => [system, response] as const),
);

describe.each(cases)('on %s, %s', (system, response) => {
  const names = candidatesOn(system, response);

  test('has the drivers that docs/platforms.md tells, in that order', () => {
    expect(names).toEqual(told(system, response));
  });

  test('takes the first that can be used, and the others after it', () => {
    let tried = 0;
    for (const combination of combinations(names.length)) {
      tried += 1;
      const candidates: Candidate[] = names.map((driver, index) => ({
        driver,
        usability: usability(combination[index] ?? []),
        prefixes: true,
      }));
      const choice = choose(response, candidates);
      for (const family of [4, 6] as const) {
        const serving = told(system, response).filter((driver) =>
          combination[names.indexOf(driver)]?.includes(family),
        );
        expect(choice.byFamily[family], choice.why).toBe(serving[0]);
        expect(choice.inOrder.hosts[family]).toEqual(serving);
        expect(choice.inOrder.prefixes[family]).toEqual(serving);
      }
      for (const name of names) expect(choice.why).toContain(`${name}=`);
    }
    expect(tried).toBe(4 ** names.length);
  });
});

test('no driver is a candidate on a system that it is not for', () => {
  expect(candidatesOn('openbsd', 'block-ip')).not.toContain('nftables');
  expect(candidatesOn('linux', 'block-ip')).not.toContain('pf');
});
