import { execa } from 'execa';
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { openDatagramSocket } from '../../agent/system/datagram-socket.ts';
import { loadLibc } from '../../agent/system/libc.ts';
import { findServiceManager, toldBy } from '../../agent/system/service-manager.ts';

afterEach(() => {
  delete process.env['NOTIFY_SOCKET'];
});

test.each([
  [{}, undefined],
  [{ NOTIFY_SOCKET: '' }, undefined],
  [{ NOTIFY_SOCKET: 'vsock:2:1234' }, undefined],
  [{ NOTIFY_SOCKET: '/run/n' }, { address: '/run/n' }],
  [
    { NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '60000000' },
    { address: '@n', watchdogMs: 60_000 },
  ],
  [
    { NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' },
    { address: '@n', watchdogMs: 60_000 },
  ],
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '8' }, { address: '@n' }],
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '-1' }, { address: '@n' }],
  [{ NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '1e400' }, { address: '@n' }],
])('%j tells %j', (environment, told) => {
  expect(toldBy(environment, 7)).toEqual(told);
});

test('whatever the environment says, a sign of life is never asked for all the time', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (address, wait, whom) => {
      const told = toldBy({ NOTIFY_SOCKET: address, WATCHDOG_USEC: wait, WATCHDOG_PID: whom }, 7);
      expect(told?.watchdogMs ?? 1).toBeGreaterThan(0);
    }),
  );
});

test('an abstract address is reached, and what is started does not learn of it', async () => {
  const address = `@ar-exec-test-${process.pid}`;
  const libc = loadLibc();
  const descriptor = libc.datagramSocket();
  libc.bind(descriptor, address);
  process.env['NOTIFY_SOCKET'] = address;
  const troubles: unknown[] = [];
  const manager = findServiceManager((error) => troubles.push(error));
  const room = Buffer.alloc(1_000);
  const heard = () => room.toString('utf8', 0, libc.receive(descriptor, room));
  manager.ready('ready; 3 held');
  expect(heard()).toBe('READY=1\nSTATUS=ready; 3 held');
  manager.stopping();
  expect(heard()).toBe('STOPPING=1');
  expect((await execa('printenv', ['NOTIFY_SOCKET'], { reject: false })).exitCode).toBe(1);
  libc.close(descriptor);
  manager.ready('again');
  expect(troubles).toMatchObject([{ code: 'ECONNREFUSED' }]);
});

test('so is a path', async () => {
  const path = `/tmp/ar-exec-notify-${process.pid}`;
  const heard: string[] = [];
  const socket = await openDatagramSocket(path, (bytes) => heard.push(String(bytes)));
  process.env['NOTIFY_SOCKET'] = path;
  findServiceManager(() => {}).ready('x');
  await expect.poll(() => heard).toEqual(['READY=1\nSTATUS=x']);
  await socket.close();
});
