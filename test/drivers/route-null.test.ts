import { describe, expect, test } from 'vitest';
import { routeNull } from '../../platform/linux/route-null.ts';
import type { StepResult } from '../../platform/step.ts';
import { effects, targets } from '../contract/driver-contract.ts';

const driver = routeNull.make(routeNull.defaults);
const said = (stdout: string, stderr = ''): StepResult => ({ exitCode: 0, stdout, stderr });
const failed = (stderr: string, exitCode = 2): StepResult => ({
  failure: 'exit',
  exitCode,
  stdout: '',
  stderr,
});
const none = said('[]\n[]\n[]\n');

test('a batch is one process, and one bad line does not stop the others', () => {
  const some = effects(targets(['203.0.113.7', '2001:db8::7', '10.0.0.0/8', '2001:db8::/32']));
  expect(driver.apply(some)).toEqual([
    {
      kind: 'command',
      tool: 'ip',
      args: ['-force', '-batch', '-'],
      stdin:
        'route add blackhole 203.0.113.7 proto 173\n' +
        'route add blackhole 2001:db8::7 proto 173 metric 1\n' +
        'route add blackhole 10.0.0.0/8 proto 173\n' +
        'route add blackhole 2001:db8::/32 proto 173 metric 1\n',
    },
  ]);
  expect(routeNull.make({ protocol: '174' }).revert(some)).toMatchObject([
    {
      stdin:
        'route del blackhole 203.0.113.7 proto 174\n' +
        'route del blackhole 2001:db8::7 proto 174\n' +
        'route del blackhole 10.0.0.0/8 proto 174\n' +
        'route del blackhole 2001:db8::/32 proto 174\n',
    },
  ]);
});

describe('the answer of iproute2 6.1', () => {
  const four =
    '[{"type":"6","dst":"default","metric":5000,"flags":[]},' +
    '{"type":"6","dst":"203.0.113.7","protocol":"173","flags":[]},' +
    '{"type":"6","dst":"198.51.100.0/24","protocol":"4","flags":[]}]\n' +
    '[{"type":"7","dst":"192.0.2.1","flags":[]}]\n' +
    '[{"type":"8","dst":"192.0.2.2","protocol":"173","flags":[]}]\n';
  const six =
    '[{"type":"6","dst":"2001:db8::7","dev":"lo","protocol":"173","metric":1,"flags":[],"pref":"medium"},' +
    '{"type":"6","dst":"2001:db8::7","dev":"lo","protocol":"173","metric":1024,"flags":[],"pref":"medium"},' +
    '{"type":"6","dst":"::0.5.0.0/112","dev":"lo","protocol":"173","metric":1,"flags":[],"pref":"medium"},' +
    '{"type":"6","dst":"default","dev":"lo","metric":5000,"flags":[]}]\n[]\n[]\n';

  test('is told apart by type and protocol', () => {
    expect(driver.inspect.read([said(four), said(six)])).toMatchObject({
      known: true,
      effects: targets(['203.0.113.7', '2001:db8::7', '2001:db8::7', '::5:0/112']).map(
        (target) => ({ target }),
      ),
      foreign: targets(['0.0.0.0/0', '198.51.100.0/24', '192.0.2.1', '192.0.2.2', '::/0']),
    });
  });

  test.each([
    ['cut off', said('[]\n[]\n')],
    ['empty', said('')],
    ['not JSON', said('[]\n[]\nblackhole 203.0.113.7\n')],
    ['of another form', said('[]\n[]\n{"dst":"203.0.113.7"}\n')],
    ['without a destination', said('[{"type":"6"}]\n[]\n[]\n')],
    ['with a destination that is none', said('[{"dst":"host"}]\n[]\n[]\n')],
    ['with a destination of the other family', said('[{"dst":"10.0.0.1"}]\n[]\n[]\n')],
    ['torn', said('[]\n[]\n[]\n', 'Dump was interrupted and may be inconsistent.\n')],
    ['a failure', failed('Cannot open netlink socket: Too many open files')],
  ])('that is %s is unknown', (_, answer) => {
    expect(driver.inspect.read([none, answer])).toMatchObject({
      known: false,
      why: expect.stringMatching('^ip -6 route show: .+'),
    });
  });

  test('is unknown when it is missing', () => {
    expect(driver.inspect.read([none])).toMatchObject({ known: false });
  });
});

describe('the probe', () => {
  const looked = failed('RTNETLINK answers: No such process\n');
  const lookedToo = failed('Error: FIB table does not exist.\n');
  const missing = { failure: 'missing', stdout: '', stderr: 'ip is not in /sbin' } as const;
  test.each([
    ['a full machine', [looked, lookedToo, none, none], [4, 6], 'blackhole routes'],
    [
      'a kernel without IPv6',
      [looked, failed('RTNETLINK answers: Operation not supported\n'), none, none],
      [4],
      'Operation not supported',
    ],
    [
      'no right to change routes',
      Array(2).fill(failed('RTNETLINK answers: Operation not permitted\n')).concat(none, none),
      [],
      'CAP_NET_ADMIN is missing',
    ],
    ['no iproute2', Array(4).fill(missing), [], 'not installed'],
    [
      'an ip without JSON',
      [looked, looked, failed("ip: unrecognized option '-N'", 1), none],
      [],
      'unrecognized option',
    ],
    ['a route that could be deleted', [said(''), said(''), none, none], [], 'unexpected'],
    ['no answers', [], [], 'no answer'],
  ])('of %s', (_, answers, families, why) => {
    const usability = driver.probe.read(answers as StepResult[]);
    expect(usability).toEqual({
      usable: families.length > 0,
      families,
      why: expect.stringContaining(why),
    });
  });
});
