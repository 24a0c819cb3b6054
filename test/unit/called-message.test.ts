import { describe, expect, test } from 'vitest';
import { firstObject } from '../../agent/called/first-object.ts';
import { subjectIn, understand } from '../../agent/called/message.ts';
import { calledAs } from '../../agent/called/name.ts';
import { takesAddress, takesUser } from '../../agent/called/upstream-takes.ts';
import { cDate, zoneName } from '../../agent/observe/c-date.ts';

describe('the name that it is called by', () => {
  test.each([
    ['firewall-drop', 'firewall-drop'],
    ['active-response/bin/firewall-drop', 'active-response/bin/firewall-drop'],
    ['/var/ossec/active-response/bin/firewall-drop.sh', undefined],
    ['active-response/bin/block-ip.exe', 'active-response/bin/block-ip'],
    ['./route-null.cmd', './route-null'],
    ['default-firewall-drop', undefined],
  ])('%s is a response', (argv0, known = argv0) => {
    expect(calledAs(argv0)).toMatchObject({ program: argv0, known });
  });

  test.each([
    'ar-exec',
    '/usr/bin/ar-exec',
    'ar-exec.exe',
    'node',
    '',
    'firewall-drop/',
    'constructor',
  ])('%j is none', (argv0) => expect(calledAs(argv0)).toBeUndefined());

  test('of another system is known for what it is', () => {
    expect(calledAs('active-response/bin/netsh.exe')?.foreign?.lines).toContain('Invalid system');
    expect(calledAs('npf', () => 'linux')?.foreign?.status).toBe(255);
  });

  test.each([
    ['ipfw', 'freebsd'],
    ['ipfw.sh', 'freebsd'],
    ['ipfw_mac.sh', 'darwin'],
    ['pf', 'openbsd'],
    ['npf', 'netbsd'],
  ] as const)('%s is a response on %s, and foreign on the others', (name, system) => {
    const argv0 = `active-response/bin/${name}`;
    expect(calledAs(argv0, () => system)).toEqual({
      program: argv0,
      name,
      known: argv0,
      target: 'address',
    });
    for (const other of ['linux', 'dragonfly'] as const) {
      expect(calledAs(argv0, () => other)?.foreign).toBeDefined();
    }
  });
});

describe('the object that a line begins with', () => {
  test.each([
    ['{"a":1}', { a: 1 }],
    ['{"a":1}\n', { a: 1 }],
    ['{"a":1} garbage', { a: 1 }],
    ['{"a":1}{"a":2}', { a: 1 }],
    ['\ufeff{"a":1}\r\n', { a: 1 }],
    [' \t\u0001{"a":1}', { a: 1 }],
    ['{"a":"}"} x', { a: '}' }],
    ['{"a":"\\"}"} x', { a: '"}' }],
    ['{"a":["]",{"b":2}]} x', { a: [']', { b: 2 }] }],
    ['{"a":"tab\there"}', { a: 'tab\there' }],
    ['{\t"a":1}', { a: 1 }],
    // The last of two counts: a member of the event never stands for what execd puts behind it.
    ['{"command":"disable","command":"enable"}', { command: 'enable' }],
  ])('of %j', (line, object) => {
    expect(firstObject(line)).toEqual(object);
  });

  test.each(['', 'not json', '[1]', '7', '"x"', 'null', '{"a":1', 'x{"a":1}', '{a:1}', '\ufeff'])(
    'of %j is none',
    (line) => expect(firstObject(line)).toBeUndefined(),
  );
});

describe('what upstream takes', () => {
  test.each([
    '203.0.113.7',
    '2001:db8::1',
    '::ffff:1.2.3.4',
    'fe80::1%eth0',
    '1',
    '127.1',
    '0x7f000001',
    '0x7F.1',
    '010.0.0.1',
    '4294967295',
    '1.16777215',
    '0',
  ])('%s for an address', (text) => expect(takesAddress(text)).toBe(true));

  test.each([
    '',
    '203.0.113.0/24',
    '1.2.3.4;id',
    '1.2.3.4 ',
    '256.1.1.1',
    '1.2.3.4.5',
    '4294967296',
    '1.16777216',
    '1.2.65536',
    '08.0.0.1',
    '1..2',
    'example.org',
    '-1',
    '../../tmp/x',
  ])('%j for none', (text) => expect(takesAddress(text)).toBe(false));

  test.each([
    'testuser',
    '1testuser',
    '_testuser',
    'test-user',
    'machine$',
    'TestUser',
    'test.user',
    'a'.repeat(256),
  ])('%s for a user', (text) => expect(takesUser(text)).toBe(true));

  test.each([
    'root',
    '',
    '-q',
    '+x',
    '~x',
    'a:b',
    'a,b',
    'a b',
    'a\tb',
    'a/b',
    'a\\b',
    '../root',
    'a'.repeat(257),
  ])('%j for none', (text) => expect(takesUser(text)).toBe(false));
});

