/** What managers send and what their execd hands to executables, besides Wazuh 4's own messages. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import * as ossec from '../../agent/intake/dialects/ossec.ts';
import * as wazuh5 from '../../agent/intake/dialects/wazuh5.ts';
import { noCommands, parseLine } from '../../agent/intake/message.ts';
import { createCommands } from '../../agent/policy/commands.ts';
import type { CommandDefinition, Commands, Request } from '../../agent/words.ts';

function understood(message: unknown, commands: Commands = noCommands): Request {
  const parsed = parseLine(JSON.stringify(message), commands);
  if ('error' in parsed) throw parsed.error;
  if (parsed.ask.kind !== 'act') throw new Error('not a request to act');
  return parsed.ask.request;
}

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ArError) return error.code;
    throw error;
  }
  throw new Error('it was understood');
}

const definition = (name: string, more: Partial<CommandDefinition> = {}): CommandDefinition => ({
  name,
  executable: name,
  expect: [],
  timeoutAllowed: true,
  extraArgs: [],
  ...more,
});

/** As a manager 5.0 sends it. */
const document = (order: object = {}, more: object = {}) => ({
  wazuh: {
    active_response: {
      name: 'block the guesser',
      executable: 'block-ip',
      type: 'stateful',
      stateful_timeout: 60,
      location: 'local',
      agent_id: '001',
      ...order,
    },
    agent: { id: '001', name: 'web' },
  },
  '@timestamp': '2026-11-21T14:19:16.000Z',
  event: { id: 'e-1', original: 'Failed password for root' },
  rule: { id: '5763', name: 'sshd: brute force' },
  source: { ip: '203.0.113.7' },
  user: { name: 'jane' },
  ...more,
});

describe('a message of a manager 5.0', () => {
  test('is an add for as long as it says, with what its event says', () => {
    expect(understood(document())).toMatchObject({
      verb: 'add',
      response: 'block-ip',
      srcip: '203.0.113.7',
      user: 'jane',
      timeoutSeconds: 60,
      hostOnly: true,
      origin: {
        dialect: 'wazuh5',
        reason: 'sshd: brute force',
        ruleId: '5763',
        alertId: 'e-1',
      },
      facts: { text: 'Failed password for root', agentName: 'web', agentId: '001' },
    });
  });

  test.each([
    [{ stateful_timeout: 5.9 }, 5],
    [{ stateful_timeout: 0 }, undefined],
    [{ stateful_timeout: '5' }, undefined],
    [{ stateful_timeout: null }, undefined],
    [{ type: 'stateless' }, undefined],
    // Policy refuses it; upstream takes the block back at once.
    [{ stateful_timeout: -3 }, -3],
  ])('has the timeout of %j', (order, seconds) => {
    expect(understood(document(order)).timeoutSeconds).toBe(seconds);
  });

  test.each(['disable', 'zzz', 'delete'])(
    'does not obey a command "%s" of the event itself',
    (command) => {
      const request = understood({ command, ...document() });
      expect(request.verb).toBe('add');
      const line = request.managerLine ?? '';
      expect(JSON.parse(line).command).toBe('enable');
      expect(line.endsWith(',"command":"enable"}')).toBe(true);
    },
  );

  test.each([
    [{ wazuh: {} }],
    [{ wazuh: { active_response: {} } }],
    [{ wazuh: { active_response: { executable: '' } } }],
    [{ wazuh: { active_response: { executable: 7 } } }],
    [{ wazuh: 'x', source: { ip: '203.0.113.7' } }],
  ])('is refused: %j', (message) => {
    expect(codeOf(() => understood(message))).toBe('message-invalid');
  });

  test('keeps the arguments of its configuration', () => {
    const request = understood(document({ extra_arguments: 'one  two' }));
    expect(request.facts?.extraArgs).toEqual(['one', 'two']);
  });

  test('to an executable says what to do in its last command, for the one that was started', () => {
    const enable = { ...document(), command: 'enable' };
    expect(wazuh5.fromExecd(enable, 'disable-account')).toMatchObject({
      verb: 'add',
      response: 'disable-account',
      // execd takes it back after its 60 s: here it ends only if it does not.
      timeoutSeconds: 65,
    });
    expect(wazuh5.fromExecd({ ...enable, command: 'disable' }, 'block-ip').verb).toBe('delete');
    for (const command of [undefined, 'add', 'continue', 7]) {
      const wrong = () => wazuh5.fromExecd({ ...enable, command }, 'block-ip');
      expect(codeOf(wrong)).toBe('message-invalid');
    }
  });
});

