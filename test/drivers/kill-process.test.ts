import { expect, test } from 'vitest';
import { killProcess } from '../../platform/linux/kill-process.ts';
import { processTarget } from '../../platform/target.ts';
import { failed, said } from './show.ts';

const target = processTarget(4_242, '/tmp/miner');
if (target === undefined) throw new Error('no target');
const oneShot = killProcess.make(killProcess.defaults);

test('the plan is one step, which says what has to be so', () => {
  expect(oneShot.perform(target, {}).steps).toEqual([
    {
      kind: 'end-process',
      pid: 4_242,
      executable: '/tmp/miner',
      graceMs: 0,
      family: false,
      never: [],
    },
  ]);
  const settings = { grace: '5', family: 'yes', never: '/usr/sbin/sshd\n/var/ossec/bin' };
  expect(killProcess.make(settings).perform(target, {}).steps).toMatchObject([
    { graceMs: 5_000, family: true, never: ['/usr/sbin/sshd', '/var/ossec/bin'] },
  ]);
});

test('who started after the alert is not meant, and without an alert who did after the request', () => {
  const attempt = { askedAt: 50_000, maybeDone: false };
  const startedBefore = (...given: Parameters<typeof oneShot.perform>) =>
    oneShot.perform(...given).steps.map((step) => 'startedBefore' in step && step.startedBefore);
  expect(startedBefore(target, { alertAt: 40_000 }, attempt)).toEqual([42_000]);
  expect(startedBefore(target, {}, attempt)).toEqual([52_000]);
});

test.each([
  ['{"outcome":"ended","others":0}', { done: true }, { done: true }],
  ['{"outcome":"gone"}', { done: false, again: false, refusal: 'absent' }, { done: true }],
  [
    '{"outcome":"recycled","why":"x"}',
    { done: false, again: false, refusal: 'changed', why: 'x' },
    { done: true },
  ],
  ['{"outcome":"changed","why":"x"}', { again: false, refusal: 'changed' }, { done: false }],
  ['{"outcome":"protected","why":"x"}', { again: false, refusal: 'protected' }, { done: false }],
  ['{"outcome":"lives","why":"x"}', { done: false, again: true, why: 'x' }, { again: true }],
  ['{"outcome":"blue"}', { done: false, again: false, why: expect.any(String) }, { done: false }],
  ['', { done: false, again: false }, { done: false }],
])('%s', (answer, atFirst, afterAnother) => {
  const judge = (maybeDone: boolean) =>
    oneShot.perform(target, {}, { askedAt: 0, maybeDone }).read([said(answer)]);
  expect(judge(false)).toMatchObject(atFirst);
  expect(judge(true)).toMatchObject(afterAnother);
});

test('what went wrong is told', () => {
  const { read } = oneShot.perform(target, {});
  expect(read([{ failure: 'io', stdout: '', stderr: 'EPERM' }])).toEqual({
    done: false,
    again: false,
    why: 'cannot be ended: EPERM',
  });
  expect(read([])).toMatchObject({ done: false, again: false });
});

test('it needs /proc', () => {
  expect(oneShot.probe.read([said('12.34 56.78\n')])).toMatchObject({ usable: true });
  expect(oneShot.probe.read([said('')])).toMatchObject({ usable: false });
  expect(oneShot.probe.read([failed()])).toMatchObject({ usable: false });
});
