import { mkdtempSync } from 'node:fs';
import { appendFile, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { createRunner } from '../../agent/system/runner.ts';
import { hostsDeny } from '../../platform/any/hosts-deny.ts';
import type { StepResult } from '../../platform/step.ts';
import { driverContract, effects, targets } from '../contract/driver-contract.ts';

const driver = hostsDeny.make(hostsDeny.defaults);
const said = (stdout: string): StepResult => ({ stdout, stderr: '' });
const inspect = (text: string) => driver.inspect.read([said(text)]);
const begin = '# BEGIN ar-exec (lines in this block come and go by themselves)';
const end = '# END ar-exec';

describe('the plan', () => {
  test('is one edit for a batch', () => {
    const some = effects(
      targets([
        '203.0.113.7',
        '2001:db8::7',
        '203.0.112.0/23',
        '128.0.0.0/1',
        '0.0.0.0/0',
        '2001:db8::/33',
        '::/0',
        '::ffff:198.51.100.1',
      ]),
    );
    const lines = [
      'ALL:203.0.113.7',
      'ALL:[2001:db8::7]',
      'ALL:203.0.112.0/255.255.254.0',
      'ALL:128.0.0.0/128.0.0.0',
      'ALL:0.0.0.0/0.0.0.0',
      'ALL:[2001:db8::]/33',
      'ALL:[::]/0',
      'ALL:198.51.100.1',
    ];
    expect(driver.apply(some)).toEqual([
      expect.objectContaining({
        kind: 'edit-block',
        path: '/etc/hosts.deny',
        add: lines,
        remove: [],
      }),
    ]);
    expect(driver.revert(some)).toEqual([expect.objectContaining({ add: [], remove: lines })]);
  });

  test('is for the file that the effect was made in', () => {
    const older = hostsDeny.make({ path: '/usr/local/etc/deny' });
    expect(older.revert([])).toEqual([expect.objectContaining({ path: '/usr/local/etc/deny' })]);
  });
});

describe('the block', () => {
  test('holds ours; identical lines of others are theirs', () => {
    expect(
      inspect(
        [
          begin,
          'ALL:203.0.113.7',
          'ALL:203.0.113.7',
          'ALL:[2001:db8::]/32',
          'ALL:10.0.0.0/255.0.0.0',
          'sshd: 192.0.2.1',
          '# note',
          'ALL: 192.0.2.2',
          end,
          'ALL:203.0.113.7',
          'ALL : [2001:db8::9] : deny',
          'ALL: 192.0.2.0/24',
          'sshd: 192.0.2.3',
          'ALL: 192.0.2.4, 192.0.2.5',
          '# ALL: 192.0.2.6 \\',
          'ALL: 192.0.2.7',
          'ALL: \\',
          '192.0.2.8',
        ].join('\n'),
      ),
    ).toMatchObject({
      known: true,
      effects: targets(['203.0.113.7', '203.0.113.7', '2001:db8::/32', '10.0.0.0/8']).map(
        (target) => ({ target }),
      ),
      foreign: targets(['203.0.113.7', '2001:db8::9', '192.0.2.0/24', '192.0.2.8']),
    });
  });

  test('is found with carriage returns', () => {
    expect(inspect(`${begin}\r\nALL:203.0.113.7\r\n${end}\r\n`)).toMatchObject({
      effects: [{ target: { text: '203.0.113.7' } }],
    });
  });

  test.each([
    ['without an end', `${begin}\nALL:203.0.113.7\n`],
    ['without a beginning', `ALL:203.0.113.7\n${end}\n`],
    ['that stands twice', `${begin}\n${end}\n${begin}\n${end}\n`],
    ['the wrong way round', `${end}\n${begin}\n`],
    ['with a line that runs on', `${begin}\nsshd: 192.0.2.1 \\\nALL:203.0.113.7\n${end}\n`],
  ])('%s is unknown', (_, text) => {
    expect(inspect(text)).toMatchObject({ known: false, why: expect.stringMatching('/etc/hosts') });
  });

  test('is unknown when the file can not be read', () => {
    const answer = { failure: 'io', stdout: '', stderr: 'EACCES' } as const;
    expect(driver.inspect.read([answer])).toEqual({ known: false, why: '/etc/hosts.deny: EACCES' });
  });
});

test('the probe says what is in the way', () => {
  const failed = { failure: 'exit', exitCode: 1, stdout: '', stderr: '' } as const;
  const unreadable = { failure: 'io', stdout: '', stderr: 'EISDIR' } as const;
  expect(driver.probe.read([said(''), said('')])).toMatchObject({ usable: true, families: [4, 6] });
  expect(driver.probe.read([unreadable, said('')])).toMatchObject({
    usable: false,
    why: '/etc/hosts.deny: EISDIR',
  });
  expect(driver.probe.read([said(''), failed])).toMatchObject({ usable: false, families: [] });
});

const folder = mkdtempSync(join(tmpdir(), 'hosts-deny-'));
const path = join(folder, 'hosts.deny');

afterAll(() => rm(folder, { recursive: true }));

test.each([[join(folder, 'none', 'hosts.deny')], [folder]])(
  'the probe finds %s unusable',
  async (unfit) => {
    const { probe } = hostsDeny.make({ path: unfit });
    const run = createRunner();
    const answers = [];
    for (const step of probe.steps) answers.push(await run(step));
    expect(probe.read(answers).usable).toBe(false);
  },
);

driverContract({
  name: 'hosts-deny in a file',
  kind: hostsDeny,
  settings: { path },
  machine: async () => ({
    run: createRunner(),
    exec: async ([tool = '', ...args], input = '') => (await execa(tool, args, { input })).stdout,
    close: () => rm(path, { force: true }),
  }),
  dump: () => readFile(path, 'latin1').catch(() => ''),
  plantForeign: () => writeFile(path, '# theirs\nALL:203.0.113.7\nsshd: 198.51.100.1\r\n\nlast \\'),
  damages: {},
});

test('a line that stands twice in the block goes as a whole', async () => {
  const ours = hostsDeny.make({ path });
  const run = createRunner();
  const steps = (all: readonly string[]) => effects(targets(all));
  for (const step of ours.apply(steps(['203.0.113.7', '203.0.113.8']))) await run(step);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('ALL:203.0.113.8', 'ALL:203.0.113.7\nALL:203.0.113.8'));
  await appendFile(path, 'ALL:203.0.113.7\n');
  for (const step of ours.revert(steps(['203.0.113.7', '203.0.113.8']))) await run(step);
  expect(await readFile(path, 'utf8')).toBe('ALL:203.0.113.7\n');
  await rm(path);
});
