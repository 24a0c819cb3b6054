import { expect, test } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import { addedLines } from '../../agent/observe/manager-lines.ts';
import type { ManagerLog } from '../../agent/observe/manager-log.ts';
import { createReporter } from '../../agent/report/report.ts';
import type { Action, Order } from '../../agent/words.ts';
import { action, order } from './sample.ts';

const managerLine = '{"command":"add","parameters":{"program":"active-response/bin/x"}}';
const silent = () => {};
const log = {
  debug: silent,
  info: silent,
  warn: silent,
  error: silent,
  setLevel: silent,
  reopen: silent,
  flush: silent,
};

function tell() {
  const told: unknown[][] = [];
  const managerLog: ManagerLog = {
    added: (...words) => told.push(['added', ...words.slice(1)]),
    removed: (...words) => told.push(['removed', ...words.slice(1)]),
    failed: (...words) => told.push(['failed', ...words.slice(1)]),
    flush: async () => {},
  };
  return { told, report: createReporter(log, managerLog) };
}

const asked = (more: Partial<Order> = {}): Order =>
  order('add', '203.0.113.7', { managerLine, ...more });
const held = action('203.0.113.7', { managerLine });

test('a line says that it is so when it is so, and why not when it is not', () => {
  const { told, report } = tell();
  report.outcome(asked(), { kind: 'active', action: held, refreshed: false });
  report.outcome(asked(), new ArError('driver-failed', 'nft: exit 1', ''));
  report.outcome(order('delete', '203.0.113.7'), {
    kind: 'reverted',
    action: held,
    stillHeldBy: [],
  });
  expect(told).toEqual([
    ['added', '203.0.113.7', 'nftables'],
    ['failed', 'nft: exit 1'],
    ['removed', '203.0.113.7', 'nftables'],
  ]);
});

test('whoever writes lines of its own is not told for; what comes later is', () => {
  const { told, report } = tell();
  const logged = { logged: true };
  report.outcome(asked(logged), { kind: 'active', action: held, refreshed: false });
  report.outcome(asked(logged), new ArError('driver-failed', 'nft: exit 1', ''));
  report.refused(
    { verb: 'add', response: 'firewall-drop', origin: held.origin, managerLine, ...logged },
    new ArError('target-protected', 'no', ''),
  );
  const asksForEnd = order('delete', '203.0.113.7', { managerLine, ...logged });
  report.outcome(asksForEnd, { kind: 'reverted', action: held, stillHeldBy: [] });
  expect(told).toEqual([]);
  report.outcome(order('delete', '203.0.113.7', { onlyWhenDue: true }), {
    kind: 'reverted',
    action: held,
    stillHeldBy: [],
  });
  expect(told).toEqual([['removed', '203.0.113.7', 'nftables']]);
});

test('only what has something to be found by has the handshake', () => {
  const { told, report } = tell();
  const shots: Action[] = [
    { ...held, target: { kind: 'named', text: 'the manager' } },
    { ...held, target: { kind: 'process', text: '7 /bin/x', pid: 7, executable: '/bin/x' } },
  ];
  for (const shot of shots) report.outcome(asked(), { kind: 'done', action: shot });
  expect(told).toEqual([
    ['added', undefined, undefined],
    ['added', '7 /bin/x', undefined],
  ]);
  expect(addedLines(managerLine, {}, new Date())).not.toContain('check_keys');
});
