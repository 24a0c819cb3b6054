import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keysIn, keyText, ownText, printable, provisional } from '../../agent/script/keys.ts';
import { jsonLine, type Subject, wcsLine } from '../../agent/script/message.ts';
import { planRun } from '../../agent/script/plan-run.ts';
import { fromSettings, mannerOf, type Script, toSettings } from '../../agent/script/settings.ts';
import { unfitForWords, wordsOf } from '../../agent/script/words.ts';

/** A busy machine takes its time over hundreds of examples. */
const patience = 60_000;

const script: Script = {
  name: 'custom-ar',
  folder: '/var/ossec/active-response/bin',
  file: 'custom-ar.py',
  dialect: 'auto',
  stateful: 'asked',
  log: 'yes',
  extraArgs: [],
};

/** What a manager sends, as it is kept: `data` begins with srcip, which a decoder looks for. */
const managerLine = JSON.stringify({
  version: 1,
  origin: { name: 'node01', module: 'wazuh-execd' },
  command: 'add',
  parameters: {
    extra_args: ['--zone', 'web'],
    alert: {
      timestamp: '2026-11-21T14:19:16.000+0000',
      rule: { level: 10, description: 'sshd: brute force', id: '5763' },
      agent: { id: '001', name: 'web', ip: '192.0.2.10' },
      id: '1795270756.80794',
      data: { srcip: '203.0.113.7', dstuser: 'alice' },
      location: '/var/log/auth.log',
    },
    program: 'active-response/bin/custom-ar',
  },
});
const managed: Subject = {
  id: 7,
  createdAt: Date.UTC(2026, 10, 21),
  deadlineAt: Date.UTC(2026, 10, 21) + 600_000,
  origin: { dialect: 'wazuh4' },
  managerLine,
  facts: { srcip: '203.0.113.7', user: 'alice', extraArgs: ['--zone', 'web'] },
};
const byHand: Subject = {
  id: 8,
  createdAt: Date.UTC(2026, 10, 21),
  origin: { dialect: 'native', reason: 'a test' },
  facts: { srcip: '2001:db8::7', file: '/tmp/x', sha256: 'ab', title: 'Bad', level: 12 },
};

describe('keys', () => {
  test('are read from the line that Wazuh documents', () => {
    const line =
      '{"version":1,"origin":{"name":"custom-ar.py","module":"active-response"},"command":"check_keys","parameters":{"keys":["10.0.0.1", "root"]}}';
    expect(keysIn(line)).toEqual(['10.0.0.1', 'root']);
    expect(keyText(['10.0.0.1', 'root'])).toBe('10.0.0.1-root');
  });

  test(
    'of any line are texts, or there are none, and it never throws',
    () => {
      const member = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant('check_keys'));
      const message = fc.record(
        { command: member, parameters: fc.oneof(member, fc.record({ keys: fc.array(member) })) },
        { requiredKeys: [] },
      );
      const line = fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.json({ maxDepth: 2 }),
        message.map((it) => JSON.stringify(it)),
      );
      fc.assert(
        fc.property(line, (text) => {
          const keys = keysIn(text);
          expect(keys?.every((key) => typeof key === 'string') ?? true).toBe(true);
        }),
      );
    },
    patience,
  );

  test('come to one line that can be shown, never empty and never long', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (keys) => {
        const text = keyText(keys);
        expect(text).toMatch(/^\P{Cc}{1,4095}$/u);
        expect(text.isWellFormed()).toBe(true);
      }),
    );
    expect(printable('x'.repeat(10_000))).toHaveLength(4_095);
    expect(printable('\u202e\u001b[0m')).toBe('\\u202e\\u001b[0m');
  });

  test('that differ in what cannot be shown stay different', () => {
    expect(printable('a\nb')).not.toBe(printable('a\tb'));
  });

  test('are not known at first, and the name until then leads back to what was asked', () => {
    fc.assert(
      fc.property(fc.string(), fc.uuid(), (text, run) => {
        expect(ownText(provisional(text, run))).toBe(text);
      }),
    );
  });
});

