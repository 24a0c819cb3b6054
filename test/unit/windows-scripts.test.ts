import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { whyUntrusted } from '../../agent/system/windows/acl.ts';
import { closedList } from '../../agent/system/windows/quarantine/closed-list.ts';
import { scriptCommand } from '../../agent/system/windows/script-command.ts';

const windows = 'C:\\Windows';
const folder = 'C:\\ProgramData\\ar-exec\\responses';
const command = (file: string, words: readonly string[] = []) =>
  scriptCommand(`${folder}\\${file}`, words, windows);

describe('how a file is started on Windows', () => {
  test('an executable, by itself', () => {
    expect(command('a.EXE', ['add', 'a b'])).toEqual({
      program: `${folder}\\a.EXE`,
      args: ['add', 'a b'],
      verbatim: false,
    });
  });

  test('PowerShell, by its full path and with an explicit file', () => {
    expect(command('a.ps1', ['add', '-', '203.0.113.7', '\u2013Verb'])).toEqual({
      program: 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe',
      args: [
        ...['-NoLogo', '-NoProfile', '-NonInteractive', '-ExecutionPolicy', 'RemoteSigned'],
        ...['-File', `${folder}\\a.ps1`, 'add', '-', '203.0.113.7', '-'],
      ],
      verbatim: false,
    });
  });

  test('Python, by its launcher', () => {
    expect(command('a.py', ['add'])).toEqual({
      program: 'C:\\Windows\\py.exe',
      args: ['-3', `${folder}\\a.py`, 'add'],
      verbatim: false,
    });
  });

  test('a batch file, by cmd.exe and one command line', () => {
    expect(command('a.cmd', ['add', 'jürgen', '2001:db8::7', '1.2', 'a&b', 'C:\\'])).toEqual({
      program: 'C:\\Windows\\System32\\cmd.exe',
      args: [
        ...['/d', '/e:on', '/v:off', '/s', '/c'],
        `""${folder}\\a.cmd" "add" "jürgen" "2001:db8::7" "1.2" "-" "-""`,
      ],
      verbatim: true,
    });
  });

  test.each(['a&b', 'a b', 'a%PATH%', 'a^', 'a"', 'a!', "a'(", 'a\n', 'a\\', 'a=b', 'a;b', '｜"'])(
    'a batch file is not run about the account %j',
    (user) => {
      expect(command('a.bat', ['add', user])).toEqual({
        refused: expect.stringContaining('characters that cmd.exe could take for a command'),
      });
    },
  );

  test.each(['C:\\a%b\\x.cmd', 'C:\\a^b\\x.cmd', 'C:\\a!b\\x.bat'])('nor %s at all', (path) => {
    expect(scriptCommand(path, [], windows)).toEqual({
      refused: expect.stringContaining('cmd.exe reads as something else'),
    });
  });

  test.each(['a.vbs', 'a.js', 'a.com', 'a.lnk', 'a', 'a.cmd.txt'])('%s is none', (file) => {
    expect(command(file)).toMatchObject({ refused: expect.stringContaining('.exe, .cmd') });
  });

  test('nothing that cmd.exe knows stands on a command line, whatever the words are', () => {
    const unit = fc.oneof(
      fc.constantFrom(...'ab1 "%&|<>^!()=;,\\/-:\'`*?\t\r\n\0'),
      fc.nat(0xffff).map((code) => String.fromCharCode(code)),
    );
    const words = fc.array(fc.string({ unit, maxLength: 8 }), { maxLength: 6 });
    fc.assert(
      fc.property(words, fc.constantFrom('x.cmd', 'x.BAT'), (all, file) => {
        const made = command(file, all);
        if ('refused' in made) return true;
        const line = made.args.at(-1) ?? '';
        const inner = line.slice(1, -1);
        const quoted = [...inner.matchAll(/"([^"]*)"( |$)/g)];
        const isWhole = quoted.map(([text]) => text).join('') === inner;
        const [, ...given] = quoted.map(([, text = '']) => text);
        const isPlain = given.every((word) => /^[\p{L}\p{N}\p{M}_.:/\\@+#~-]+$/u.test(word));
        const isKept = given.every((word, index) => word === all[index] || word === '-');
        return line.startsWith('"') && isWhole && isPlain && isKept && given.length === all.length;
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('who may change a file of Windows', () => {
  const own = 'S-1-5-21-1-2-3-1001';
  const everybody = 'S-1-1-0';
  const entry = (sid: string, mask: number, more: object = {}) => ({
    allows: true,
    inheritOnly: false,
    sid,
    mask,
    ...more,
  });
  const full = 0x1f_01ff;
  const readAndRun = 0x12_00a9;
  const both = ['content', 'place'] as const;

  test.each(['S-1-5-18', 'S-1-5-32-544', own])('%s and nobody else is as it should be', (owner) => {
    const entries = [entry('S-1-5-18', full), entry(own, full), entry(everybody, readAndRun)];
    expect(whyUntrusted({ owner, entries }, both, own)).toBeUndefined();
  });

  test('a stranger who owns it can change who may change it', () => {
    const access = { owner: 'S-1-5-21-1-2-3-1002', entries: [] };
    expect(whyUntrusted(access, both, own)).toMatch(/^belongs to S-1-5-21-1-2-3-1002/);
  });

  test('without a list everybody may do anything; with an empty one nobody', () => {
    const owner = 'S-1-5-18';
    expect(whyUntrusted({ owner, entries: undefined }, both, own)).toMatch(/everybody/);
    expect(whyUntrusted({ owner, entries: [] }, both, own)).toBeUndefined();
  });

  test.each([
    ['write', 0x2, 'content'],
    ['append', 0x4, 'content'],
    ['attributes', 0x100, 'content'],
    ['generic write', 0x4000_0000, 'content'],
    ['delete', 0x1_0000, 'place'],
    ['delete below', 0x40, 'place'],
    ['list', 0x4_0000, 'place'],
    ['owner', 0x8_0000, 'place'],
    ['all', 0x1000_0000, 'place'],
  ] as const)('the right to %s does harm', (_, mask, harm) => {
    const access = { owner: 'S-1-5-18', entries: [entry(everybody, mask)] };
    expect(whyUntrusted(access, [harm], own)).toContain(everybody);
    const denied = { ...access, entries: [entry(everybody, mask, { allows: false })] };
    expect(whyUntrusted(denied, [harm], own)).toBeUndefined();
    const below = { ...access, entries: [entry(everybody, mask, { inheritOnly: true })] };
    expect(whyUntrusted(below, [harm], own)).toBeUndefined();
  });

  test('that people add to a folder far above does none', () => {
    const access = { owner: 'S-1-5-18', entries: [entry('S-1-5-11', 0x4)] };
    expect(whyUntrusted(access, ['place'], own)).toBeUndefined();
    expect(whyUntrusted(access, ['content'], own)).toContain('S-1-5-11');
  });
});

test('the list of the quarantine has Windows, administrators and the agent', () => {
  const bytes = closedList('S-1-5-21-1-2-3-1001');
  // D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;S-1-5-21-1-2-3-1001), self-relative.
  expect(bytes.toString('hex')).toBe(
    [
      '01000490000000000000000000000000' + '14000000',
      '02005800' + '03000000',
      '00031400' + 'ff011f00' + '010100000000000512000000',
      '00031800' + 'ff011f00' + '01020000000000052000000020020000',
      '00032400' + 'ff011f00' + '010500000000000515000000010000000200000003000000e9030000',
    ].join(''),
  );
});
