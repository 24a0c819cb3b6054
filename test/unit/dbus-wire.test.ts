import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { messageLength, readMessage, writeCall } from '../../agent/system/dbus/message.ts';
import { parseSignature } from '../../agent/system/dbus/signature.ts';
import { decode, encode, type Sent } from '../../agent/system/dbus/wire.ts';

const text = fc.string({ unit: 'binary' }).filter((one) => !one.includes('\0'));
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

/** A signature and values that fit it. */
const typed: fc.Arbitrary<{ signature: string; value: Sent }> = fc.letrec<{
  one: { signature: string; value: Sent };
}>((tie) => ({
  one: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    text.map((value) => ({ signature: 's', value })),
    int32.map((value) => ({ signature: 'i', value })),
    fc.boolean().map((value) => ({ signature: 'b', value })),
    fc.nat(255).map((value) => ({ signature: 'y', value })),
    fc.array(text).map((value) => ({ signature: 'as', value })),
    fc.array(tie('one'), { minLength: 1, maxLength: 4 }).map((all) => ({
      signature: `(${all.map(({ signature }) => signature).join('')})`,
      value: all.map(({ value }) => value),
    })),
    fc.tuple(tie('one'), fc.nat(3)).map(([{ signature, value }, count]) => ({
      signature: `a${signature}`,
      value: Array.from({ length: count }, () => value),
    })),
  ),
})).one;

test('what is written is read back', () => {
  fc.assert(
    fc.property(fc.array(typed, { maxLength: 4 }), (all) => {
      const signature = all.map((one) => one.signature).join('');
      const values = all.map(({ value }) => value);
      if (signature.length > 255) return;
      expect(decode(signature, encode(signature, values), true)).toEqual(values);
    }),
    { numRuns: 200 },
  );
});

test('a message that is cut off, or changed anywhere, is an error or other values, and never hangs', () => {
  const bytes = writeCall(7, {
    destination: 'org.example.A',
    path: '/org/example/A',
    interface: 'org.example.A.zone',
    member: 'add',
    signature: 'sas',
    args: ['drop', ['203.0.113.7', '2001:db8::7']],
  });
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, byte, end) => {
      const changed = Buffer.from(bytes.subarray(0, end));
      if (at < end) changed[at] = byte;
      const attempt = (): unknown => {
        messageLength(changed);
        return readMessage(changed);
      };
      try {
        attempt();
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    { numRuns: 500 },
  );
});

describe('a call', () => {
  test('says who it is for, and that nobody is to be started for it', () => {
    const bytes = writeCall(9, {
      destination: 'org.example.A',
      path: '/org/example/A',
      interface: 'org.example.A',
      member: 'get',
      signature: '',
      args: [],
    });
    expect(messageLength(bytes)).toBe(bytes.length);
    expect(bytes.length % 8).toBe(0);
    expect(bytes[2]).toBe(2);
    expect(readMessage(bytes)).toEqual({
      kind: 'call',
      serial: 9,
      replyTo: 0,
      path: '/org/example/A',
      interface: 'org.example.A',
      member: 'get',
      errorName: '',
      sender: '',
      body: [],
    });
  });

  test.each([
    ['too few values', 'ss', ['a']],
    ['a text with a NUL', 's', ['a\0b']],
    ['a number for a text', 's', [7]],
    ['what is not sent', 'v', ['a']],
  ])('with %s is refused', (_, signature, args) => {
    expect(() => encode(signature, args)).toThrow();
  });
});

/** As busctl(1) printed it from firewalld 1.3.3; the other byte order was made by hand. */
describe('an answer', () => {
  test('with a dictionary of variants', () => {
    const words = [
      // length of the array, then up to the boundary of eight
      '1c000000 00000000',
      // "target": variant of a text
      '06000000 74617267 65740001 73000000 04000000 44524f50 00',
    ];
    const bytes = Buffer.from(words.join('').replaceAll(' ', ''), 'hex');
    const length = bytes.length - 8;
    bytes.writeUInt32LE(length, 0);
    expect(decode('a{sv}', bytes, true)).toEqual([{ target: 'DROP' }]);
  });

  test('in the other byte order', () => {
    const bytes = Buffer.from('00000001 00000002 00000003 61626300'.replaceAll(' ', ''), 'hex');
    expect(decode('bus', bytes, false)).toEqual([true, 2, 'abc']);
  });

  test('with numbers that are too large for JavaScript', () => {
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(2n ** 63n, 0);
    bytes.writeBigInt64LE(-5n, 8);
    expect(decode('tx', bytes, true)).toEqual(['9223372036854775808', -5]);
  });

  test('of an array that says that it is longer than it is', () => {
    expect(() => decode('as', Buffer.from('ff00000000000000', 'hex'), true)).toThrow('cut off');
  });
});

test.each(['a', '(s', 'z', `${'a'.repeat(70)}s`, 's'.repeat(256)])('%s is no signature', (one) => {
  expect(() => parseSignature(one)).toThrow();
});
