import { expect, test } from 'vitest';
import { withoutNodes } from '../../agent/environment.ts';

test('what speaks to Node is left out, and nothing else', () => {
  expect(withoutNodes({ PATH: '/bin', AR_EXEC_SOCKET: 's', NODE_EXTRA_CA_CERTS: 'c' })).toBe(
    undefined,
  );
  const asked = { PATH: '/bin', NODE_DEBUG: 'x', NODE_TLS_REJECT_UNAUTHORIZED: '0', UV_X: '1' };
  expect(withoutNodes({ ...asked, NODE_EXTRA_CA_CERTS: 'c' })).toEqual({
    PATH: '/bin',
    NODE_EXTRA_CA_CERTS: 'c',
  });
});
