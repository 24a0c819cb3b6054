import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeDuration, parseDuration } from '../../agent/config/duration.ts';
import { ArError } from '../../agent/errors.ts';

describe('parseDuration', () => {
  it.each([
    ['600', 600],
    ['90s', 90],
    ['10m', 600],
    ['2h', 7200],
    ['7d', 604_800],
    ['1h30m', 5400],
    ['1h 30m', 5400],
    ['1d2h3m4s', 93_784],
    [' 5m ', 300],
    ['3650d', 315_360_000],
  ])('reads %j', (text, seconds) => {
    expect(parseDuration(text)).toBe(seconds);
  });

  it.each([
    '',
    ' ',
    '0',
    '0s',
    '0d0h',
    '-5',
    '-5m',
    '+5',
    '1.5h',
    '1,5',
    '5 m',
    '1h30',
    '30m1h',
    '5m5m',
    '5M',
    '5w',
    'm',
    '1e3',
    '0x10',
    'soon',
    '5m  3s',
    '3651d',
    '99999999999999999999',
    '5m\n3s',
    '٥m',
  ])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(ArError);
  });

  it('says what was given and what is allowed', () => {
    expect(refusal('5 minutes')).toMatchObject({
      code: 'timeout-invalid',
      message: '"5 minutes" is not a duration.',
      hint: expect.stringContaining('1h30m'),
    });
    expect(refusal('0')).toMatchObject({ message: '"0" is no time at all.' });
    expect(refusal('11000d')).toMatchObject({ message: '"11000d" is longer than 10 years.' });
  });

  it('throws nothing but its own error, whatever it is given', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[\d dhms.-]{0,30}$/)), (text) => {
        const found = refusal(text);
        expect(found === undefined || found instanceof ArError).toBe(true);
      }),
    );
  });
});

describe('describeDuration', () => {
  it.each([
    [5400, '1h 30m'],
    [60, '1m'],
    [93_784, '1d 2h 3m 4s'],
    [0, '0s'],
    [-3, '0s'],
    [59.9, '59s'],
  ])('says %d', (seconds, text) => {
    expect(describeDuration(seconds)).toBe(text);
  });

  it('says what parseDuration reads', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 315_360_000 }), (seconds) => {
        expect(parseDuration(describeDuration(seconds))).toBe(seconds);
        expect(parseDuration(describeDuration(seconds).replaceAll(' ', ''))).toBe(seconds);
        expect(parseDuration(String(seconds))).toBe(seconds);
      }),
    );
  });
});

function refusal(text: string): unknown {
  try {
    parseDuration(text);
    return undefined;
  } catch (error) {
    return error;
  }
}
