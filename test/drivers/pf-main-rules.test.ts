/** What a main ruleset makes of our anchor; the rules are as `pfctl -s rules` prints them. */
import { expect, test } from 'vitest';
import { evaluate, lineFor } from '../../platform/bsd/pf-main-rules.ts';

const passAll = 'pass all flags S/SA keep state';

test.each([
  ['anchor "ar-exec" all', 'ar-exec'],
  ['anchor "/ar-exec" all', 'ar-exec'],
  ['anchor "ar-exec" quick all', 'ar-exec'],
  ['anchor "*" all', 'ar-exec'],
  ['anchor "com.apple/*" all', 'com.apple/ar-exec'],
  ['anchor "a/b/*" all', 'a/b/c'],
])('%s calls the anchor %s', (rule, anchor) => {
  expect(evaluate(`${passAll}\n${rule}\n${passAll}\n`, anchor)).toEqual({
    reached: 'all',
    call: rule,
  });
});

test.each([
  // `name/*` calls what is below, and not the anchor of that name.
  ['anchor "ar-exec/*" all', 'ar-exec'],
  ['anchor "com.apple" all', 'com.apple/ar-exec'],
  ['anchor "*" all', 'com.apple/ar-exec'],
  ['anchor "ar-exec2" all', 'ar-exec'],
  ['  anchor "ar-exec" all', 'ar-exec'],
  ['scrub-anchor "com.apple/*" all fragment reassemble', 'com.apple/ar-exec'],
  ['nat-anchor "ar-exec" all', 'ar-exec'],
  ['', 'ar-exec'],
])('%s does not call the anchor %s', (rule, anchor) => {
  expect(evaluate(`${rule}\n${passAll}\n`, anchor)).toEqual({ reached: 'no' });
});

test.each([
  'anchor "ar-exec" in all',
  'anchor "ar-exec" on em0 all',
  'anchor "ar-exec" inet proto tcp from any to any port = ssh',
])('%s calls it for a part of the packets', (rule) => {
  expect(evaluate(rule, 'ar-exec')).toEqual({ reached: 'some', call: rule });
  expect(evaluate(`${rule}\nanchor "ar-exec" all`, 'ar-exec').reached).toBe('all');
});

test.each([
  ['pass quick all flags S/SA keep state', [4, 6]],
  ['pass in quick all flags S/SA', [4, 6]],
  ['pass in log (all) quick all no state', [4, 6]],
  ['pass in quick inet all flags S/SA keep state', [4]],
  ['pass in quick inet6 all flags any keep state (if-bound) label "all of it"', [6]],
])('%s before the anchor lets everybody pass it', (rule, families) => {
  const listing = ['block drop all', rule, 'anchor "ar-exec" all'].join('\n');
  expect(evaluate(listing, 'ar-exec').passedBy).toEqual({ rule, families });
  const behind = ['anchor "ar-exec" all', rule].join('\n');
  expect(evaluate(behind, 'ar-exec')).not.toHaveProperty('passedBy');
});

test.each([
  'pass all flags S/SA keep state',
  'pass in quick on lo0 all flags S/SA keep state',
  'pass in quick proto tcp from any to any port = ssh flags S/SA keep state',
  'pass in quick inet from 10.0.0.0/8 to any flags S/SA keep state',
  'pass out quick all flags S/SA keep state',
  'pass in quick all flags S/SA keep state tagged LAN',
  'block drop in quick all',
])('%s before the anchor leaves it something to do', (rule) => {
  const listing = [rule, 'anchor "ar-exec" all'].join('\n');
  expect(evaluate(listing, 'ar-exec')).not.toHaveProperty('passedBy');
});

test('the line that is missing is one that calls the anchor', () => {
  for (const anchor of ['ar-exec', 'com.apple/ar-exec', 'a/b/c']) {
    expect(evaluate(`${lineFor(anchor)} all`, anchor).reached).toBe('all');
  }
  expect(lineFor('ar-exec')).toBe('anchor "ar-exec"');
});
