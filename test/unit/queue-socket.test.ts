import { mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type DatagramSocket, openDatagramSocket } from '../../agent/system/datagram-socket.ts';
import { openServer } from '../../agent/system/manager-socket.ts';
import { requires } from '../requirements.ts';

const send = `
import json, socket, sys
queue = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
queue.connect(sys.argv[1])
for size in json.loads(sys.argv[2]):
    queue.send(b"x" * size)
`;

requires('python3')('a datagram socket', () => {
  let folder: string;
  let path: string;
  let socket: DatagramSocket | undefined;
  const sizes: number[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-queue-'));
    path = join(folder, 'execq');
    sizes.length = 0;
  });
  afterEach(async () => {
    await socket?.close();
    socket = undefined;
    await rm(folder, { recursive: true });
  });
  const open = async (): Promise<DatagramSocket> => {
    socket = await openDatagramSocket(path, (bytes) => sizes.push(bytes.length));
    return socket;
  };
  const sending = (...lengths: readonly number[]) =>
    execa('python3', ['-c', send, path, JSON.stringify(lengths)]);

  test('gives each datagram by itself, also an empty one', async () => {
    await open();
    await sending(3, 0, 65_535, 1);
    await expect.poll(() => sizes).toEqual([3, 0, 65_535, 1]);
  });

  test('cuts a datagram that is too long, and keeps the next one whole', async () => {
    await open();
    await sending(100_000, 7);
    await expect.poll(() => sizes).toEqual([65_536, 7]);
  });

  test('takes as many as come, and no thread of the pool for it', async () => {
    await open();
    const lengths = Array.from({ length: 20_000 }, (_, n) => n % 100);
    await sending(...lengths);
    await expect.poll(() => sizes.length).toBe(lengths.length);
    expect(sizes).toEqual(lengths);
    expect(process.getActiveResourcesInfo()).not.toContain('FSReqCallback');
  });

  test('is for its owner and the group alone', async () => {
    await open();
    expect(((await stat(path)).mode & 0o777).toString(8)).toBe('660');
  });

  test('goes with its file when it is closed, twice too', async () => {
    const opened = await open();
    expect(await opened.isInPlace()).toBe(true);
    await opened.close();
    await opened.close();
    expect(await readdir(folder)).toEqual([]);
    await expect(sending(1)).rejects.toThrow('No such file');
  });

  test('leaves what took its place', async () => {
    const opened = await open();
    await writeFile(join(folder, 'other'), 'theirs');
    await rename(join(folder, 'other'), path);
    expect(await opened.isInPlace()).toBe(false);
    await opened.close();
    expect(await readdir(folder)).toEqual(['execq']);
  });

  test('is not made where one is read from, and is where none is any more', async () => {
    const first = await open();
    await expect(openDatagramSocket(path, () => {})).rejects.toMatchObject({
      code: 'socket-unusable',
      message: expect.stringContaining('another program listens there'),
    });
    expect(await first.isInPlace()).toBe(true);
    // What a process that was killed leaves behind.
    const dead = 'import socket, sys\nsocket.socket(1, 2).bind(sys.argv[1])';
    await first.close();
    await execa('python3', ['-c', dead, path]);
    expect(await readdir(folder)).toEqual(['execq']);
    await open();
    await sending(5);
    await expect.poll(() => sizes).toEqual([5]);
  });

  test.each([
    ['there is no folder', 'no/folder/execq', 'is not there'],
    ['the path is too long', 'x'.repeat(200), 'at most 107 bytes'],
  ])('is refused where %s', async (_, name, why) => {
    await expect(openDatagramSocket(join(folder, name), () => {})).rejects.toMatchObject({
      code: 'socket-unusable',
      message: expect.stringContaining(why),
    });
  });

  test('a server beside it is treated alike', async () => {
    const com = join(folder, 'com');
    const first = await openServer(() => createServer(), com);
    expect(((await stat(com)).mode & 0o777).toString(8)).toBe('660');
    await expect(openServer(() => createServer(), com)).rejects.toMatchObject({
      code: 'socket-unusable',
    });
    await writeFile(join(folder, 'other'), 'theirs');
    await rename(join(folder, 'other'), com);
    await first.close();
    expect(await readdir(folder)).toEqual(['com']);
  });
});
