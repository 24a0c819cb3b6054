import { describe, expect, test } from 'vitest';
import type { Reply } from '../../agent/called/ask-agent.ts';
import { converse, type Door } from '../../agent/called/conversation.ts';
import { calledAs } from '../../agent/called/name.ts';
import { runWords } from '../../agent/called/words.ts';

const active: Reply = {
  ok: true,
  state: 'active',
  action: 1,
  response: 'block-ip',
  target: '203.0.113.7',
  driver: 'nftables',
  since: '2026-11-21T00:00:00.000Z',
  until: null,
};

const four = (command: string, data: object = { srcip: '203.0.113.7' }, more: object = {}) =>
  JSON.stringify({ version: 1, origin: {}, command, parameters: { alert: { data }, ...more } });
const five = (command: string, event: object = { source: { ip: '203.0.113.7' } }) =>
  JSON.stringify({ wazuh: { active_response: {} }, ...event, command });

/** Plays the world around a call: lines come in, and what goes out is kept. */
function play(name: string, lines: readonly string[], reply: Reply = active) {
  const logged: string[] = [];
  const printed: string[] = [];
  const asked: object[] = [];
  const waiting = [...lines];
  const door: Door = {
    log: {
      line: (text) => void logged.push(Buffer.from(text as string).toString()),
      plain: (text) => void logged.push(text),
    },
    readLine: async () => {
      const line = waiting.shift();
      return line === undefined ? undefined : Buffer.from(`${line}\n`);
    },
    print: (text) => void printed.push(text),
    ask: async (request) => {
      asked.push(request);
      return reply;
    },
  };
  const called = calledAs(name);
  if (called === undefined) throw new Error(`${name} is no response`);
  return { called, door, logged, printed, asked };
}

async function run(name: string, lines: readonly string[], reply?: Reply) {
  const world = play(name, lines, reply);
  const status = await converse(world.called, world.door);
  return { ...world, status };
}

const failure = (code: string, message: string): Reply => ({ ok: false, code, message });

describe('the conversation with execd', () => {
  test('asks for what the first line says once the second says continue', async () => {
    const { asked, status, logged, printed } = await run('a/firewall-drop', [
      four('add'),
      four('continue'),
    ]);
    expect(status).toBe(0);
    expect(asked).toEqual([
      { id: 1, command: 'call', program: 'a/firewall-drop', message: JSON.parse(four('add')) },
    ]);
    const keys =
      '{"version":1,"origin":{"name":"firewall-drop","module":"active-response"},"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}';
    expect(printed).toEqual([`${keys}\n`]);
    expect(logged).toEqual([
      'Starting',
      `${four('add')}\n`,
      keys,
      `${four('continue')}\n`,
      'Ended',
    ]);
  });

  test.each([
    ['nothing', []],
    ['no answer', [four('add')]],
    ['a bare answer', [four('add'), '{"command":"continue"}']],
    ['an answer of another version', [four('add'), five('zzz')]],
    ['another word for an answer', [four('add'), four('go on')]],
    ['another word for a command', [four('enable')]],
    ['a command of 5.0 in the form of 4', [five('add')]],
  ])('asks for nothing after %s', async (_what, lines) => {
    const { asked, status } = await run('firewall-drop', lines);
    expect({ asked, status }).toEqual({ asked: [], status: 255 });
  });

  test('moves the end of what is held where execd has it already', async () => {
    const { asked, status, logged } = await run(
      'block-ip',
      [five('enable'), five('abort')],
      failure('not-held', 'it is not held'),
    );
    expect(status).toBe(0);
    expect(logged.at(-1)).toBe('Aborted');
    expect(asked).toMatchObject([{ message: { command: 'abort' } }]);
  });

  test.each(['restart-wazuh', 'wazuh-slack', 'kill-process', 'mail-alert'])(
    'has no handshake for %s: nothing is taken back',
    async (name) => {
      const { printed, asked, status } = await run(name, [four('add')]);
      expect({ printed, asked: asked.length, status }).toEqual({
        printed: [],
        asked: 1,
        status: 0,
      });
    },
  );

  test('has none to take back', async () => {
    const { printed, logged } = await run('firewall-drop', [four('delete')]);
    expect(printed).toEqual([]);
    expect(logged).toEqual(['Starting', `${four('delete')}\n`, 'Ended']);
  });

  test.each(['not-held', 'not-revertible', 'address-invalid'])(
    'takes %s for an end',
    async (code) => {
      const { status, logged } = await run('firewall-drop', [four('delete')], failure(code, 'x'));
      expect({ status, last: logged.at(-1) }).toEqual({ status: 0, last: 'Ended' });
    },
  );

  test('says why in one line where it did not come true', async () => {
    const { status, logged } = await run(
      'firewall-drop',
      [four('add'), four('continue')],
      failure('not-held', 'it is\nforged: Ended'),
    );
    expect({ status, last: logged.at(-1) }).toEqual({ status: 255, last: 'it is forged: Ended' });
  });

  test('tells of 5.0 by what an address is blocked, and only of its block-ip', async () => {
    const { logged } = await run('block-ip', [five('enable'), five('continue')]);
    expect(logged.slice(-3)).toEqual([
      '[INFO] Method=nftables Action=start Details=Attempting method: nftables (lock=no)',
      '[INFO] Method=nftables Action=success Details=IP 203.0.113.7 successfully blocked',
      'Ended',
    ]);
    const other = await run('firewall-drop', [five('enable'), five('continue')]);
    expect(other.logged.join()).not.toContain('Method=');
    const end = await run('block-ip', [five('disable')]);
    expect(end.logged.at(-2)).toContain('successfully unblocked');
  });

  test.each([
    ['block-ip', { source: { ip: 'x' } }, "Invalid IP address: 'x'"],
    ['disable-account', { user: { name: 'root' } }, 'Invalid username'],
  ])('says of 5.0 after the keys what is wrong with them: %s', async (name, event, why) => {
    const { printed, logged, asked, status } = await run(name, [
      five('enable', event),
      five('continue', event),
    ]);
    expect(printed).toHaveLength(1);
    expect({ last: logged.at(-1), asked, status }).toEqual({ last: why, asked: [], status: 255 });
  });

  test('ends as upstream does where a system has no such thing', async () => {
    const { logged, asked, status } = await run('netsh.exe', [four('add'), four('continue')]);
    expect(logged.slice(-2)).toEqual(['Invalid system', 'Ended']);
    expect({ asked, status }).toEqual({ asked: [], status: 0 });
  });

  test('says so where a link has a name that nothing has', async () => {
    const { logged, asked, status } = await run('active-response/bin/kaspersky', [four('add')]);
    expect(logged.at(-1)).toBe('there is no response kaspersky in ar-exec');
    expect({ asked, status }).toEqual({ asked: [], status: 255 });
    expect(calledAs('active-response/bin/ar-exec')).toBeUndefined();
  });

  test('writes no secret address to the log, and everything else as it came', async () => {
    const secret = 'https://hooks.example.org/services/T0/B0/secret';
    const told = await run('wazuh-slack', [four('add', {}, { extra_args: [secret] })]);
    expect(told.logged.join()).not.toContain('secret');
    expect(told.logged.join()).toContain('hooks.example.org');
    expect(JSON.stringify(told.asked)).toContain(secret);
    const odd = `  ${four('add', {}, { extra_args: ['-x'] })} \u00a0garbage`;
    expect((await run('wazuh-slack', [odd])).logged[1]).toBe(`${odd}\n`);
  });

  test('says what is not done yet', async () => {
    const waiting = { ...active, state: 'intended', nextTry: 'soon', trouble: 'no route' } as Reply;
    const { logged, status } = await run('wazuh-slack', [four('add')], waiting);
    expect(logged.slice(-2)).toEqual([
      'Not done yet: no route; it is tried again at soon',
      'Ended',
    ]);
    expect(status).toBe(0);
  });
});

