import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseLine } from '../../agent/intake/message.ts';
import { listen, type SocketServer } from '../../agent/intake/server.ts';

const patienceMs = 400;
const perSecond = 1_000;
const statusLine = '{"id":1,"command":"status"}\n';

let folder: string;
let path: string;
let server: SocketServer;
let answer: () => Promise<object>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-'));
  path = join(folder, 'socket');
  answer = async () => ({ ok: true });
  server = await listen({
    longestPathBytes: 107,
    path,
    connections: 2,
    messageBytes: 65_536,
    requestsPerSecond: perSecond,
    patienceMs,
    parse: parseLine,
    answer: () => answer(),
    onTrouble: () => {},
  });
});
afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

test('a message that is begun and not ended is told so in time, and its connection ended', async () => {
  const socket = await open();
  socket.write('{"id":1,');
  expect(JSON.parse(await everything(socket))).toMatchObject({
    ok: false,
    code: 'message-incomplete',
  });
});

test('a peer that sends nothing at all is left alone', async () => {
  const socket = await open();
  await past(3 * patienceMs);
  socket.end(statusLine);
  expect(JSON.parse(await everything(socket))).toEqual({ id: 1, ok: true });
});

test('where too many are open, one that was of no use for long makes room; a busy one does not', async () => {
  let answerNow = (_: object): void => {};
  answer = () =>
    new Promise((resolve) => {
      answerNow = resolve;
    });
  const [busy, idle] = [await open(), await open()];
  // Whoever does not read does not see that the other side has gone.
  idle.resume();
  const idleClosed = once(idle, 'end');
  busy.write(statusLine);
  await past(2 * patienceMs);
  const next = await open();
  await idleClosed;
  idle.destroy();
  answerNow({ ok: true });
  busy.end();
  expect(JSON.parse(await everything(busy))).toEqual({ id: 1, ok: true });
  answer = async () => ({ ok: true });
  next.end(statusLine);
  expect(JSON.parse(await everything(next))).toEqual({ id: 1, ok: true });
});

test('more requests than a second has room for wait in their connection, and hold up nobody else', async () => {
  const flooder = await open();
  const began = performance.now();
  const all = everything(flooder);
  flooder.end(statusLine.repeat(2 * perSecond + perSecond / 2));
  const polite = await open();
  polite.end(statusLine);
  expect(JSON.parse(await everything(polite))).toEqual({ id: 1, ok: true });
  expect((await all).trim().split('\n')).toHaveLength(2.5 * perSecond);
  expect(performance.now() - began).toBeGreaterThan(900);
});

test('a peer that pauses between messages is left alone', async () => {
  const socket = await open();
  socket.write(statusLine.repeat(2));
  await past(3 * patienceMs);
  socket.end(statusLine);
  expect((await everything(socket)).trim().split('\n')).toHaveLength(3);
});

test('a peer that does not read its replies is cut off in time', async () => {
  answer = async () => ({ ok: true, text: 'x'.repeat(128 * 1024) });
  const socket = await open();
  socket.pause();
  socket.write(statusLine.repeat(100));
  await expect.poll(() => server.connections()).toBe(1);
  await expect.poll(() => server.connections(), { timeout: 5_000 }).toBe(0);
  socket.destroy();
});

test('a peer that reads late, but in time, gets every reply', async () => {
  answer = async () => ({ ok: true, text: 'x'.repeat(128 * 1024) });
  const socket = await open();
  socket.write(statusLine.repeat(20));
  await past(patienceMs / 2);
  socket.end();
  expect((await everything(socket)).trim().split('\n')).toHaveLength(20);
});

test('a connection more than allowed is told so and closed, and makes room for nobody', async () => {
  const held = [await open(), await open()];
  await expect.poll(() => server.connections()).toBe(2);
  const refused = await open();
  expect(JSON.parse(await everything(refused))).toMatchObject({ code: 'limit-connections' });
  held[0]?.destroy();
  await expect.poll(() => server.connections()).toBe(1);
  const next = await open();
  next.end(statusLine);
  expect(JSON.parse(await everything(next))).toEqual({ id: 1, ok: true });
  held[1]?.destroy();
});

test('replies that are owed when the server closes are still given', async () => {
  const replies: ((reply: object) => void)[] = [];
  answer = () => new Promise((resolve) => replies.push(resolve));
  const socket = await open();
  socket.write(statusLine);
  await expect.poll(() => replies).toHaveLength(1);
  const closed = server.close();
  replies[0]?.({ ok: true });
  expect(JSON.parse(await everything(socket))).toEqual({ id: 1, ok: true });
  await closed;
});

async function open(): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** What the server sends until it ends the connection. */
async function everything(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) text += chunk;
  socket.destroy();
  return text;
}

function past(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