describe('the JSON line', () => {
  test('is what the manager sent, with the command and the program', () => {
    expect(jsonLine(script, managed, 'delete')).toBe(
      managerLine
        .replace('"command":"add"', '"command":"delete"')
        .replace('bin/custom-ar"', 'bin/custom-ar.py"'),
    );
  });

  test('has the arguments of our configuration behind those of the manager', () => {
    const line = JSON.parse(jsonLine({ ...script, extraArgs: ['-v'] }, managed, 'add'));
    expect(line.parameters.extra_args).toEqual(['--zone', 'web', '-v']);
    expect(Object.keys(line.parameters).at(-1)).toBe('program');
  });

  test('says what a request by hand says, in the same form', () => {
    expect(JSON.parse(jsonLine(script, byHand, 'add'))).toEqual({
      version: 1,
      origin: { name: 'ar-exec', module: 'wazuh-execd' },
      command: 'add',
      parameters: {
        extra_args: [],
        alert: {
          timestamp: '2026-11-21T00:00:00.000+0000',
          rule: { level: 12, description: 'Bad', id: '0' },
          agent: { id: '000', name: 'ar-exec' },
          id: '1795219200.8',
          syscheck: { path: '/tmp/x', sha256_after: 'ab' },
          data: { srcip: '2001:db8::7' },
          location: 'ar-exec',
        },
        program: 'active-response/bin/custom-ar.py',
      },
    });
    expect(jsonLine(script, managed, 'add')).toContain('"data":{"srcip":"203.0.113.7"');
    expect(jsonLine(script, byHand, 'add')).toContain('"data":{"srcip":"2001:db8::7"');
  });

  test('is one line, whatever the alert holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const subject = { ...byHand, facts: { srcip: text, user: text, text, title: text } };
        for (const line of [jsonLine(script, subject, 'add'), wcsLine(script, subject, 'add')]) {
          expect(line).not.toMatch(/[\n\r]/);
          expect(() => JSON.parse(line)).not.toThrow();
        }
      }),
    );
  });
});

describe('the document of Wazuh 5.0', () => {
  test('enables and disables', () => {
    expect(JSON.parse(wcsLine(script, managed, 'add'))).toEqual({
      wazuh: {
        active_response: {
          name: 'custom-ar',
          executable: 'custom-ar.py',
          type: 'stateful',
          stateful_timeout: 600,
          extra_arguments: '--zone web',
          location: 'local',
          agent_id: '000',
        },
        agent: { id: '000', name: 'ar-exec' },
      },
      source: { ip: '203.0.113.7' },
      user: { name: 'alice' },
      command: 'enable',
    });
    expect(JSON.parse(wcsLine(script, managed, 'delete')).command).toBe('disable');
    expect(JSON.parse(wcsLine(script, managed, 'abort')).command).toBe('abort');
  });

  test('that was sent is kept, but for a command in it, which would be obeyed', () => {
    const sent = {
      command: 'disable',
      wazuh: { active_response: { name: 'x' } },
      source: { ip: 'a' },
    };
    const subject = { ...managed, managerLine: JSON.stringify(sent) };
    expect(wcsLine(script, subject, 'add')).toBe(
      '{"wazuh":{"active_response":{"name":"x"}},"source":{"ip":"a"},"command":"enable"}',
    );
  });
});

