import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ArError } from '../../agent/errors.ts';
import type { Message, Refused } from '../../agent/intake/ask.ts';
import { parseLine } from '../../agent/intake/message.ts';
import type { Request } from '../../agent/words.ts';

const parse = (message: unknown): Message | Refused => parseLine(JSON.stringify(message));

function request(message: unknown): Request {
  const parsed = parse(message);
  if ('error' in parsed) throw parsed.error;
  if (parsed.ask.kind !== 'act') throw new Error('not a request to act');
  return parsed.ask.request;
}

function refusal(message: Message | Refused): string {
  if (!('error' in message)) throw new Error('it was not refused');
  return `${message.error.code}: ${message.error.message}`;
}

const add = { command: 'add', response: 'firewall-drop', srcip: '203.0.113.7' };

/** As a manager 4.14 sends it for an sshd brute force. */
const alert = {
  timestamp: '2026-11-21T14:19:16.000+0000',
  rule: { level: 10, description: 'sshd: brute force', id: '5763', firedtimes: 1 },
  agent: { id: '001', name: 'web' },
  id: '1795270756.1234',
  data: { srcip: '203.0.113.7', srcport: '4711', dstuser: 'root' },
  location: '/var/log/auth.log',
};
const wazuh = (command: string, data: unknown = alert.data) => ({
  version: 1,
  origin: { name: 'node01', module: 'wazuh-analysisd' },
  command,
  parameters: { extra_args: [], alert: { ...alert, data } },
});

describe('the native dialect', () => {
  test('understands what docs/protocol.md shows', () => {
    expect(
      request({
        ...add,
        id: 'x',
        timeoutSeconds: 600,
        reason: 'test',
        by: 'me',
        dryRun: true,
        forceProtected: true,
      }),
    ).toEqual({
      verb: 'add',
      response: 'firewall-drop',
      srcip: '203.0.113.7',
      timeoutSeconds: 600,
      dryRun: true,
      forceProtected: true,
      facts: { title: 'test', srcip: '203.0.113.7' },
      origin: { dialect: 'native', by: 'me', reason: 'test' },
    });
    const sha256 = 'AB'.repeat(32);
    expect(
      request({ ...add, user: 'bob', file: '/tmp/x', pid: 7, executable: '/bin/sh', sha256 }),
    ).toMatchObject({
      user: 'bob',
      file: '/tmp/x',
      process: { pid: 7, executable: '/bin/sh' },
      facts: { user: 'bob', sha256: 'ab'.repeat(32) },
    });
    expect(request({ command: 'delete', response: 'x', forget: true })).toMatchObject({
      verb: 'delete',
      forget: true,
    });
    expect(parse({ command: 'status', id: 7 })).toEqual({ id: 7, ask: { kind: 'status' } });
    expect(parse({ command: 'list' })).toMatchObject({ ask: { which: 'live', limit: 1_000 } });
    expect(parse({ command: 'list', history: true, limit: 5 })).toMatchObject({
      ask: { which: 'ended', limit: 5 },
    });
  });

  test.each([
    [{}, 'command'],
    [{ command: 'reboot' }, 'command'],
    [{ command: 'constructor' }, 'command'],
    [{ command: '__proto__' }, 'command'],
    [{ command: ['add'] }, 'command'],
    [{ ...add, response: 7 }, 'response'],
    [{ ...add, response: 'x'.repeat(65) }, 'response'],
    [{ ...add, srcip: ['203.0.113.7'] }, 'srcip'],
    [{ ...add, srcip: '1'.repeat(257) }, 'srcip'],
    [{ ...add, timeoutSeconds: '600' }, 'timeoutSeconds'],
    [{ ...add, timeoutSeconds: 1.5 }, 'timeoutSeconds'],
    [{ ...add, timeoutSeconds: null }, 'timeoutSeconds'],
    [{ ...add, timeout: 600 }, 'timeout'],
    [{ ...add, forget: true }, 'forget'],
    [{ ...add, reason: 'x'.repeat(1_025) }, 'reason'],
    [{ ...add, id: {} }, 'id'],
    [{ command: 'delete', response: 'x', forceProtected: true }, 'forceProtected'],
    [{ command: 'list', limit: 0 }, 'limit'],
    [{ command: 'list', limit: 1_000_001 }, 'limit'],
    [{ command: 'status', verbose: true }, 'verbose'],
  ])('refuses %j, and names the member', (message, member) => {
    expect(refusal(parse(message))).toContain(`message-invalid: member "${member}"`);
  });

  test('gives a refusal the id of its request', () => {
    expect(parse({ command: 'x', id: 5 })).toMatchObject({ id: 5 });
    expect(parse({ command: 'x', id: 'five' })).toMatchObject({ id: 'five' });
    expect(parse({ command: 'x', id: { toString: 1 } }).id).toBeUndefined();
  });
});

