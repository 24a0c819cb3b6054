import { mkdtempSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import { hostsAllow } from '../../platform/bsd/hosts-allow.ts';
import type { StepResult } from '../../platform/step.ts';
import { driverContract, effects, targets } from '../contract/driver-contract.ts';

const driver = hostsAllow.make(hostsAllow.defaults);
const folder = mkdtempSync(join(tmpdir(), 'hosts-allow-'));
const path = join(folder, 'hosts.allow');

afterAll(() => rm(folder, { recursive: true }));

/** The beginning of what FreeBSD installs (lib/libwrap/hosts.allow), and some of its examples. */
const installed = `# hosts.allow access control file for "tcp wrapped" applications.
ALL : ALL : allow
ALL : PARANOID : RFC931 20 : deny
ALL : localhost 127.0.0.1 : allow
ALL : [::1] : allow
ALL : [2001:db8:2:1:2:3:4:3fe1] : deny
fingerd : ALL \\
	: spawn (echo Finger. | \\
	 /usr/bin/mail -s "tcpd\\: %u@%h[%a] fingered me!" root) & \\
	: deny
`;

test('an address is a line of the form that FreeBSD has, a prefix with what libwrap reads', () => {
  const some = effects(
    targets(['203.0.113.7', '198.51.100.0/24', '2001:db8::7', '2001:db8:2:1::/64']),
  );
  const lines = [
    'ALL : 203.0.113.7 : deny',
    'ALL : 198.51.100.0/255.255.255.0 : deny',
    'ALL : [2001:db8::7] : deny',
    'ALL : [2001:db8:2:1::]/64 : deny',
  ];
  expect(driver.apply(some)).toEqual([
    expect.objectContaining({ kind: 'edit-block', path: '/etc/hosts.allow', add: lines }),
  ]);
  expect(driver.revert(some)).toEqual([expect.objectContaining({ add: [], remove: lines })]);
});

driverContract({
  name: 'hosts-allow in a file',
  kind: hostsAllow,
  settings: { path },
  machine: async () => ({
    run: createRunner(),
    exec: async ([tool = '', ...args], input = '') => (await execa(tool, args, { input })).stdout,
    close: () => rm(path, { force: true }),
  }),
  dump: () => readFile(path, 'latin1').catch(() => ''),
  plantForeign: () => writeFile(path, `${installed}ALL : 203.0.113.7 : deny\n`),
  damages: {},
});

describe('the file of others', () => {
  test('is kept, and comes behind the lines that deny', async () => {
    await writeFile(path, installed);
    const carrier = createCarrier(hostsAllow.make({ path }), createRunner());
    const all = effects(targets(['203.0.113.7']));
    expect(await carrier.apply(all)).toMatchObject([{ result: 'done' }]);
    const text = await readFile(path, 'utf8');
    expect(text.indexOf('ALL : 203.0.113.7 : deny')).toBeLessThan(
      text.indexOf('ALL : ALL : allow'),
    );
    expect(text.endsWith(installed)).toBe(true);
    expect(await carrier.revert(all)).toMatchObject([{ result: 'done' }]);
    expect(await readFile(path, 'utf8')).toBe(installed);
    await rm(path);
  });

  test('denies nothing for us: what stands behind its first lines may have no effect', () => {
    const said: StepResult = { stdout: `${installed}ALL : 203.0.113.7 : deny\n`, stderr: '' };
    expect(driver.inspect.read([said])).toMatchObject({ known: true, effects: [], foreign: [] });
  });
});

test('doctor is told which services read the file', async () => {
  const { diagnose } = driver;
  const asked = diagnose?.steps.flatMap((step) => (step.kind === 'read-program' ? step : [])) ?? [];
  expect(asked.map(({ kind }) => kind)).toHaveLength(diagnose?.steps.length ?? 0);
  expect(new Set(asked.flatMap(({ words }) => words))).toEqual(new Set(['/etc/hosts.allow']));
  const answer = (found: Record<string, readonly string[]>) =>
    diagnose
      ?.read(
        asked.map((step): StepResult => {
          const needed = found[step.path];
          const stdout = needed === undefined ? '' : JSON.stringify({ needed, mentions: [] });
          return { stdout, stderr: '' };
        }),
      )
      .map(({ id }) => id);
  expect(answer({ '/usr/sbin/sshd': ['libwrap.so.6'] })).toEqual(['hosts-allow-read']);
  expect(answer({ '/usr/sbin/sshd': ['libc.so.7'], '/usr/sbin/inetd': ['libwrap.so.6'] })).toEqual([
    'hosts-allow-read',
    'hosts-allow-not-read-by-sshd',
  ]);
  expect(answer({})).toEqual(['hosts-allow-not-read']);
});
