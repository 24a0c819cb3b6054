import { describe, expect, test } from 'vitest';
import { askRoutes, readRoutes } from '../../platform/bsd/route-table.ts';
import type { StepResult } from '../../platform/step.ts';
import { readTranscript } from '../sim/transcript.ts';

const said = (stdout: string): StepResult => ({ exitCode: 0, stdout, stderr: '' });
const table = (family: 4 | 6, ...rows: readonly string[]) =>
  said(
    `Routing tables\n\nInternet${family === 6 ? '6' : ''}:\nDestination Gateway Flags\n${rows.join('\n')}\n`,
  );
const textsOf = (routes: ReturnType<typeof readRoutes>) =>
  typeof routes === 'string' ? routes : routes.map(({ target }) => target.text);

/** What the real tools printed. */
function recorded(name: string, command: string) {
  const answers = readTranscript(name).filter((one) => one.command === command);
  return answers.map(({ stdout }) => readRoutes(said(stdout), 4));
}

describe('what is recorded', () => {
  test.each(['route.freebsd13.txt', 'route.freebsd15.txt'])('%s', (name) => {
    const [routes, ...more] = recorded(name, 'netstat -rn -f inet');
    expect(more).toEqual([]);
    expect(textsOf(routes ?? '')).toEqual([
      '0.0.0.0/0',
      '127.0.0.1',
      '192.0.2.0/24',
      '192.0.2.1',
      '203.0.113.5',
    ]);
    expect((routes as { flags: string }[]).at(-1)?.flags).toBe('UHSB');
  });

  test('route.openbsd76.txt', () => {
    const [first, second] = recorded('route.openbsd76.txt', 'route -n show -inet');
    expect(textsOf(first ?? '')).toEqual([
      '0.0.0.0/0',
      '127.0.0.1',
      '192.0.2.0/24',
      '192.0.2.1',
      '192.0.2.2',
      '192.0.2.255',
      '203.0.113.5',
    ]);
    expect(second).toContainEqual({
      target: expect.objectContaining({ text: '192.0.2.1' }),
      gateway: '127.0.0.1',
      flags: 'UGHSB',
    });
  });
});

describe('a destination', () => {
  test.each([
    ['10', 'UGSB', '10.0.0.0/8'],
    ['10/24', 'UGSB', '10.0.0.0/24'],
    ['128.0/1', 'UGSB', '128.0.0.0/1'],
    ['172.16', 'UGSB', '172.16.0.0/16'],
    ['192.0.2', 'UGSB', '192.0.2.0/24'],
    ['192.0.2/25', 'UGSB', '192.0.2.0/25'],
    ['10.0.0.1', 'UGHSB', '10.0.0.1'],
    ['192.0.2.77/32', 'UGSB', '192.0.2.77'],
    ['default', 'UGS', '0.0.0.0/0'],
  ])('%s of IPv4 is read', (text, flags, wanted) => {
    expect(textsOf(readRoutes(table(4, `${text} 127.0.0.1 ${flags} lo0`), 4))).toEqual([wanted]);
  });

  test.each([
    ['2001:db8::/48', '2001:db8::/48'],
    ['::1.2.3.4', '::102:304'],
    ['::0.0.0.2', '::2'],
    ['::0.5.0.0/112', '::5:0/112'],
    ['default', '::/0'],
  ])('%s of IPv6 is read', (text, wanted) => {
    expect(textsOf(readRoutes(table(6, `${text} ::1 UGSB lo0`), 6))).toEqual([wanted]);
  });

  test.each(['fe80::%lo0/64', 'fe80::1%lo0', '::ffff:0.0.0.0/96'])(
    '%s is never ours, and keeps nothing else from being read',
    (text) => {
      const rows = [`${text} ::1 UGSB lo0`, '2001:db8::7 ::1 UGHSB lo0'];
      expect(textsOf(readRoutes(table(6, ...rows), 6))).toEqual(['2001:db8::7']);
    },
  );
});

test('what is not understood is told, unless it can be none of ours', () => {
  expect(readRoutes(table(4, 'gibberish 127.0.0.1 UGSB lo0'), 4)).toMatch('not understood');
  expect(readRoutes(table(4, '203.0.113.7'), 4)).toMatch('not understood');
  expect(readRoutes(table(4, 'gibberish 127.0.0.1 UGS lo0'), 4)).toEqual([]);
  expect(readRoutes(said(''), 4)).toMatch('no table');
  expect(readRoutes(undefined, 6)).toMatch('no answer');
  expect(readRoutes({ failure: 'exit', stdout: '', stderr: 'sysctl: no\n' }, 6)).toMatch(
    'sysctl: no',
  );
});

test('a family that the kernel does not have has no routes', () => {
  expect(readRoutes(said('Routing tables\n'), 6)).toEqual([]);
});

test('the tool is asked that prints which routes are blackholes', () => {
  const lines = (system: string) =>
    askRoutes(system).map(({ tool, args }) => [tool, ...args].join(' '));
  expect(lines('openbsd')).toEqual(['route -n show -inet', 'route -n show -inet6']);
  for (const system of ['freebsd', 'netbsd', 'dragonfly', 'darwin']) {
    expect(lines(system)).toEqual(['netstat -rn -f inet', 'netstat -rn -f inet6']);
  }
});