describe('the dialect of Wazuh 4', () => {
  test('understands a manager', () => {
    expect(request(wazuh('firewall-drop600'))).toMatchObject({
      verb: 'add',
      response: 'firewall-drop',
      srcip: '203.0.113.7',
      timeoutSeconds: 600,
      origin: {
        dialect: 'wazuh4',
        by: 'wazuh-analysisd on node01',
        reason: 'sshd: brute force',
        ruleId: '5763',
        alertId: '1795270756.1234',
      },
    });
  });

  test.each([
    ['firewall-drop0', 'firewall-drop', undefined],
    ['firewall-drop', 'firewall-drop', undefined],
    ['host-deny007', 'host-deny', 7],
    ['600', '', 600],
    ['', '', undefined],
    ['ip4-drop60', 'ip4-drop', 60],
    ['firewall-drop-5', 'firewall-drop-', 5],
  ])('takes %j for %j and its timeout', (command, response, timeoutSeconds) => {
    expect(request(wazuh(command))).toMatchObject({ response, timeoutSeconds });
  });

  test('hands on a timeout that no number can hold, for policy to refuse', () => {
    const { timeoutSeconds } = request(wazuh(`firewall-drop${'9'.repeat(200)}`));
    expect(timeoutSeconds).toBeGreaterThan(1e99);
  });

  test.each([
    [{ srcip: '192.0.2.1' }, '192.0.2.1'],
    [{ win: { eventdata: { ipAddress: '192.0.2.2' } }, srcip: '192.0.2.1' }, '192.0.2.2'],
    [{ win: { eventdata: { destinationIp: '192.0.2.3', ipAddress: '192.0.2.2' } } }, '192.0.2.2'],
    [{ win: { eventdata: { destinationIp: '192.0.2.3' } }, srcip: '192.0.2.1' }, '192.0.2.3'],
    // The first that is a string decides, were it no address.
    [{ win: { eventdata: { ipAddress: '-' } }, srcip: '192.0.2.1' }, '-'],
    [{ win: { eventdata: { ipAddress: 7 } }, srcip: '192.0.2.1' }, '192.0.2.1'],
    [{ win: 'x', srcip: '192.0.2.1' }, '192.0.2.1'],
    [{ srcip: ['192.0.2.1'] }, undefined],
    [{}, undefined],
    [null, undefined],
    ['192.0.2.1', undefined],
  ])('finds the address in %j', (data, srcip) => {
    expect(request(wazuh('firewall-drop', data)).srcip).toBe(srcip);
  });

  test.each([
    [
      { audit: { type: 'SYSCALL', pid: '4242', exe: '/tmp/miner' } },
      { pid: 4_242, executable: '/tmp/miner' },
    ],
    // Written by a program, or with the number of the parent.
    [{ audit: { type: 'USER_AUTH', pid: '4242', exe: '/tmp/miner' } }, undefined],
    [{ audit: { pid: '4242', exe: '/tmp/miner' } }, undefined],
    [{ audit: { type: 'SYSCALL', pid: '4242' } }, { pid: 4_242, executable: undefined }],
    [
      { audit: { type: 'SYSCALL', pid: '-1', exe: '/tmp/miner' } },
      { pid: undefined, executable: '/tmp/miner' },
    ],
    [
      { win: { eventdata: { processId: '88', image: 'C:\\x.exe' } } },
      { pid: 88, executable: 'C:\\x.exe' },
    ],
    [{ audit: 'SYSCALL pid=1' }, undefined],
    [{ pid: '1', exe: '/sbin/init' }, undefined],
    [undefined, undefined],
  ])('finds the process in %j', (data, process) => {
    expect(request(wazuh('kill-process', data)).process).toEqual(process);
  });

  const sha256 = 'AB'.repeat(32);
  const sha1 = 'cd'.repeat(20);
  test.each([
    [
      { syscheck: { path: '/tmp/a', sha256_after: sha256, sha1_after: sha1 } },
      { file: '/tmp/a', sha256: sha256.toLowerCase(), sha1 },
    ],
    [
      {
        data: { virustotal: { source: { file: '/tmp/b', sha1, md5: 'x' } } },
        syscheck: { path: '/c' },
      },
      { file: '/tmp/b', sha1 },
    ],
    [{ syscheck: { path: '/tmp/a', sha256_after: 'no', sha1_after: sha256 } }, { file: '/tmp/a' }],
    [{ syscheck: { path: 7, sha256_after: sha256 } }, {}],
    [{ data: { file: '/etc/passwd', yara_scanned_file: '/a' }, full_log: '/etc/passwd' }, {}],
  ])('finds the file in %j', (alert, { file, sha256, sha1 }: Found) => {
    const found = request({ ...wazuh('quarantine-file'), parameters: { alert } });
    expect(found.file).toBe(file);
    expect([found.facts?.sha256, found.facts?.sha1]).toEqual([sha256, sha1]);
  });

  test('takes nothing from a prototype', () => {
    const line = JSON.stringify(wazuh('firewall-drop')).replace(
      '"data":{"srcip":"203.0.113.7"',
      '"data":{"__proto__":{"srcip":"192.0.2.66"}',
    );
    const parsed = parseLine(line);
    expect(parsed).toMatchObject({ ask: { kind: 'act' } });
    expect('ask' in parsed && parsed.ask.kind === 'act' && parsed.ask.request.srcip).toBe(
      undefined,
    );
    expect(({} as { srcip?: string }).srcip).toBeUndefined();
  });

  test('keeps the line as a manager’s own executable would get it, member by member', () => {
    const { managerLine } = request(wazuh('firewall-drop600'));
    const wanted = JSON.stringify({
      version: 1,
      origin: { name: 'node01', module: 'wazuh-execd' },
      command: 'add',
      parameters: {
        extra_args: [],
        alert,
        program: 'active-response/bin/firewall-drop',
      },
    });
    expect(managerLine).toBe(wanted);
    expect(managerLine).toContain('"data":{"srcip":"203.0.113.7"');
  });

  test.each([
    [{ ...wazuh('x'), version: '1' }, 'version'],
    [{ ...wazuh('x'), origin: 'node01' }, 'origin'],
    [{ ...wazuh('x'), command: 7 }, 'command'],
    [{ ...wazuh('x'), command: 'x'.repeat(257) }, 'command'],
    [{ ...wazuh('x'), parameters: null }, 'parameters'],
    [{ version: 1, origin: {}, command: 'x' }, 'parameters'],
  ])('refuses %j, and names the member', (message, member) => {
    expect(refusal(parse(message))).toContain(`member "${member}"`);
  });

  test('cuts what a stranger says to a length', () => {
    const long = 'x'.repeat(5_000);
    const { origin } = request({
      ...wazuh('firewall-drop'),
      origin: { name: long, module: long },
      parameters: { alert: { rule: { id: long, description: long }, id: 12 } },
    });
    expect(origin.by).toHaveLength(256);
    expect(origin.reason).toHaveLength(1_024);
    expect(origin.ruleId).toHaveLength(64);
    expect(origin.alertId).toBe('12');
  });
});

