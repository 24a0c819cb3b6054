import { win32 } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { grammarOf, restoreTarget } from '../../platform/target.ts';
import { foldCase, isBelow, isSamePath, parseAccountName } from '../../platform/windows/names.ts';

const { file, user, process } = grammarOf('win32');
const path = (text: string) => file(text)?.text;

/** Any unit of UTF-16, those with a meaning more often. */
const unit = fc.oneof(
  fc.constantFrom(...'abcXYZ09 .-$~%&:;*?"<>|/\\\0\n'),
  fc.nat(0xffff).map((code) => String.fromCharCode(code)),
);

describe('a path of Windows', () => {
  test.each([
    ['C:\\Users\\eve\\a.exe', 'C:\\Users\\eve\\a.exe'],
    ['c:/Users/eve/a.exe', 'C:\\Users\\eve\\a.exe'],
    ['\\\\?\\C:\\Users\\eve\\a.exe', 'C:\\Users\\eve\\a.exe'],
    ['D:\\Größe\\日本 語.exe', 'D:\\Größe\\日本 語.exe'],
    ['C:\\console.txt', 'C:\\console.txt'],
    ['C:\\.hidden', 'C:\\.hidden'],
  ])('%s is understood', (text, wanted) => {
    expect(path(text)).toBe(wanted);
  });

  test.each([
    'a.exe',
    'C:a.exe',
    'C:\\',
    'C:',
    '\\a.exe',
    '\\\\server\\share\\a.exe',
    '\\\\.\\pipe\\a',
    '\\\\?\\UNC\\server\\share\\a',
    '\\??\\C:\\a',
    'C:\\a\\..\\b',
    'C:\\a\\.\\b',
    'C:\\a\\\\b',
    'C:\\a\\',
    'C:\\a:stream',
    'C:\\a.txt::$DATA',
    'C:\\a:b\\c',
    'C:\\a.',
    'C:\\a ',
    'C:\\a . \\b',
    'C:\\CON',
    'C:\\a\\nul',
    'C:\\aux.txt',
    'C:\\com1.tar.gz',
    'C:\\LPT\u00b9.x',
    'C:\\conin$',
    'C:\\nul .txt',
    'C:\\a*',
    'C:\\a?',
    'C:\\a"b',
    'C:\\a<b',
    'C:\\a|b',
    'C:\\a\nb',
    'C:\\a\0',
    'C:\\a\ud800',
    '1:\\a',
    '/etc/passwd',
  ])('%j is refused', (text) => {
    expect(path(text)).toBeUndefined();
  });

  test('a long one is refused', () => {
    expect(path(`C:\\${'a'.repeat(255)}`)).toBeDefined();
    expect(path(`C:\\${'a'.repeat(256)}`)).toBeUndefined();
    expect(path(`C:\\${'a\\'.repeat(3_000)}a`)).toBeUndefined();
  });

  test('what is understood leads where it says, however it is read', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '', 'a', 'b.txt', 'con', 'nul.x', 'a:b', 'a.', 'a ', 'Ä', '~1'),
      fc.string({ unit, maxLength: 6 }),
    );
    const texts = fc
      .tuple(
        fc.constantFrom('C:\\', 'c:/', 'C:', '\\\\', '', '\\\\?\\C:\\', '/'),
        fc.array(piece, { minLength: 1, maxLength: 5 }),
        fc.constantFrom('\\', '/'),
      )
      .map(([start, parts, between]) => start + parts.join(between));
    fc.assert(
      fc.property(texts, (text) => {
        const found = path(text);
        if (found === undefined) return true;
        const odd = /[:*?"<>|/]|\.\.\\|[. ](\\|$)/;
        return (
          win32.normalize(found) === found &&
          win32.isAbsolute(found) &&
          path(found) === found &&
          !odd.test(found.slice(2))
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe('the name of an account of Windows', () => {
  test.each([
    ['Alice', 'alice'],
    ['jane doe', 'jane doe'],
    ['Jürgen', 'jürgen'],
    ['ÄRGER', 'ärger'],
    ['машина', 'машина'],
    ['SVC$', 'svc$'],
    ['123', '123'],
    ['a'.repeat(20), 'a'.repeat(20)],
  ])('%s', (text, wanted) => {
    expect(user(text)?.text).toBe(wanted);
  });

  test.each([
    '',
    ' ',
    '.',
    ' alice',
    'alice ',
    'alice.',
    'a'.repeat(21),
    '/active',
    'DOMAIN\\alice',
    'alice@example.com',
    'a"b',
    'a*',
    'a?b',
    'a;b',
    'a|b',
    'a<b',
    'a=b',
    'a,b',
    'a+b',
    'a[b',
    'a]b',
    'a:b',
    'a\tb',
    'a\0',
    'a\ud800',
  ])('%j is refused', (text) => {
    expect(user(text)).toBeUndefined();
  });

  test('is one, however it is written, and never a switch of net', () => {
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 22 }), (text) => {
        const name = parseAccountName(text);
        if (name === undefined) return;
        expect(parseAccountName(name)).toBe(name);
        expect(name).not.toMatch(/["/\\]/);
        expect(name.length).toBe(text.length);
      }),
      { numRuns: 2_000 },
    );
  });
});

test('letters are the same only where Windows takes them for the same', () => {
  expect(foldCase('ABCÄÖÜЖΣ')).toBe('abcäöüжσ');
  // Dotless i, the Kelvin sign, sharp s, I with a dot: these have no partner there.
  expect(foldCase('ı\u212aß\u0130')).toBe('ı\u212aß\u0130');
  expect(isSamePath('C:\\A\\ß', 'c:\\a\\SS')).toBe(false);
});

test.each([
  ['C:\\Windows\\System32\\a.exe', 'c:\\windows\\system32', true],
  ['C:\\Windows\\System32\\a.exe', 'C:\\Windows\\System32\\', true],
  ['C:\\Windows\\System32', 'C:\\Windows\\System32', true],
  ['C:\\Windows\\System32x\\a.exe', 'C:\\Windows\\System32', false],
  ['D:\\a', 'C:\\', false],
  ['C:\\a', 'C:\\', true],
])('%s is below %s: %s', (one, folder, is) => {
  expect(isBelow(one, folder)).toBe(is);
});

describe('a process of Windows', () => {
  test('has a number that is a multiple of four', () => {
    expect(process(4_242_424, 'c:/a.exe')).toEqual({
      kind: 'process',
      text: '4242424 C:\\a.exe',
      pid: 4_242_424,
      executable: 'C:\\a.exe',
    });
    for (const pid of [0, -4, 1, 4_242_423, 2 ** 32, 4.5, Number.NaN]) {
      expect(process(pid, 'C:\\a.exe'), `${pid}`).toBeUndefined();
    }
    expect(process(8, '/bin/sh')).toBeUndefined();
  });
});

test('the journal gives back what was written to it', () => {
  expect(restoreTarget('file', 'C:\\a b')).toEqual({ kind: 'file', text: 'C:\\a b' });
  expect(restoreTarget('process', '8000 C:\\a b.exe')).toMatchObject({
    pid: 8_000,
    executable: 'C:\\a b.exe',
  });
  expect(restoreTarget('user', 'jane doe')).toEqual({ kind: 'user', text: 'jane doe' });
});
