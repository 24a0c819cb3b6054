import { isIP } from 'node:net';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { addressRange, isHost, parseTarget, parseUser } from '../../platform/target.ts';

const text = (of: string): string | undefined => parseTarget(of)?.text;

describe('an address', () => {
  test.each([
    ['203.0.113.7', '203.0.113.7'],
    ['203.0.113.7/32', '203.0.113.7'],
    ['203.0.113.7/24', '203.0.113.0/24'],
    ['255.255.255.255/1', '128.0.0.0/1'],
    ['1.2.3.4/0', '0.0.0.0/0'],
    ['2001:DB8:0:0:0:0:0:7', '2001:db8::7'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['2001:db8::7/128', '2001:db8::7'],
    ['2001:db8:ffff::/33', '2001:db8:8000::/33'],
    ['::/0', '::/0'],
    ['::1', '::1'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::FFFF:cb00:7107', '203.0.113.7'],
    ['0:0:0:0:0:ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7/120', '203.0.113.0/24'],
    ['::ffff:0:0/96', '0.0.0.0/0'],
    ['64:ff9b::203.0.113.7', '64:ff9b::cb00:7107'],
  ])('%s is %s', (given, wanted) => {
    expect(text(given)).toBe(wanted);
  });

  test.each([
    '',
    ' ',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '0x7f.0.0.1',
    '010.0.0.1',
    '1.2.3.04',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '-1.2.3.4',
    '1.2.3.4 ',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '1.2.3.4\t5.6.7.8',
    '1.2.3.4\0',
    '1.2.3.4/',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/024',
    '1.2.3.4/24/24',
    '1.2.3.4/255.255.255.0',
    '1.2.3.4/1e1',
    '1.2.3.4-1.2.3.9',
    '1.2.3.4,5.6.7.8',
    '1.2.3.4;reboot',
    '1.2.3.4 -j ACCEPT',
    '$(reboot)',
    '`id`',
    '--help',
    '-A',
    '@file',
    '../../etc/passwd',
    'localhost',
    'example.com',
    '%n',
    '１.２.３.４',
    '1。2。3。4',
    '[::1]',
    '::1%lo',
    'fe80::1%eth0',
    'fe80::1%25eth0',
    '::1.2.3.4',
    '::203.0.113.7/128',
    ':::',
    '1::2::3',
    '12345::',
    '2001:db8::g',
    '2001:db8::/129',
    '::ffff:203.0.113.7/95',
    '::ffff:0:0/0',
    '0:0:0:0:0:0:0:0:1',
    'a'.repeat(1_000_000),
  ])('%j is refused', (given) => {
    expect(parseTarget(given)).toBeUndefined();
  });
});

const v4 = fc.ipV4();
const v6 = fc.ipV6();
const prefix = fc.oneof(
  fc.tuple(v4, fc.integer({ min: 0, max: 32 })),
  fc.tuple(v6, fc.integer({ min: 0, max: 128 })),
);

describe('every address', () => {
  test('has one spelling, which is its own', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          v4,
          v6,
          prefix.map(([one, length]) => `${one}/${length}`),
        ),
        (given) => {
          const target = parseTarget(given);
          if (target === undefined) return;
          expect(parseTarget(target.text)).toEqual(target);
          expect(isIP(target.address)).toBe(target.family);
        },
      ),
    );
  });

  test('is the one that ipaddr.js and node:net understand', () => {
    fc.assert(
      fc.property(fc.oneof(v4, v6), (given) => {
        const target = parseTarget(given);
        if (target === undefined) {
          // The only ones that are refused of those that are well-formed.
          expect(given).toMatch(/^::\d+\./);
          return;
        }
        expect(isHost(target)).toBe(true);
        expect(target.text).toBe(ipaddr.process(given).toString());
        const bytes = ipaddr.parse(target.text).toByteArray();
        const number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
        const { first, last } = addressRange(target);
        expect([BigInt(first), BigInt(last)]).toEqual([number, number]);
      }),
    );
  });

  test('lies in its own prefixes and in no other', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.tuple(v4, v4), fc.tuple(v6, v6)),
        fc.integer({ min: 0, max: 128 }),
        ([one, other], bits) => {
          const host = parseTarget(other);
          const length = host?.family === 4 ? bits % 33 : bits;
          const network = parseTarget(`${one}/${length}`);
          // A deprecated form, or a mapped IPv4 address beside an IPv6 one.
          fc.pre(host !== undefined && network !== undefined && host.family === network.family);
          const range = addressRange(network);
          const { first } = addressRange(host);
          const parsed = ipaddr.parse(network.address) as ipaddr.IPv6;
          const matches = (ipaddr.parse(host.address) as ipaddr.IPv6).match(
            parsed,
            network.prefixLength,
          );
          expect(range.first <= first && first <= range.last).toBe(matches);
        },
      ),
    );
  });

  test('is written with nothing but digits, letters, dots, colons and a slash', () => {
    const pieces = fc.constantFrom(
      '1',
      '0',
      '.',
      ':',
      '/',
      'f',
      '%',
      ' ',
      '-',
      '\n',
      '::',
      'x',
      '255',
    );
    const texts = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.array(pieces, { maxLength: 20 }).map((some) => some.join('')),
    );
    fc.assert(
      fc.property(texts, (given) => {
        const target = parseTarget(given);
        if (target !== undefined) expect(target.text).toMatch(/^[0-9a-f.:]+(\/\d{1,3})?$/);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('a login name', () => {
  // The first of them as Wazuh's is_valid_username has them (4.14.7).
  test.each([
    ...['testuser', 'user123', '1testuser', '_testuser', 'test_user', 'test-user', 'machine$'],
    ...['test$user', 'TestUser', 'TESTUSER', 'test.user', 'root', 'x'.repeat(256)],
  ])('may be %s', (name) => {
    expect(parseUser(name)).toEqual({ kind: 'user', text: name });
  });

  test.each([
    ...['', '-testuser', '+testuser', '~testuser', 'test:user', 'test,user', 'test user'],
    ...['test\tuser', 'test/user', 'test\\user', '../root', 'test/../user', 'a'.repeat(257)],
    ...['.', '..', '.hidden', '$user', '0', '1000', '--help', '-q', '@admins', 'user\n', 'us\0er'],
    ...['usér', 'user;id', 'user`id`', '*', 'user%'],
  ])('may not be %j', (name) => {
    expect(parseUser(name)).toBeUndefined();
  });
});
