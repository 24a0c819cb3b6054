/**
 * Each recorded run is replayed with the built executable, and compared in its standard output, its
 * exit status, its log and what stands afterwards. What is otherwise on purpose has a row in
 * docs/compatibility.md that says why, and nothing else has one.
 *
 *     AR_EXEC_RECORDED=/folder npx vitest run --project compat     other recordings of the same form
 */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { requires } from '../requirements.ts';
import { readRows } from '../unit/read-table.ts';
import { type Differing, ours } from './ours.ts';
import { type Recorded, readRecorded } from './recorded.ts';
import { aspects, createMachine, type Machine, type Replayed } from './replay.ts';

const folder = process.env['AR_EXEC_RECORDED'] ?? 'test/compat/recorded';
const runs = readRecorded(folder);
const withoutTools = ({ name }: Recorded): boolean => name.includes('PATH without');

function recorded({ stdout, exit, log, after: effect }: Recorded): Replayed {
  return { stdout, exit, log, effect };
}

/** What is recorded, but for what is otherwise on purpose. */
function expected(one: Recorded): Replayed {
  const { effect, lastLine, log, ...rest }: Differing = ours[one.name] ?? {};
  const theirs = recorded(one);
  return {
    ...theirs,
    ...rest,
    effect: { ...theirs.effect, ...effect },
    log: log?.(theirs.log) ?? (lastLine === undefined ? theirs.log : replaceLast(one, lastLine)),
  };
}

function replaceLast({ bin, log }: Recorded, line: string): string {
  const before = log.slice(0, log.lastIndexOf('TS '));
  return `${before}TS active-response/bin/${bin}: ${line}\n`;
}

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'usermod',
)('what Wazuh does, and ar-exec', () => {
  const names = [...new Set(runs.map(({ bin }) => bin))];
  describe.each([true, false])('on a machine with a packet filter: %s', (tools) => {
    let machine: Machine;
    beforeAll(async () => {
      machine = await createMachine(names, tools);
    });
    afterAll(() => machine?.close());

    test.each(runs.filter((one) => withoutTools(one) !== tools))('$name', async (one) => {
      const { log, ...rest } = await machine.replay(one);
      const { log: wanted, ...others } = expected(one);
      expect(rest).toEqual(others);
      const [begin = '', more] = wanted.split('…');
      expect(more === undefined ? log : log.slice(0, begin.length)).toBe(begin);
    });
  });
});

describe.skipIf(process.env['AR_EXEC_RECORDED'] !== undefined)('docs/compatibility.md', () => {
  const rows = readRows(readFileSync('docs/compatibility.md', 'utf8')).filter(
    (row) => row.length === 5 && row[0] !== 'case',
  );

  test.each(runs)('tells what is otherwise, and nothing more: $name', (one) => {
    const [theirs, own] = [recorded(one), expected(one)];
    const differing = aspects.filter(
      (aspect) => JSON.stringify(theirs[aspect]) !== JSON.stringify(own[aspect]),
    );
    const told = rows.filter(([name]) => name === one.name).map(([, aspect]) => aspect);
    expect(told.sort()).toEqual(differing.toSorted());
  });

  test('has rows of runs that there are, with nothing left out', () => {
    const names = runs.map(({ name }) => name);
    expect(names).toHaveLength(new Set(names).size);
    expect(Object.keys(ours).filter((name) => !names.includes(name))).toEqual([]);
    expect(rows.filter(([name = '']) => !names.includes(name))).toEqual([]);
    expect(rows.filter((row) => row.some((cell) => cell === ''))).toEqual([]);
  });
});
