import { describe, expect, test } from 'vitest';
import { headOf } from '../../agent/intake/dialects/alert.ts';
import { parseLine } from '../../agent/intake/message.ts';
import { type Identity, judge, timeoutOf } from '../../agent/policy/triggers.ts';
import type { ActiveResponse, CommandDefinition } from '../../agent/words.ts';

const web: Identity = { id: '001', name: 'web-01', role: 'agent' };
const manager: Identity = { name: 'wazuh', role: 'manager' };

function command(name: string, more: Partial<CommandDefinition> = {}): CommandDefinition {
  return { name, executable: name, expect: [], timeoutAllowed: false, extraArgs: [], ...more };
}

function active(more: Partial<ActiveResponse>): ActiveResponse {
  const drop = command('firewall-drop', { expect: ['srcip'], timeoutAllowed: true });
  return { command: drop, disabled: false, location: 'local', agentIds: [], ...more };
}

/** An alert as a manager writes it. */
function alert(rule: object, more: object = {}): object {
  return {
    rule: { level: 5, id: '5710', groups: ['syslog', 'sshd'], ...rule },
    agent: { id: '001', name: 'web-01' },
    data: { srcip: '203.0.113.7' },
    location: '/var/log/auth.log',
    ...more,
  };
}

const why = (raised: object, one: ActiveResponse, who: Identity = web): string | undefined =>
  judge(headOf(raised), [one], who)[0]?.why;

describe('the documented examples', () => {
  const hostDeny = command('host-deny', { expect: ['srcip'], timeoutAllowed: true });

  test('1: host-deny for level 7 and above, with an address, of this agent', () => {
    const one = active({ command: hostDeny, level: 7, timeoutSeconds: 600 });
    expect(why(alert({ level: 7 }), one)).toBeUndefined();
    expect(why(alert({ level: 15 }), one)).toBeUndefined();
    expect(timeoutOf(one)).toBe(600);
    expect(why(alert({ level: 6 }), one)).toBe("the alert's level is 6, and 7 is the lowest");
    expect(why(alert({ level: 7 }, { data: {} }), one)).toBe('the alert has no srcip');
    expect(why(alert({ level: 7 }, { agent: { id: '002', name: 'db' } }), one)).toBe(
      'it runs on the agent that raised the alert, db 002, and this is web-01 (001)',
    );
  });

  test('2: restart-ossec by rule, once, whatever the alert carries', () => {
    const one = active({ command: command('restart-ossec'), ruleIds: ['10005'] });
    expect(why(alert({ id: '10005' }, { data: {} }), one)).toBeUndefined();
    expect(timeoutOf({ ...one, timeoutSeconds: 60 })).toBeUndefined();
    expect(why(alert({ id: '10006' }), one)).toBe("the alert's rule 10006 is not among 10005");
  });

  test('4: pf-block on agent 001 alone, by any of two groups, for good', () => {
    const one = active({
      command: command('pf-block', { expect: ['srcip'] }),
      location: 'defined-agent',
      agentIds: ['001'],
      ruleGroups: ['authentication_failed', 'authentication_failures'],
    });
    const raised = alert({ groups: ['sshd', 'authentication_failures'] });
    expect(why(raised, one)).toBeUndefined();
    expect(why(raised, one, { ...web, id: '1' })).toBeUndefined();
    expect(timeoutOf(one)).toBeUndefined();
    expect(why(raised, one, { ...web, id: '010' })).toBe(
      'it runs on agent 001, and this is web-01 (010)',
    );
    expect(why(raised, one, { name: 'web-01', role: 'agent' })).toBe(
      "it runs on agent 001, and this agent's id is not configured",
    );
    expect(why(alert({ groups: ['authentication'] }), one)).toBe(
      "none of the rule's groups is among authentication_failed, authentication_failures",
    );
  });

  test('5: everywhere, the manager included', () => {
    const one = active({ location: 'all', ruleGroups: ['sshd'], timeoutSeconds: 700 });
    const other = alert({}, { agent: { id: '077', name: 'db' } });
    for (const who of [web, manager, { name: 'x', role: 'agent' } as const]) {
      expect(why(other, one, who)).toBeUndefined();
    }
  });

  test('6: mail-test where this agent is the manager', () => {
    const one = active({ command: command('mail-test'), location: 'server', ruleIds: ['1002'] });
    expect(why(alert({ id: '1002' }), one)).toBe('it runs on the manager, and this is an agent');
    expect(why(alert({ id: '1002' }), one, manager)).toBeUndefined();
  });

  test('7: firewall-drop by rule for a minute, nothing expected', () => {
    const drop = command('firewall-drop', { timeoutAllowed: true });
    const one = active({ command: drop, ruleIds: ['100100'], timeoutSeconds: 60 });
    expect(why(alert({ id: 100_100 }, { data: {} }), one)).toBeUndefined();
    expect(timeoutOf(one)).toBe(60);
  });
});

