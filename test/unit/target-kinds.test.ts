/** Targets that are not addresses: what is taken for one, and that the journal has it back. */
import { posix } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseFile, parseUser, processTarget, restoreTarget } from '../../platform/target.ts';

const pieces = (...all: readonly string[]) =>
  fc.array(fc.constantFrom(...all), { maxLength: 12 }).map((some) => some.join(''));
const anything = fc.oneof(
  fc.string({ unit: 'binary' }),
  pieces('/', '.', '..', 'a', 'ä', ' ', '-', '\n', '\0', '\\', '"', '~', '*'),
  pieces('a', 'Z', '0', '9', '_', '-', '.', '$', ' ', '/', ':', ',', '\t', '\n', 'ä', '+', '@'),
);

describe('a path', () => {
  test('is absolute, in its shortest spelling, without control characters', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          anything,
          anything.map((text) => `/${text}`),
        ),
        (text) => {
          const file = parseFile(text);
          const plain = text.startsWith('/') && text.length > 1 && posix.normalize(text) === text;
          const wanted =
            plain && !text.endsWith('/') && !/\p{Cc}/u.test(text) && text.length <= 4_096;
          expect(file !== undefined).toBe(wanted);
          if (file !== undefined) expect(file).toEqual({ kind: 'file', text });
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each([
    '',
    '/',
    'a',
    './a',
    '~/a',
    '/a/',
    '//a',
    '/a//b',
    '/a/./b',
    '/a/../b',
    '/..',
    '/a\nb',
    '/a\u0085',
    `/${'a'.repeat(4_096)}`,
  ])('is not %j', (text) => {
    expect(parseFile(text)).toBeUndefined();
  });

  test.each(['/a', '/...', '/.a', '/a..b', '/a b', '/-rf', '/ä', '/a\\b', '/*'])(
    'is %j',
    (text) => {
      expect(parseFile(text)?.text).toBe(text);
    },
  );
});

describe('a login name', () => {
  test('is never an option, a path, a number or more than a word', () => {
    fc.assert(
      fc.property(anything, (text) => {
        const user = parseUser(text);
        if (user === undefined) return;
        expect(user).toEqual({ kind: 'user', text });
        expect(text).toMatch(/^[a-zA-Z0-9_][a-zA-Z0-9_.$-]*$/);
        expect(text).not.toMatch(/^\d+$|^\.+$/);
        expect(text.length).toBeLessThanOrEqual(256);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a process', () => {
  test('is a number that can be one, and an absolute path', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 1, 4_194_304, 4_194_305, -1)),
        fc.oneof(anything, fc.constantFrom('/usr/bin/sleep', '/a b', '/a  b', '/1 /b')),
        (pid, executable) => {
          const found = processTarget(pid, executable);
          const possible = Number.isInteger(pid) && pid >= 1 && pid <= 2 ** 22;
          expect(found !== undefined).toBe(possible && parseFile(executable) !== undefined);
          if (found !== undefined)
            expect(found).toMatchObject({ kind: 'process', pid, executable });
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('what the journal has', () => {
  test('comes back as it was', () => {
    const some = fc.oneof(
      anything.map((text) => parseUser(text)),
      anything.map((text) => parseFile(`/${text}`)),
      fc.tuple(fc.integer({ min: 1, max: 2 ** 22 }), anything).map(([pid, text]) => {
        return processTarget(pid, `/${text}`);
      }),
      anything.map((text) => ({ kind: 'named', text }) as const),
    );
    fc.assert(
      fc.property(some, (target) => {
        fc.pre(target !== undefined);
        expect(restoreTarget(target.kind, target.text)).toEqual(target);
      }),
      { numRuns: 2_000 },
    );
  });

  test('and cannot be a target is none', () => {
    const texts = [
      ['address', 'example.org'],
      ['file', 'a/../b'],
      ['process', '17'],
      ['process', '0 /bin/true'],
      ['process', '1e3 relative'],
      ['process', ' /bin/true'],
      ['colour', 'red'],
    ] as const;
    for (const [kind, text] of texts) expect(restoreTarget(kind, text), text).toBeUndefined();
  });
});
