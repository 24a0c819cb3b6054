import { expect, test } from 'vitest';
import { statusText } from '../../platform/exit-status.ts';

test.each([
  [0, '0'],
  [1_060, '1060'],
  [0x7fff_ffff, '2147483647'],
  [0xffff_ffff, '-1 (0xFFFFFFFF)'],
  [3_221_225_477, '-1073741819 (0xC0000005)'],
])('the status %d is written as %s', (exitCode, text) => {
  expect(statusText(exitCode)).toBe(text);
});