describe('a message of OSSEC', () => {
  const line = 'firewall-drop600 - 203.0.113.7 1609869.80794 554 (web) any->/var/log/auth.log - -';

  test('is an add by its words', () => {
    expect(ossec.fromManager(line, noCommands)).toEqual({
      verb: 'add',
      response: 'firewall-drop',
      srcip: '203.0.113.7',
      user: undefined,
      file: undefined,
      hostOnly: true,
      timeoutSeconds: 600,
      facts: {
        srcip: '203.0.113.7',
        user: undefined,
        alertId: '1609869.80794',
        ruleId: '554',
        location: '(web) any->/var/log/auth.log',
        file: undefined,
        extraArgs: undefined,
      },
      origin: { dialect: 'ossec', by: undefined, ruleId: '554', alertId: '1609869.80794' },
      managerLine:
        '/var/ossec/active-response/bin/firewall-drop add - 203.0.113.7 1609869.80794 554 (web) any->/var/log/auth.log - -',
    });
  });

  test.each([
    ['disable-account0 jane - 1.2 3 host->/var/log/auth.log (null)', { user: 'jane' }],
    ['host-deny60 - 203.0.113.7 1.2 3 host->/x /tmp/a\\;b', { file: '/tmp/a;b' }],
    ['x0 - - 1 2 l - one t\\$wo', { facts: { extraArgs: ['one', 't$wo'] } }],
    ['firewall-drop600 - 203.0.113.7 (from_the_server) (no_rule_id)', { srcip: '203.0.113.7' }],
    ['restart-wazuh', { response: 'restart-wazuh', timeoutSeconds: undefined }],
    ['!custom.sh one', { response: 'custom.sh' }],
  ])('%s', (text, expected) => {
    expect(ossec.fromManager(text, noCommands)).toMatchObject(expected);
  });

  test.each(['', ' - 203.0.113.7', 'host-deny600 -', `host-deny600 - ${'x'.repeat(7_000)}`])(
    'is refused: %s',
    (text) => {
      expect(codeOf(() => ossec.fromManager(text, noCommands))).toBe('message-invalid');
    },
  );

  test('to a script says what to do first', () => {
    const path = '/var/ossec/active-response/bin/host-deny.sh';
    const call = { name: 'host-deny.sh', path, commands: noCommands };
    const words = ['delete', '-', '203.0.113.7', '1.2', '3', 'host->/x'];
    expect(ossec.fromExecd(words, call)).toMatchObject({
      verb: 'delete',
      response: 'host-deny.sh',
      srcip: '203.0.113.7',
      managerLine: `${path} ${words.join(' ')}`,
    });
    expect(codeOf(() => ossec.fromExecd(['update', '-', '-'], call))).toBe('message-invalid');
    expect(codeOf(() => ossec.fromExecd([], call))).toBe('message-invalid');
  });

  test('of any kind is understood or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          const { verb, hostOnly } = ossec.fromManager(text, noCommands);
          expect([verb, hostOnly]).toEqual(['add', true]);
        } catch (error) {
          expect(error).toBeInstanceOf(ArError);
        }
      }),
    );
  });
});

