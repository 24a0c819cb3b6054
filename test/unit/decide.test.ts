import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../agent/errors.ts';
import { decide } from '../../agent/policy/decide.ts';
import { createGuard } from '../../agent/policy/guard.ts';
import { findResponse } from '../../agent/policy/responses.ts';
import type { Request } from '../../agent/words.ts';
import { target } from './sample.ts';

const guard = createGuard({ neverBlock: [target('192.0.2.1')], widestPrefix: { 4: 16, 6: 32 } });
const request: Request = {
  verb: 'add',
  response: 'firewall-drop',
  srcip: '203.0.113.7',
  origin: { dialect: 'native' },
};
const decided = (more: Partial<Request>) => {
  const wish = { ...request, ...more };
  const definition = findResponse(wish.response);
  return decide(wish, { definition, guard, essential: [], system: 'linux', newName: () => 'new' });
};

describe('a request', () => {
  test('comes to a response and a target', () => {
    expect(decided({ srcip: '2001:DB8::/48' })).toMatchObject({
      definition: { name: 'firewall-drop' },
      target: { text: '2001:db8::/48' },
    });
  });

  test.each<[string, Partial<Request>, ErrorCode]>([
    ['for a response that nobody knows', { response: 'nope' }, 'response-unknown'],
    ['without an address', { srcip: undefined }, 'address-missing'],
    ['for a host name', { srcip: 'example.org' }, 'address-invalid'],
    ['for an octal address', { srcip: '010.0.0.1' }, 'address-invalid'],
    [
      'for a prefix out of an alert',
      { srcip: '203.0.113.0/24', hostOnly: true },
      'address-invalid',
    ],
    ['with a timeout of nothing', { timeoutSeconds: 0 }, 'timeout-invalid'],
    ['with a negative timeout', { timeoutSeconds: -1 }, 'timeout-invalid'],
    ['with a timeout beyond all clocks', { timeoutSeconds: 1e12 }, 'timeout-invalid'],
    ['for a protected address', { srcip: '192.0.2.1' }, 'target-protected'],
    ['for a prefix that is too wide', { srcip: '203.0.0.0/8' }, 'prefix-too-wide'],
  ])('%s is refused', (_name, more, code) => {
    expect(() => decided(more)).toThrow(expect.objectContaining({ code }));
  });

  test('to delete is never refused by the guard: what is held may go', () => {
    expect(decided({ verb: 'delete', srcip: '192.0.2.1' })).toBeDefined();
  });

  test('can insist, when it may', () => {
    expect(decided({ forceProtected: true, srcip: '192.0.2.1' })).toBeDefined();
  });

  test("shows a stranger's text on one short, printable line", () => {
    const srcip = `1.2.3.4\n${'x'.repeat(500)}\u001b[2J`;
    expect(() => decided({ srcip })).toThrow(/^"1\.2\.3\.4\?x{40,60}\.\.\." is not an address$/);
  });
});