describe('a line', () => {
  test.each(['', 'null', '7', '"x"', '[]', '[{}]', '{', '{"a":1}}', 'add firewall-drop', '\u0000'])(
    '%j is refused',
    (line) => {
      expect(refusal(parseLine(line))).toContain('message-invalid');
    },
  );

  test('of any kind is understood or refused, and never throws', () => {
    const words = fc.constantFrom(
      'version',
      'origin',
      'command',
      'parameters',
      'alert',
      'data',
      'srcip',
      'id',
      'response',
      'timeoutSeconds',
      '__proto__',
      'constructor',
      'toString',
      'win',
      'eventdata',
      'rule',
      'limit',
    );
    const leaf = fc.oneof(
      fc.constantFrom('add', 'delete', 'list', 'status', 'firewall-drop600', '203.0.113.7'),
      fc.jsonValue(),
      fc.double(),
      fc.maxSafeInteger(),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof({ maxDepth: 5 }, leaf, fc.dictionary(words, tie('tree'))),
    }));
    const lines = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      tree.map((value) => JSON.stringify(value) ?? ''),
      tree.map((value) => JSON.stringify({ ...wazuh('x1'), parameters: value })),
      tree.map((value) => JSON.stringify({ ...add, id: value })),
      fc.nat(300).map((digits) => `{"command":"add","timeoutSeconds":${'9'.repeat(digits + 1)}}`),
      fc.nat(5_000).map((depth) => '['.repeat(depth)),
    );
    fc.assert(
      fc.property(lines, (line) => {
        const parsed = parseLine(line);
        if ('error' in parsed) {
          expect(parsed.error).toBeInstanceOf(ArError);
          expect(parsed.error.code).toBe('message-invalid');
        } else if (parsed.ask.kind === 'act') {
          const { verb, response, srcip, managerLine } = parsed.ask.request;
          expect(['add', 'delete']).toContain(verb);
          expect(typeof response).toBe('string');
          expect(['string', 'undefined']).toContain(typeof srcip);
          expect(managerLine ?? '').not.toContain('\n');
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

interface Found {
  readonly file?: string;
  readonly sha256?: string;
  readonly sha1?: string;
}