describe('a line of execd', () => {
  const told = (more: object) =>
    understand(Buffer.from(JSON.stringify({ version: 1, origin: {}, parameters: {}, ...more })));

  test.each([
    [{ command: 7 }],
    [{}],
    [{ command: 'add', version: '1' }],
    [{ command: 'add', origin: [] }],
    [{ command: 'add', parameters: null }],
    [{ command: 'add', wazuh: [] }],
  ])('%j is of no form', (more) => expect(told(more)).toBeUndefined());

  test('is of 5.0 by its member wazuh', () => {
    expect(told({ command: 'enable', wazuh: {} })?.version).toBe(5);
    expect(told({ command: 'zzz', version: -7.5 })).toMatchObject({ version: 4, command: 'zzz' });
  });

  const subject = (name: string, data: object) => {
    const line = told({ command: 'add', parameters: { alert: { data } } });
    const called = calledAs(name);
    if (line === undefined || called === undefined) throw new Error('not understood');
    return subjectIn(line, called);
  };

  test.each([
    ['firewall-drop', { srcip: '127.1' }, { keys: ['127.1'] }],
    ['firewall-drop', {}, "Cannot read 'srcip' from data or invalid IP format"],
    ['ip-customblock', { srcip: '/' }, "Cannot read 'srcip' from data or invalid IP format"],
    ['route-null', { srcip: 'x' }, "Cannot read 'srcip' from data"],
    ['pf', {}, "Cannot read 'srcip' from data"],
    // The first that is a string decides.
    [
      'firewall-drop',
      { srcip: '192.0.2.1', win: { eventdata: { ipAddress: '-' } } },
      "Cannot read 'srcip' from data or invalid IP format",
    ],
    ['disable-account', { dstuser: 'bob' }, { keys: ['bob'] }],
    [
      'disable-account',
      { dstuser: '-q' },
      "Cannot read 'dstuser' from data or invalid username format",
    ],
    ['restart-wazuh', {}, { keys: undefined }],
    ['wazuh-slack', {}, { keys: undefined }],
  ])('says what %s is about: %j', (name, data, expected) => {
    const wanted = typeof expected === 'string' ? { refusal: expected } : expected;
    expect(subject(name, data)).toEqual(wanted);
  });
});

describe('the date of OSSEC', () => {
  const may = new Date(2011, 4, 7, 3, 17, 27);

  test('is that of date(1) in the C locale', () => {
    expect(cDate(may, '')).toMatch(/^Sat May {2}7 03:17:27 \S+ 2011$/);
  });

  test.each([
    ['UTC0', 'UTC'],
    ['<+03>-3', '+03'],
    ['EST5EDT,M3.2.0,M11.1.0', 'EST|EDT'],
    ['CET-1CEST,M3.5.0,M10.5.0/3', 'CET|CEST'],
  ])('names the zone of the rule %s', (rule, names) => {
    // What the machine has decides which of the two holds; an offset that is neither is a number.
    expect(zoneName(may, rule)).toMatch(
      new RegExp(`^(${names.replace('+', '\\+')}|UTC|[+-]\\d\\d)$`),
    );
  });

  test('names a zone without a rule by its offset', () => {
    const zone = (minutes: number) =>
      zoneName({ getTimezoneOffset: () => minutes } as Date, 'nonsense');
    expect([0, -60, 210, -345].map(zone)).toEqual(['UTC', '+01', '-0330', '+0545']);
  });

  test('tells summer from winter', () => {
    const zone = (minutes: number) =>
      zoneName({ getTimezoneOffset: () => minutes } as Date, 'CET-1CEST,M3.5.0,M10.5.0/3');
    expect([-60, -120, 300].map(zone)).toEqual(['CET', 'CEST', '-05']);
  });
});