describe("the words of OSSEC's execd", () => {
  const runWith = async (name: string, words: readonly string[], reply?: Reply) => {
    const world = play(name, [], reply);
    return { ...world, status: await runWords(world.called, words, world.door) };
  };
  const path = '/var/ossec/active-response/bin/firewall-drop.sh';
  const words = ['add', '-', '203.0.113.7', '1304756247.60385', '31151', '(web)', 'any->/x', '-'];

  test('are handed on, and logged as decoders read them', async () => {
    const { asked, status, logged, printed } = await runWith(path, words);
    expect({ status, printed }).toEqual({ status: 0, printed: [] });
    expect(asked).toEqual([{ id: 1, command: 'call', program: path, words }]);
    expect(logged).toHaveLength(1);
    // OSSEC's decoder ar_log, and Wazuh's for the same lines.
    expect(logged[0]).toMatch(
      /^\w\w\w \w+\s+\d+ \d\d:\d\d:\d\d \W*\w+ \d+ \/\S+\/active-response\/bin\/(\S+) (\S+) - (\S+) (\d+?\.\d+?) (\d+)$/,
    );
  });

  test.each([
    [['add', '-', ''], `${path}: <action> <username> <ip>`],
    [['add'], `${path}: <action> <username> <ip>`],
    [['restart', '-', '1.2.3.4'], `${path}: invalid action: restart`],
  ])('that are too few or others are answered with %j', async (few, said) => {
    const { status, printed, asked } = await runWith(path, few);
    expect({ status, printed, asked }).toEqual({ status: 1, printed: [`${said}\n`], asked: [] });
  });

  test('say why nothing was done', async () => {
    const dash = await runWith(path, ['add', '-', '-']);
    expect(dash.logged.at(-1)).toMatch(/ Unable to run active response \(invalid IP: '-'\)\.$/);
    expect(dash.asked).toEqual([]);
    const refused = await runWith(path, words, failure('target-protected', 'it is protected'));
    expect(refused.logged.at(-1)).toMatch(/ Unable to run active response \(it is protected\)\.$/);
    expect([dash.status, refused.status]).toEqual([1, 1]);
  });

  test('cannot break a line of the log', async () => {
    const { logged } = await runWith(path, ['add', '-', '1.2.3.4\nforged', '1.2', '3']);
    expect(logged[0]).not.toContain('\n');
  });
});
