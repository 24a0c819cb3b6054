/** The simulated npfctl against what was seen of the real one. There is no transcript of it. */
import { describe, expect, test } from 'vitest';
import { simulate, stateOf } from '../sim/npfctl.ts';
import { createQuickMachine } from '../sim/quick-machine.ts';

function machine() {
  const at = createQuickMachine('netbsd10', { npfctl: simulate });
  Object.assign(stateOf(at.parts), {
    active: true,
    tables: {
      set: { type: 'ipset', entries: [] },
      lpm: { type: 'lpm', entries: [] },
      fixed: { type: 'const', entries: [{ address: '192.0.2.1' }] },
    },
    groups: [{ head: 'group default', rules: ['block in final from <set>', 'pass in final all'] }],
    rulesets: { agent: [] },
  });
  return at;
}

const refusal = 'npfctl: invalid address, mask or table ID\n';
const exists = 'npfctl: entry already exists or is conflicting\n';

describe('a table', () => {
  test.each([
    [['table set add 203.0.113.7'], 0, 'npfctl: success\n'],
    [['table set add 203.0.113.7', 'table set add 203.0.113.7'], 1, exists],
    [['table set rem 203.0.113.7'], 1, 'npfctl: not found\n'],
    [['table set test 203.0.113.7'], 1, 'npfctl: not found\n'],
    [['table set add 198.51.100.0/24'], 1, refusal],
    [['table lpm add 198.51.100.0/33'], 1, refusal],
    [['table nosuch add 203.0.113.7'], 1, refusal],
    [['table nosuch list'], 1, refusal],
    [['table fixed add 203.0.113.7'], 1, refusal],
    [['table set add zzz'], 1, "(null):1:0: cannot parse 'zzz' (Name or service not known)\n"],
    [['table lpm add 10.0.0.0/8', 'table lpm add 10.1.2.3'], 1, exists],
    [['table lpm add 10.1.2.3', 'table lpm add 10.0.0.0/8'], 0, 'npfctl: success\n'],
  ])('answers to %j', (lines, exitCode, stderr) => {
    const at = machine();
    const answers = lines.map((line) => at.call(['npfctl', ...line.split(' ')]));
    expect(answers.at(-1)).toEqual({ exitCode, stderr, stdout: '' });
  });

  test('of type lpm loses the prefix when an address in it is removed', () => {
    const at = machine();
    at.call(['npfctl', 'table', 'lpm', 'add', '10.0.0.0/8']);
    expect(at.call(['npfctl', 'table', 'lpm', 'rem', '10.1.2.3']).exitCode).toBe(0);
    expect(at.call(['npfctl', 'table', 'lpm', 'list']).stdout).toBe('');
  });

  test('shows the length of an address only once it was replaced', () => {
    const at = machine();
    at.call(['npfctl', 'table', 'lpm', 'add', '10.1.2.3']);
    expect(at.call(['npfctl', 'table', 'lpm', 'list']).stdout).toBe('10.1.2.3\n');
    at.call(['npfctl', 'table', 'lpm', 'replace', '-'], '10.1.2.3\n2001:db8::/32\n');
    expect(at.call(['npfctl', 'table', 'lpm', 'list']).stdout).toBe('2001:db8::/32\n10.1.2.3/32\n');
    expect(
      at.call(['npfctl', 'table', 'set', 'replace', '-'], '192.0.2.1\n10.0.0.0/8\n').stderr,
    ).toBe('npfctl: stdin:2: mask used with the table type other than "lpm"\n');
  });
});

test('numbers of rules are hexadecimal, both ways', () => {
  const at = machine();
  const rule = (...words: string[]) => at.call(['npfctl', 'rule', 'agent', ...words]);
  const given = Array.from({ length: 16 }, (_, index) =>
    rule('add', 'block', 'in', 'final', 'from', `10.0.0.${index}`).stdout.trim(),
  );
  expect(given.slice(8)).toEqual(['OK 9', 'OK a', 'OK b', 'OK c', 'OK d', 'OK e', 'OK f', 'OK 10']);
  expect(rule('rem-id', '10').exitCode).toBe(0);
  expect(rule('list').stdout).not.toContain('10.0.0.15');
  expect(rule('rem-id', '10')).toMatchObject({
    exitCode: 1,
    stderr: 'npfctl: rule was not found\n',
  });
  expect(at.call(['npfctl', 'rule', 'nosuch', 'list'])).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
  });
});

test('the running configuration is shown with the number of each rule', () => {
  expect(machine().call(['npfctl', 'show']).stdout).toBe(
    [
      '# filtering:\tactive',
      '# config:\tloaded',
      '',
      'table <set> type ipset',
      'table <lpm> type lpm',
      'table <fixed> type const',
      'group default { # id="1" ',
      '\tblock in final from <set> # id="2" ',
      '\tpass in final all # id="3" ',
      '}',
      '',
    ].join('\n'),
  );
});

test.each([
  'npfctl reload',
  'npfctl start',
  'npfctl flush',
  'npfctl table set add 127.1',
  'npfctl table lpm add 10.0.0.1/8',
  'npfctl table set replace /etc/blocked',
  'npfctl rule agent rem block in final from 10.0.0.1',
])('it refuses what nobody has seen it do: %s', (command) => {
  expect(machine().call(command.split(' '))).toMatchObject({
    exitCode: 99,
    stderr: `simulator: not known: ${command}\n`,
  });
});
