import { describe, expect, test } from 'vitest';
import type { ArError } from '../../agent/errors.ts';
import { createGuard, type Protected } from '../../agent/policy/guard.ts';
import { target } from './sample.ts';

const machine: readonly Protected[] = [
  { target: target('198.51.100.1'), what: 'the default gateway' },
  { target: target('2001:db8::53'), what: 'a resolver of this machine' },
];
const guard = createGuard({
  neverBlock: [target('192.0.2.0/24'), target('2001:db8:7::/48')],
  widestPrefix: { 4: 16, 6: 32 },
});

/** The error that a target is refused with, if it is. */
function refusal(text: string, essential = machine): ArError | undefined {
  try {
    guard.check(target(text), essential);
    return undefined;
  } catch (error) {
    return error as ArError;
  }
}

describe('the guard', () => {
  test.each(['203.0.113.7', '203.0.113.0/24', '10.0.0.0/16', '2001:db8:1::1', '2001:db9::/32'])(
    'lets %s through',
    (text) => {
      expect(refusal(text)).toBeUndefined();
    },
  );

  test.each([
    ['127.0.0.1', '127.0.0.1 lies in 127.0.0.0/8, which is loopback'],
    ['127.53.0.0/16', 'loopback'],
    ['::1', '::1 is loopback'],
    ['0.0.0.0', '"this network"'],
    ['::', 'the unspecified address'],
    ['169.254.169.254', 'link-local'],
    ['fe80::1', 'link-local'],
    ['224.0.0.251', 'multicast'],
    ['ff02::fb', 'multicast'],
    ['255.255.255.255', 'broadcast'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['192.0.2.9', 'on the never-block list'],
    ['192.0.0.0/16', '192.0.0.0/16 contains 192.0.2.0/24, which is on the never-block list'],
    ['2001:db8:7::1', 'on the never-block list'],
    ['198.51.100.1', '198.51.100.1 is the default gateway'],
    ['198.51.100.0/24', 'contains 198.51.100.1, which is the default gateway'],
    ['2001:db8::/32', 'contains'],
    ['2001:db8::53', 'a resolver'],
  ])('never lets %s be blocked', (text, why) => {
    const error = refusal(text);
    expect(error?.code).toBe('target-protected');
    expect(error?.message).toContain(why);
  });

  test.each(['10.0.0.0/15', '0.0.0.0/0', '2000::/31', '::/0'])('finds %s too wide', (text) => {
    expect(refusal(text)?.code).toBe('prefix-too-wide');
  });

  test('goes by what the machine has now', () => {
    const moved = [{ target: target('198.51.100.2'), what: 'the default gateway' }];
    expect(refusal('198.51.100.1', moved)).toBeUndefined();
    expect(refusal('198.51.100.2', moved)?.code).toBe('target-protected');
    expect(refusal('198.51.100.2')).toBeUndefined();
  });
});
