import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Result, type ResultKind, resultLine } from '../../agent/observe/results-log.ts';
import { readRows } from './read-table.ts';

const page = readFileSync('docs/logs.md', 'utf8');

const kinds: Record<ResultKind, true> = {
  applied: true,
  refreshed: true,
  done: true,
  waiting: true,
  refused: true,
  failed: true,
  reverted: true,
  expired: true,
  forgotten: true,
  repaired: true,
  released: true,
  suspended: true,
  resumed: true,
};
const members: Record<keyof Result, unknown> = {
  result: 'applied',
  verb: 'add',
  response: 'firewall-drop',
  target: '203.0.113.7',
  srcip: '203.0.113.7',
  user: 'carol',
  driver: 'nftables',
  action: 4,
  until: '2026-11-21T18:22:09.268Z',
  next_try: '2026-11-21T18:22:09.268Z',
  pre_existing: true,
  still_held_by: 'block-ip',
  code: 'driver-failed',
  reason: 'nft: exit 1',
  dialect: 'wazuh4',
  by: 'wazuh-analysisd on node01',
  cause: 'sshd: brute force',
  rule_id: '5763',
  alert_id: '1609869.80794',
  reapplied: 1,
  removed: 1,
  adopted: 1,
  refused: 1,
};

/** The first cells of the table whose heading begins with this, apart where one cell has several. */
function firstCells(heading: string): string[] {
  const table = page.split(/\n\n/).find((text) => text.startsWith(`| ${heading} |`)) ?? '';
  return readRows(table)
    .slice(1)
    .flatMap(([cell = '']) => cell.split(', '));
}

test('docs/logs.md has every result', () => {
  expect(firstCells('`result`').sort()).toEqual(Object.keys(kinds).sort());
});

test('docs/logs.md has every member, and none that is not written', () => {
  const written = JSON.parse(resultLine(members as unknown as Result, new Date())).ar_exec;
  expect(firstCells('member').sort()).toEqual(Object.keys(written).sort());
});

test('its example is one', () => {
  const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
  const { time, ...result } = JSON.parse(example).ar_exec;
  const line = JSON.parse(resultLine(result, new Date(time)));
  expect(line).toEqual(JSON.parse(example));
  expect(Object.keys(result).filter((name) => !(name in members))).toEqual([]);
});
