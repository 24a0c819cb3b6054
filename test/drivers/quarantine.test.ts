import { expect, test } from 'vitest';
import { stepText } from '../../agent/cli/steps.ts';
import type { Facts } from '../../platform/driver.ts';
import { quarantine } from '../../platform/linux/quarantine.ts';
import { parseFile } from '../../platform/target.ts';
import { failed, said } from './show.ts';

const settings = { folder: '/var/held', roots: '/home\n/srv', never: '/home/keep' };
const driver = quarantine.make(settings);

const target = (path: string) => {
  const found = parseFile(path);
  if (found === undefined) throw new Error(`not a file: ${path}`);
  return found;
};
const file = target('/home/a b/dropper');
const state = {
  dev: '1',
  ino: '2',
  size: '3',
  uid: '4',
  gid: '5',
  mode: '4755',
  mtimeNs: '1600000000123456789',
  ctimeNs: '7',
};
const memory = { name: 'n-1', sha256: 'ab', pinned: 'yes', ...state };
const look = (path: string, facts: Facts = {}) => driver.examine?.(target(path), facts);

test('a file is looked at first, with the hashes that are known', () => {
  expect(look('/srv/x', { sha256: 'ab', sha1: 'cd' })?.steps).toEqual([
    expect.objectContaining({ kind: 'examine-file', path: '/srv/x', sha256: 'ab', sha1: 'cd' }),
  ]);
});

test.each([
  ['/etc/passwd', /quarantine\/roots: from below \/home, \/srv only/],
  ['/homes/x', /roots/],
  ['/home/keep', /quarantine\/never: \/home\/keep/],
  ['/home/keep/x', /never/],
])('%s is not even looked at', (path, why) => {
  const question = look(path);
  expect(question?.steps).toEqual([]);
  expect(question?.read([])).toEqual({
    fit: false,
    refusal: 'protected',
    why: expect.stringMatching(why),
  });
});

test('without roots nothing is taken', () => {
  const none = quarantine.make(quarantine.defaults);
  expect(none.examine?.(file, {}).read([])).toMatchObject({ refusal: 'protected' });
});

test('what was found is remembered, and goes into the steps', () => {
  const found = { fit: true, name: 'n-1', sha256: 'ab', state };
  const examined = (facts: Facts) => look('/srv/x', facts)?.read([said(JSON.stringify(found))]);
  expect(examined({ sha256: 'ab' })).toEqual({ fit: true, memory });
  expect(examined({ sha1: 'cd' })).toEqual({ fit: true, memory });
  expect(examined({})).toEqual({ fit: true, memory: { ...memory, pinned: 'no' } });
  const known = {
    path: '/home/a b/dropper',
    name: 'n-1',
    sha256: 'ab',
    state,
    folder: '/var/held',
  };
  expect(driver.apply([{ target: file, memory }])).toEqual([
    { kind: 'take-file', ...known, pinned: true, deadlineMs: expect.any(Number) },
  ]);
  expect(driver.revert([{ target: file, memory }])).toEqual([
    { kind: 'put-back-file', ...known, deadlineMs: expect.any(Number) },
  ]);
});

test('what was never looked at is neither taken nor put back', () => {
  expect(driver.apply([{ target: file }])).toEqual([]);
  expect(driver.revert([{ target: file }])).toEqual([]);
});

test('a refusal is handed on, and no answer is no refusal', () => {
  const refusal = { fit: false, refusal: 'changed', why: 'x' };
  expect(look('/srv/x')?.read([said(JSON.stringify(refusal))])).toEqual(refusal);
  for (const answer of [said(''), said('{}'), said('null'), failed('EIO')]) {
    expect(look('/srv/x')?.read([answer])).toMatchObject({ fit: 'unknown' });
  }
  expect(look('/srv/x')?.read([])).toMatchObject({ fit: 'unknown' });
});

const held = (name: string, path: string, takenAt: string) => ({
  name,
  path,
  sha256: 'ab',
  takenAt,
  state,
});

test('of two of one name the later is the one, and leftovers are taken away', () => {
  const listing = {
    held: [
      held('late', '/home/x', '2026-11-21T20:00:01.000Z'),
      held('early', '/home/x', '2026-11-21T20:00:00.000Z'),
      held('other', '/srv/y', '2026-11-21T19:00:00.000Z'),
    ],
    leftovers: ['begun'],
  };
  const reading = driver.inspect.read([said(JSON.stringify(listing))]);
  if (!reading.known) throw new Error(reading.why);
  const effects = reading.effects.map((one) => [one.target.text, one.memory?.['name']]);
  expect(effects.sort()).toEqual([
    ['/home/x', 'late'],
    ['/srv/y', 'other'],
  ]);
  expect(reading.teardown()).toEqual([
    { kind: 'tidy-quarantine', path: '/var/held', names: ['begun'] },
  ]);
});

test.each([
  '',
  '{}',
  'null',
  '[]',
  '{"held":[],"leftovers":7}',
  JSON.stringify({ held: [held('n', 'no path', '2026')], leftovers: [] }),
])('the listing %j is unknown', (answer) => {
  expect(driver.inspect.read([said(answer)])).toMatchObject({ known: false });
});

test('it can be used where the folder can be read, and there is /proc', () => {
  const empty = said('{"held":[],"leftovers":[]}');
  const proc = said('1.0 2.0\n');
  expect(driver.probe.read([empty, proc])).toMatchObject({ usable: true, why: '/var/held' });
  expect(driver.probe.read([failed('EACCES'), proc])).toMatchObject({
    usable: false,
    why: '/var/held: EACCES',
  });
  expect(driver.probe.read([empty, said('')])).toMatchObject({
    usable: false,
    why: 'it needs /proc',
  });
});

test('the steps as a person would type them', () => {
  const text = [
    ...driver.apply([{ target: file, memory }]),
    ...driver.revert([{ target: file, memory }]),
  ].map(stepText);
  expect(text.join('\n')).toMatchInlineSnapshot(`
    "# if /home/a b/dropper is still the file that was looked at, with these bytes (sha256 ab):
    mv -- '/home/a b/dropper' /var/held/n-1.file
    chmod 0400 -- /var/held/n-1.file
    # if nothing stands at /home/a b/dropper, and the file is as it was taken (sha256 ab):
    chmod 4755 -- /var/held/n-1.file
    mv --no-clobber -- /var/held/n-1.file '/home/a b/dropper'"
  `);
});