describe('a call of an executable', () => {
  const call = (message: object, program = 'active-response/bin/firewall-drop') =>
    understood({ id: 1, command: 'call', program, message });
  const handed = {
    version: 1,
    origin: { name: 'node01', module: 'wazuh-execd' },
    command: 'add',
    parameters: {
      extra_args: [],
      alert: { rule: { id: '5715', level: 5 }, data: { srcip: '203.0.113.7' } },
      program: 'active-response/bin/host-deny',
    },
  };

  test('is for the one that was started, and is logged by it', () => {
    expect(call(handed)).toMatchObject({
      verb: 'add',
      response: 'firewall-drop',
      srcip: '203.0.113.7',
      logged: true,
      hostOnly: true,
      managerLine: JSON.stringify(handed),
    });
    expect(call({ ...handed, command: 'delete' }).verb).toBe('delete');
  });

  test('of every dialect', () => {
    expect(call({ ...document(), command: 'enable' }, 'bin/block-ip')).toMatchObject({
      response: 'block-ip',
      origin: { dialect: 'wazuh5' },
    });
    const words = ['add', '-', '203.0.113.7', '1.2', '3', 'host->/x'];
    expect(understood({ id: 1, command: 'call', program: '/x/host-deny.sh', words })).toMatchObject(
      { response: 'host-deny.sh', logged: true, origin: { dialect: 'ossec' } },
    );
  });

  test('that was told to abort moves the end of what is held, and makes nothing new', () => {
    const aborted = { onlyHeld: true, verb: 'add', logged: true };
    expect(call({ ...handed, command: 'abort' })).toMatchObject(aborted);
    expect(call({ ...document(), command: 'abort' }, 'bin/block-ip')).toMatchObject(aborted);
    expect(call(handed).onlyHeld).toBeUndefined();
  });

  test('neither adds nor deletes: it is refused', () => {
    for (const command of ['continue', 'firewall-drop600']) {
      expect(codeOf(() => call({ ...handed, command }))).toBe('message-invalid');
    }
  });
});

describe('names of commands', () => {
  const commands = (
    arConf: readonly (readonly [string, string, number])[],
    definitions: readonly CommandDefinition[] = [],
    repeatedOffenderSeconds: readonly number[] = [],
  ) =>
    createCommands(() => ({
      arConf: new Map(
        arConf.map(([name, executable, timeoutSeconds]) => [name, { executable, timeoutSeconds }]),
      ),
      definitions,
      repeatedOffenderSeconds,
    }));

  test('mean what ar.conf says, before what the name looks like', () => {
    const { find } = commands([
      ['block600', 'firewall-drop.sh', 600],
      ['block0', 'firewall-drop.sh', 0],
      ['odd5', 'host-deny', 77],
    ]);
    expect(find('block600')).toEqual({ executable: 'firewall-drop.sh', timeoutSeconds: 600 });
    expect(find('block0')).toEqual({ executable: 'firewall-drop.sh' });
    expect(find('odd5')).toEqual({ executable: 'host-deny', timeoutSeconds: 77 });
    expect(find('block60')).toBeUndefined();
    expect(find('!own.py')).toEqual({ executable: 'own.py' });
  });

  test('mean what the configuration says, the timeout behind them', () => {
    const { find } = commands(
      [],
      [
        definition('fw', { executable: 'firewall-drop' }),
        definition('fw2', { executable: 'host-deny' }),
        definition('once', { timeoutAllowed: false }),
      ],
    );
    expect(find('fw600')).toEqual({ executable: 'firewall-drop', timeoutSeconds: 600 });
    expect(find('fw2')).toEqual({ executable: 'host-deny' });
    expect(find('fw260')).toEqual({ executable: 'host-deny', timeoutSeconds: 60 });
    expect(find('once60')).toEqual({ executable: 'once' });
    expect(find('fwx')).toBeUndefined();
  });

  test('whoever asks without a timeout gets the longest that there is, and some more', () => {
    const of = (...times: number[]) =>
      commands(
        times.map((seconds, index) => [`a${index}`, 'firewall-drop.sh', seconds] as const),
        [],
        [1_800],
      ).longest('firewall-drop');
    expect(of(600, 60)).toBe(1_860);
    expect(of(3_600)).toBe(3_660);
    expect(of(600, 0)).toBeUndefined();
    expect(of()).toBeUndefined();
  });

  test('are found before a message is made of them', () => {
    const found = commands([['block600', 'host-deny.sh', 600]]);
    const message = {
      version: 1,
      origin: { name: 'node01', module: 'wazuh-analysisd' },
      command: 'block600',
      parameters: { extra_args: [], alert: { data: { srcip: '203.0.113.7' } } },
    };
    expect(understood(message, found)).toMatchObject({
      response: 'host-deny.sh',
      timeoutSeconds: 600,
      managerLine: expect.stringContaining('"program":"active-response/bin/host-deny.sh"'),
    });
    expect(ossec.fromManager('block600 - 203.0.113.7', found)).toMatchObject({
      response: 'host-deny.sh',
      timeoutSeconds: 600,
    });
  });
});
