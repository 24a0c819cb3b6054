import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRestartLock } from '../../agent/execd/restart-lock.ts';
import { answerCom, type ComServices } from '../../agent/intake/com.ts';
import { createComServer } from '../../agent/intake/com-socket.ts';

function services(over: Partial<ComServices> = {}) {
  return {
    manager: 'wazuh4' as const,
    config: () => ({ disabled: false, repeatedOffenderSeconds: [] as number[] }),
    restart: vi.fn<() => void>(),
    lockRestart: vi.fn<(seconds: number) => void>(),
    unpack: vi.fn<ComServices['unpack']>(async () => 'done'),
    ...over,
  };
}

describe('answers of the request socket', () => {
  it.each([
    ['getconfig active-response', 'ok  {"active-response":{"disabled":"no"}}'],
    ['getconfig internal', 'ok  {"internal":{"execd":{"request_timeout":0,"max_restart_lock":0}}}'],
    ['getconfig logging', 'ok  {"logging":{"plain":"yes","json":"no"}}'],
    ['getconfig x', 'err Could not get requested section'],
    ['getconfig toString', 'err Could not get requested section'],
    ['getconfig', 'err WCOM getconfig needs arguments'],
    ['restart', 'ok '],
    ['restart-wazuh', 'ok '],
    ['reload', 'ok '],
    ['lock_restart 5', 'ok '],
    ['lock_restart -1', 'ok '],
    ['lock_restart -2', 'err Invalid timeout'],
    ['lock_restart', 'err Invalid timeout'],
    ['unmerge', 'err WCOM unmerge needs arguments'],
    ['unmerge x', 'ok '],
    ['uncompress', 'err WCOM uncompress needs arguments'],
    ['uncompress a', 'err Too few commands'],
    ['uncompress a b', 'ok '],
    ['check', 'err Unrecognized command'],
    ['', 'err Unrecognized command'],
  ])('to %j', async (request, answer) => {
    expect(await answerCom(request, services())).toBe(answer);
  });

  it('say what repeated offenders get in minutes, and that responses are turned off', () => {
    const config = () => ({ disabled: true, repeatedOffenderSeconds: [60, 300] });
    expect(answerCom('getconfig active-response', services({ config }))).toBe(
      'ok  {"active-response":{"disabled":"yes","repeated_offenders":[1,5]}}',
    );
  });

  it.each(['restart', 'restart-wazuh', 'reload'])(
    'has the agent restarted: %s',
    async (request) => {
      const own = services();
      await answerCom(request, own);
      expect(own.restart).toHaveBeenCalledOnce();
      const five = services({ manager: 'wazuh5' });
      expect(await answerCom(request, five)).toBe('err Unrecognized command');
      expect(five.restart).not.toHaveBeenCalled();
    },
  );

  it.each([
    ['lock_restart 5', 5],
    ['lock_restart -1', 600],
    ['lock_restart 9999', 600],
    ['lock_restart 0', 0],
    ['lock_restart soon', 0],
  ])('keeps the agent from being restarted: %s', async (request, seconds) => {
    const own = services();
    await answerCom(request, own);
    expect(own.lockRestart).toHaveBeenCalledExactlyOnceWith(seconds);
  });

  it.each([
    ['unmerge x', 'bad-name', 'err Invalid file name'],
    ['unmerge x', 'no-source', 'err Cannot unmerge file'],
    ['unmerge x', 'unreadable', 'err Cannot unmerge file'],
    ['uncompress x y', 'bad-name', 'err Invalid file name'],
    ['uncompress x y', 'no-source', 'err Unable to open source'],
    ['uncompress x y', 'no-target', 'err Unable to open target'],
    ['uncompress x y', 'unreadable', 'err Unable to read source'],
  ] as const)('say what came of unpacking: %s, %s', async (request, came, answer) => {
    const unpack = vi.fn<ComServices['unpack']>(async () => came);
    expect(await answerCom(request, services({ unpack }))).toBe(answer);
    const [command, ...names] = request.split(' ');
    expect(unpack).toHaveBeenCalledExactlyOnceWith(command, names);
  });
});

it('a lock of restarts ends by itself, and by another one', () => {
  let now = 1_000;
  const lock = createRestartLock(() => now);
  expect(lock.remaining()).toBe(0);
  lock.lock(5);
  now += 4_500;
  expect(lock.remaining()).toBe(1);
  now += 500;
  expect(lock.remaining()).toBe(0);
  lock.lock(600);
  lock.lock(0);
  expect(lock.remaining()).toBe(0);
});

describe('the framing of the request socket', () => {
  let folder: string;
  let server: Server | undefined;
  const troubles: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-com-'));
    troubles.length = 0;
    server = createComServer({
      answer: (request) => `<${request}>`,
      onTrouble: (what) => troubles.push(what),
      patienceMs: 200,
    }).listen(join(folder, 'com'));
    await once(server, 'listening');
  });
  afterEach(async () => {
    server?.close();
    await rm(folder, { recursive: true });
  });

  const frame = (text: string): Buffer => {
    const bytes = Buffer.concat([Buffer.alloc(4), Buffer.from(text)]);
    bytes.writeUInt32LE(bytes.length - 4);
    return bytes;
  };
  /** What comes back until the server closes. */
  const exchange = async (...parts: readonly Buffer[]): Promise<string> => {
    const socket = connect(join(folder, 'com'));
    let received = '';
    socket.on('data', (bytes) => {
      received += bytes.toString('latin1');
    });
    await once(socket, 'connect');
    for (const part of parts) {
      socket.write(part);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await once(socket, 'close');
    return received;
  };

  it('is a length and a text, both ways', async () => {
    expect(await exchange(frame('getconfig x'))).toBe('\x0d\0\0\0<getconfig x>');
  });

  it('may come in pieces, and with the NUL of C', async () => {
    const bytes = frame('restart\0');
    const pieces = [...bytes].map((byte) => Buffer.from([byte]));
    expect(await exchange(...pieces)).toBe('\x09\0\0\0<restart>');
  });

  it('has one request a connection', async () => {
    expect(await exchange(frame('one'), frame('two'))).toBe('\x05\0\0\0<one>');
  });

  it('is bounded: a longer request is not waited for', async () => {
    expect(await exchange(Buffer.from([1, 0, 1, 0]))).toBe('');
    expect(troubles).toEqual(['a request of 65537 bytes is too long']);
  });

  it('takes the longest request that upstream takes', async () => {
    expect(await exchange(frame('x'.repeat(65_536)))).toHaveLength(4 + 65_538);
  });

  it('cuts off who does not go on', async () => {
    expect(await exchange(Buffer.from([9, 0, 0, 0, 65]))).toBe('');
    expect(troubles).toEqual(['a peer of the request socket took too long']);
  });
});
