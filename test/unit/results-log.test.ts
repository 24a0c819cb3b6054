import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Reporter } from '../../agent/desk/desk.ts';
import type { Repaired } from '../../agent/engine/repair.ts';
import { ArError } from '../../agent/errors.ts';
import { createResultsLog, type ResultsLog } from '../../agent/observe/results-log.ts';
import { createResultsReporter } from '../../agent/report/report-results.ts';
import type { Origin, Request } from '../../agent/words.ts';
import { action, instance, order } from './sample.ts';

const origin: Origin = {
  dialect: 'wazuh4',
  by: 'wazuh-analysisd on node01',
  reason: 'sshd: brute force',
  ruleId: '5763',
  alertId: '1609869.80794',
};
const future = Date.now() + 600_000;
const held = action('203.0.113.7', { origin, deadlineAt: future, id: 17 });
const told = {
  response: 'firewall-drop',
  target: '203.0.113.7',
  srcip: '203.0.113.7',
  driver: 'nftables',
  action: 17,
  until: new Date(future).toISOString(),
  dialect: 'wazuh4',
  by: 'wazuh-analysisd on node01',
  cause: 'sshd: brute force',
  rule_id: '5763',
  alert_id: '1609869.80794',
};
const failure = new ArError('driver-failed', 'nft: exit 1', 'Look.');
const nothing: Repaired = {
  changes: [],
  ended: [],
  orphans: [],
  reapplied: 0,
  removed: 0,
  mended: 0,
  lookAgain: false,
};

let folder: string;
let log: ResultsLog;
let report: Reporter;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-results-'));
  log = createResultsLog(join(folder, 'results.json'), (error) => {
    throw error;
  });
  report = createResultsReporter(log);
});
afterEach(() => rm(folder, { recursive: true }));

/** What was recorded, without the time, which is checked. */
const recorded = async (): Promise<object[]> => {
  await log.flush();
  let text = '';
  try {
    text = readFileSync(join(folder, 'results.json'), 'utf8');
  } catch {}
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const { ar_exec, ...rest } = JSON.parse(line);
      const { time, ...result } = ar_exec;
      expect(rest).toEqual({});
      expect(Math.abs(Date.parse(time) - Date.now())).toBeLessThan(60_000);
      return result;
    });
};