describe('arguments', () => {
  test('are those of OSSEC, an agent having two words for its place', () => {
    expect(wordsOf(script, managed, 'add')).toEqual([
      'add',
      'alice',
      '203.0.113.7',
      '1795270756.80794',
      '5763',
      '(web)',
      '192.0.2.10->/var/log/auth.log',
      '-',
      '--zone',
      'web',
    ]);
  });

  test('say "-" for what is not known', () => {
    const nothing: Subject = { ...byHand, facts: {} };
    expect(wordsOf(script, nothing, 'delete')).toEqual([
      'delete',
      '-',
      '-',
      '1795219200.8',
      '0',
      'ar-exec->ar-exec',
      '-',
    ]);
  });

  test('never make an option, another word or a line of what an alert holds', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('-rf', '--', '-', 'a b', ''),
    );
    fc.assert(
      fc.property(text, text, (one, two) => {
        const alert = { id: one, rule: { id: two }, location: one, syscheck: { path: two } };
        const subject: Subject = {
          ...managed,
          managerLine: JSON.stringify({ parameters: { alert } }),
          facts: { srcip: one, user: two },
        };
        const words = wordsOf(script, subject, 'add');
        expect(words).toHaveLength(7);
        for (const word of words) expect(word).toMatch(/^(-|[^-\s\p{Cc}][^\s\p{Cc}]*)$/u);
      }),
    );
  });

  test.each([
    [{ srcip: '203.0.113.7', user: 'alice' }, undefined],
    [{}, undefined],
    [{ srcip: '1.2.3.4; rm -rf /' }, 'its srcip is no address'],
    [{ srcip: '127.1' }, 'its srcip is no address'],
    [{ user: '-q' }, 'its user is no login name, or begins as an option does'],
    [{ user: '../root' }, 'its user is no login name, or begins as an option does'],
    [{ user: 'Zoë Meier' }, 'its user is no login name, or begins as an option does'],
  ])('are refused for %j', (request, why) => {
    expect(unfitForWords(request, 'linux')).toBe(why);
  });

  test.each([
    ['Zoë Meier', 'zoë meier'],
    ['4711', '4711'],
    ['a$b', 'a$b'],
    ['DOMAIN\\eve', undefined],
    ['-q', undefined],
    ['\u2013q', undefined],
    ['a"b', undefined],
  ])('about the account %j are %j on Windows', (user, word) => {
    const subject: Subject = { ...byHand, facts: { user } };
    expect(wordsOf(script, subject, 'add', 'win32')[1]).toBe(word ?? '-');
    expect(unfitForWords({ user }, 'win32') === undefined).toBe(word !== undefined);
  });
});

describe('a run', () => {
  const plan = (
    dialect: Script['dialect'],
    verb: 'add' | 'delete' = 'add',
    folder = script.folder,
  ) =>
    planRun({ ...script, folder, dialect }, mannerOf(dialect, 'wazuh4'), managed, {
      verb,
      run: 'r',
      deadlineMs: 1,
    });

  test.each([
    ['auto', 'active-response/bin/custom-ar.py', 'possible', 'shell', true],
    ['json', 'active-response/bin/custom-ar.py', 'none', 'every-file', true],
    ['json-keys', 'active-response/bin/custom-ar.py', 'required', 'every-file', true],
    ['wcs', 'active-response/bin/custom-ar.py', 'possible', 'every-file', true],
    ['argv', '/var/ossec/active-response/bin/custom-ar.py', 'none', 'every-file', false],
  ] as const)('in the dialect %s', (dialect, program, handshake, wordsFor, reads) => {
    const step = plan(dialect);
    expect(step).toMatchObject({ cwd: '/var/ossec', program, handshake, wordsFor });
    expect(step.line !== undefined).toBe(reads);
    expect(step.words.length > 0).toBe(dialect === 'argv' || dialect === 'auto');
    expect(plan(dialect, 'delete').handshake).toBe('none');
  });

  test('in a folder of its own is at the root', () => {
    expect(plan('auto', 'add', '/etc/ar-exec/responses')).toMatchObject({
      cwd: '/',
      program: '/etc/ar-exec/responses/custom-ar.py',
    });
  });

  test('is kept by the journal as it was declared', () => {
    const declared = { ...script, extraArgs: ['a', '"b"'] };
    expect(fromSettings(JSON.parse(JSON.stringify(toSettings(declared))))).toEqual(declared);
  });
});
