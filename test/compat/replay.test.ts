/**
 * Each recorded run is replayed, and compared in its effect, its outcome and its log lines. What is
 * otherwise on purpose has a row in docs/compatibility.md that says why, and nothing else has one.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { requires } from '../requirements.ts';
import { readRows } from '../unit/read-table.ts';
import { cases, conversations, type RecordedCase, type Standing } from './cases.ts';
import { type Replayed, replay, spelledOut } from './replay.ts';

const page = readFileSync('docs/compatibility.md', 'utf8');
const rows = readRows(page).filter((row) => row.length === 5 && row[0] !== 'case');
const aspects = ['effect', 'outcome', 'log'] as const;

function recorded(one: RecordedCase): Replayed {
  return { effect: whole(one.after), outcome: one.outcome, log: spelledOut(one, one.log ?? []) };
}

/** What is recorded, but for what is otherwise on purpose. */
function expected(one: RecordedCase): Replayed {
  const { effect, outcome, log } = one.ours ?? {};
  const theirs = recorded(one);
  return {
    effect: effect === undefined ? theirs.effect : whole(effect),
    outcome: outcome ?? theirs.outcome,
    log: log === undefined ? theirs.log : spelledOut(one, log),
  };
}

function whole(standing: Standing): Required<Standing> {
  return { dropped: [], hostsDeny: [], locked: [], expired: [], ...standing };
}

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'usermod',
)('what Wazuh does, and ar-exec', () => {
  test.each(cases)(
    '$name',
    async (one) => {
      const { log, ...rest } = expected(one);
      const lines = log.map((line) =>
        line.endsWith('…') ? expect.stringContaining(line.slice(0, -1)) : line,
      );
      expect(await replay(one)).toEqual({ ...rest, log: lines });
    },
    120_000,
  );
});

describe('docs/compatibility.md', () => {
  test.each(cases)('tells what is otherwise, and nothing more: $name', (one) => {
    const [theirs, ours] = [recorded(one), expected(one)];
    const differing = aspects.filter(
      (aspect) => JSON.stringify(theirs[aspect]) !== JSON.stringify(ours[aspect]),
    );
    expect(Object.keys(one.ours ?? {}).sort()).toEqual(differing.toSorted());
    const told = rows.filter(([name]) => name === one.name).map(([, aspect]) => aspect);
    expect(told.sort()).toEqual(differing.toSorted());
  });

  test('has rows of runs that there are, with nothing left out', () => {
    const names = new Set(cases.map(({ name }) => name));
    expect(rows.filter(([name = '']) => !names.has(name))).toEqual([]);
    expect(rows.filter((row) => row.some((cell) => cell === ''))).toEqual([]);
  });

  test('names the runs that are not replayed', () => {
    const text = page.replaceAll('`', '');
    expect(conversations.filter((name) => !text.includes(`- ${name}`))).toEqual([]);
  });
});