describe('the results log', () => {
  test('has what came into force, and what goes on', async () => {
    report.outcome(order('add', '203.0.113.7'), { kind: 'active', action: held, refreshed: false });
    report.outcome(order('add', '203.0.113.7'), { kind: 'active', action: held, refreshed: true });
    expect(await recorded()).toEqual([
      { result: 'applied', verb: 'add', ...told },
      { result: 'refreshed', verb: 'add', ...told },
    ]);
  });

  test('has no end for what has none, and says what is not ours', async () => {
    const forGood = action('203.0.113.7', { preExisting: true });
    report.outcome(order('add', '203.0.113.7'), {
      kind: 'active',
      action: forGood,
      refreshed: false,
    });
    const [result] = await recorded();
    expect(result).toMatchObject({ result: 'applied', pre_existing: true });
    expect(result).not.toHaveProperty('until');
  });

  test('tells an end from a request, and what stays for others', async () => {
    const late = { ...held, deadlineAt: Date.now() - 10 };
    const expiry = order('delete', '203.0.113.7', { onlyWhenDue: true });
    report.outcome(expiry, { kind: 'reverted', action: late, stillHeldBy: [] });
    report.outcome(order('delete', '203.0.113.7'), {
      kind: 'reverted',
      action: held,
      stillHeldBy: ['block-ip', 'x'],
    });
    report.outcome(order('delete', '203.0.113.7'), { kind: 'forgotten', action: held });
    expect(await recorded()).toMatchObject([
      { result: 'expired', verb: 'delete', action: 17, rule_id: '5763' },
      { result: 'reverted', still_held_by: 'block-ip,x' },
      { result: 'forgotten' },
    ]);
  });

  test('has one-shots: done, and waiting with why', async () => {
    const { target: _target, ...rest } = held;
    const shot = {
      ...rest,
      response: 'disable-account',
      target: { kind: 'user' as const, text: 'carol' },
      trouble: 'no answer',
    };
    report.outcome(order('add', '203.0.113.7'), { kind: 'done', action: shot });
    report.outcome(order('add', '203.0.113.7'), { kind: 'waiting', action: shot, nextAt: 0 });
    expect(await recorded()).toMatchObject([
      { result: 'done', user: 'carol', target: 'carol', reason: 'no answer' },
      { result: 'waiting', next_try: '1970-01-01T00:00:00.000Z' },
    ]);
    expect((await recorded())[0]).not.toHaveProperty('srcip');
  });

  test('has what failed, by its code', async () => {
    report.outcome(order('add', '203.0.113.7', { origin }), failure);
    report.outcome(order('delete', '203.0.113.7', { origin }), failure);
    const { action: _action, until: _until, ...facts } = told;
    const why = { code: 'driver-failed', reason: 'nft: exit 1' };
    expect(await recorded()).toEqual([
      { result: 'failed', verb: 'add', ...facts, ...why },
      { result: 'failed', verb: 'delete', ...facts, ...why },
    ]);
  });

  test('does not have an end that came too late for what it was made for', async () => {
    const late = new ArError('not-held', 'nothing is held', 'Nothing.');
    report.outcome(order('delete', '203.0.113.7', { onlyWhenDue: true }), late);
    expect(await recorded()).toEqual([]);
    report.outcome(order('delete', '203.0.113.7'), late);
    expect(await recorded()).toMatchObject([{ result: 'failed', code: 'not-held' }]);
  });

  test('has what was refused, and does not take for an address what is none', async () => {
    const refused = (srcip: string, more: Partial<Request> = {}): void =>
      report.refused(
        { verb: 'add', response: 'firewall-drop', srcip, origin, ...more },
        new ArError('target-protected', 'it is the gateway', 'No.'),
      );
    refused('198.51.100.1');
    refused('1.2.3.4;id\n{"ar_exec":{}}');
    refused('198.51.100.2', { dryRun: true });
    const results = await recorded();
    expect(results).toMatchObject([
      {
        result: 'refused',
        verb: 'add',
        code: 'target-protected',
        reason: 'it is the gateway',
        srcip: '198.51.100.1',
        rule_id: '5763',
      },
      { result: 'refused', target: '1.2.3.4;id\n{"ar_exec":{}}' },
    ]);
    expect(results[1]).not.toHaveProperty('srcip');
  });

  test('has repairs, what ended meanwhile, and what cannot be put right', async () => {
    const ended = [{ ...held, deadlineAt: Date.now() - 1 }, held];
    report.repaired(instance, { ...nothing, ended, reapplied: 2, removed: 1 });
    report.repaired(instance, nothing);
    report.repaired(instance, { ...nothing, trouble: 'no answer' });
    expect(await recorded()).toMatchObject([
      { result: 'expired', verb: 'delete' },
      { result: 'reverted', verb: 'delete' },
      { result: 'repaired', verb: 'repair', driver: 'nftables', reapplied: 2, removed: 1 },
      { result: 'failed', verb: 'repair', driver: 'nftables', reason: 'no answer' },
    ]);
  });

  test('has no secret, and no text without end', async () => {
    const address = 'https://hooks.example/services/s3cret';
    const shot = action('203.0.113.7', {
      trouble: `POST ${address}: 404`,
      origin: { dialect: 'native', by: address, reason: 'x'.repeat(9_000) },
    });
    report.outcome(order('add', '203.0.113.7'), { kind: 'done', action: shot });
    report.outcome(order('add', '203.0.113.7'), new ArError('driver-failed', address, 'x'));
    const text = JSON.stringify(await recorded());
    expect(text).not.toContain('s3cret');
    expect(text).toContain('https://hooks.example/*** 404');
    expect(text.length).toBeLessThan(3_000);
  });

  test.each([
    { origin: { ...origin, ruleId: '119807' } },
    { origin: { ...origin, ruleId: '119849' } },
    { origin, facts: { groups: ['local', 'ar_exec'] } },
  ])('does not have what its own alerts set off: it would go round for ever (%j)', async (own) => {
    report.refused({ verb: 'add', response: 'firewall-drop', ...own }, failure);
    report.outcome(order('add', '203.0.113.7', own), failure);
    report.outcome(order('add', '203.0.113.7', own), {
      kind: 'active',
      action: held,
      refreshed: false,
    });
    expect(await recorded()).toEqual([]);
    const { ruleId } = origin;
    report.refused(
      { verb: 'add', response: 'firewall-drop', origin: { ...origin, ruleId } },
      failure,
    );
    expect(await recorded()).toHaveLength(1);
  });
});