test('every condition that is given has to hold, and one without any never does', () => {
  const one = active({ level: 5, ruleIds: ['5710', '5712'], ruleGroups: ['sshd'] });
  expect(why(alert({}), one)).toBeUndefined();
  expect(why(alert({ level: 4 }), one)).toContain('level');
  expect(why(alert({ id: '5711' }), one)).toContain('rule 5711');
  expect(why(alert({ groups: ['web'] }), one)).toContain('groups');
  expect(why(alert({}), active({}))).toBe(
    'it names no level, rule or group, so no alert sets it off',
  );
  expect(why(alert({}), { ...one, disabled: true })).toBe('it is disabled');
});

test('a timeout of 0 is none', () => {
  expect(timeoutOf(active({ timeoutSeconds: 0 }))).toBeUndefined();
});

describe('whose alert it is', () => {
  const one = active({ level: 1 });
  const raisedBy = (agent: object | undefined): object => alert({}, { agent });
  const unnamed: Identity = { name: 'web-01', role: 'agent' };

  test('an id decides over a name, and is a number', () => {
    expect(why(raisedBy({ id: '1', name: 'renamed' }), one)).toBeUndefined();
    expect(why(raisedBy({ id: '002', name: 'web-01' }), one)).toBeDefined();
    expect(why(raisedBy({ name: 'web-01' }), one)).toBeUndefined();
  });

  test('without a configured id it is one of this name, or of nobody', () => {
    expect(why(raisedBy({ id: '044', name: 'web-01' }), one, unnamed)).toBeUndefined();
    expect(why(raisedBy(undefined), one, unnamed)).toBeUndefined();
    expect(why(raisedBy({ id: '044' }), one, unnamed)).toBeDefined();
    expect(why(raisedBy({ id: '044', name: 'db' }), one, unnamed)).toBeDefined();
  });

  test("a manager's own agent is 000", () => {
    expect(why(raisedBy({ id: '000', name: 'wazuh-server' }), one, manager)).toBeUndefined();
    expect(why(raisedBy({ id: '001', name: 'wazuh' }), one, manager)).toBeDefined();
  });
});

test.each([
  ['srcip', { data: { srcip: '' } }, { data: { srcip: '203.0.113.7' } }],
  ['user', { data: { dstuser: '-' } }, { data: { dstuser: 'eve' } }],
  ['filename', { syscheck: {} }, { syscheck: { path: '/tmp/x' } }],
] as const)('what is expected has to be there: %s', (expected, without, having) => {
  const one = active({ command: command('x', { expect: [expected] }), level: 1 });
  expect(why(alert({}, { data: {}, ...without }), one)).toBe(`the alert has no ${expected}`);
  expect(why(alert({}, having), one)).toBeUndefined();
});

describe('an alert about what a response did', () => {
  const all = active({ level: 3 });
  const named = active({ ruleIds: ['657'] });

  test.each([
    [{ id: '657', groups: ['ossec', 'active_response'] }, {}],
    [{ id: '607', groups: [] }, {}],
    [{ id: '100200', groups: ['active_response'] }, {}],
    [{ id: '1002', groups: [] }, { location: '/var/ossec/logs/active-responses.log' }],
    [{ id: '1002', groups: [] }, { location: 'C:\\ossec-agent\\active-responses.log' }],
  ])('sets nothing off: %j %j', (rule, more) => {
    expect(why(alert(rule, more), all)).toContain('about what a response did');
  });

  test('unless its rule is named', () => {
    const raised = alert({ id: '657', groups: ['active_response'] });
    expect(why(raised, named)).toBeUndefined();
    expect(why(raised, active({ level: 3, ruleIds: ['657'] }))).toBeUndefined();
  });
});

test('an alert can have any shape', () => {
  for (const raised of [
    {},
    { rule: 7 },
    { rule: { groups: 'x', level: {} }, agent: [], data: 1 },
  ]) {
    expect(judge(headOf(raised), [active({ level: 1 })], web)[0]?.why).toContain('not known');
  }
});

test('a line that is an alert is one, and what asks for something is not', () => {
  const raised = alert({});
  expect(parseLine(JSON.stringify(raised))).toEqual({
    ask: { kind: 'alert', alert: raised, dryRun: false },
  });
  const asking = parseLine(JSON.stringify({ ...raised, command: 'status' }));
  expect(asking).toMatchObject({ error: { code: 'message-invalid' } });
});
