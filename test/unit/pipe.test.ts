import { expect, test } from 'vitest';
import { ask } from '../../agent/intake/client.ts';
import { connectable, pipeName } from '../../agent/intake/pipe.ts';
import { listen } from '../../agent/intake/server.ts';

test.each([
  ['\\\\.\\pipe\\ar-exec', 'ar-exec'],
  ['//./pipe/ar-exec', 'ar-exec'],
  ['\\\\?\\PIPE\\a\\b', 'a\\b'],
])('%s is a pipe', (path, name) => {
  expect(pipeName(path)).toBe(name);
  expect(connectable(path)).toBe(`\\\\.\\pipe\\${name}`);
});

test.each([
  '/run/ar-exec/ar-exec.sock',
  '\\\\.\\pipe\\',
  '\\\\server\\pipe\\ar-exec',
  'C:\\ar-exec',
])('%s is none', (path) => {
  expect(pipeName(path)).toBeUndefined();
  expect(connectable(path)).toBe(path);
});

test('where there are pipes only, another path is refused before anything is made', async () => {
  const serving = listen({
    path: 'C:\\ar-exec\\ar-exec.sock',
    longestPathBytes: 256,
    restrict: () => {},
    connections: 1,
    requestsPerSecond: 100,
    messageBytes: 1024,
    parse: () => ({ refused: new Error('nobody asks') }) as never,
    answer: (() => undefined) as never,
    onTrouble: () => {},
  });
  await expect(serving).rejects.toMatchObject({
    code: 'socket-unusable',
    message: expect.stringContaining('a pipe is named \\\\.\\pipe\\NAME'),
  });
});

test('who is not let in is told what to do about it', async () => {
  const { unreachable } = await import('../../agent/intake/client.ts');
  const error = unreachable('\\\\.\\pipe\\ar-exec', 'EPERM');
  expect(error.code).toBe('agent-unreachable');
  expect(error.message).toBe('this account may not use \\\\.\\pipe\\ar-exec (EPERM)');
  expect(error.hint).toContain('elevated prompt');
  expect(unreachable('/run/ar-exec/ar-exec.sock', 'EACCES').hint).toContain('root');
  await expect(ask('/nowhere/ar-exec.sock', {}, 1_000)).rejects.toMatchObject({
    code: 'agent-unreachable',
    message: expect.stringContaining('ENOENT'),
  });
});
