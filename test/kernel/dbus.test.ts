/** The client against a real bus, and against what only pretends to be one. */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBus } from '../../agent/system/dbus/bus.ts';
import { runDbus } from '../../agent/system/dbus/run-dbus.ts';
import type { DbusStep } from '../../platform/step.ts';
import { requires } from '../requirements.ts';

const service = 'org.freedesktop.DBus';
const step = (...calls: DbusStep['calls']): DbusStep => ({
  kind: 'dbus',
  destination: service,
  path: '/org/freedesktop/DBus',
  interface: service,
  calls,
  deadlineMs: 10_000,
});
const getId = { member: 'GetId', signature: '', args: [] };
const ownerOf = (name: string) => ({ member: 'GetNameOwner', signature: 's', args: [name] });

let folder: string;
let socket: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-dbus-'));
  socket = join(folder, 'bus');
});
afterEach(() => rm(folder, { recursive: true }));

requires('dbus-daemon', 'dbus-send')('a real bus', () => {
  const start = async () => {
    const child = execa(
      'dbus-daemon',
      [
        '--session',
        '--nofork',
        '--nopidfile',
        '--print-address=1',
        `--address=unix:path=${socket}`,
      ],
      { reject: false, buffer: false, stdin: 'ignore', stderr: 'ignore' },
    );
    await once(child.stdout, 'data');
    return {
      end: async () => {
        child.kill('SIGKILL');
        await child;
        await rm(socket, { force: true });
      },
    };
  };

  test('answers, each call in its place, as many as there are', async () => {
    const daemon = await start();
    const calls = Array.from({ length: 300 }, (_, index) =>
      index % 2 === 0 ? getId : ownerOf(service),
    );
    const { failure, stdout } = await runDbus(step(...calls), createBus(socket));
    expect(failure).toBeUndefined();
    const answers = JSON.parse(stdout) as string[][];
    expect(answers).toHaveLength(300);
    const [id] = answers[0] ?? [];
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(answers).toEqual(calls.map((call) => [call === getId ? id : service]));
    await daemon.end();
  });

  test('carries what is far longer than what is read at a time', async () => {
    const daemon = await start();
    const name = 'x'.repeat(200_000);
    const bus = createBus(socket);
    // The bus repeats the name when it says that nobody has it; what is told is cut.
    const { failure, stderr } = await runDbus(step(ownerOf(name)), bus);
    expect({ failure, length: stderr.length }).toEqual({ failure: 'missing', length: 2_000 });
    expect(await runDbus(step(getId), bus)).toMatchObject({ exitCode: 0 });
    await daemon.end();
  });

  test('says what it refuses; the other calls are made', async () => {
    const daemon = await start();
    const bus = createBus(socket);
    const unknown = { member: 'Nonsense', signature: '', args: [] };
    expect(await runDbus(step(unknown, getId), bus)).toMatchObject({
      failure: 'exit',
      stderr: expect.stringMatching('Nonsense'),
    });
    const already = { ...step(unknown, getId), alreadySo: ['org.freedesktop.DBus does not under'] };
    expect(await runDbus(already, bus)).toMatchObject({ exitCode: 0 });
    expect(await runDbus(step(ownerOf('org.example.Nobody')), bus)).toMatchObject({
      failure: 'missing',
    });
    expect(await runDbus({ ...step(getId), destination: 'org.example.Nobody' }, bus)).toMatchObject(
      {
        failure: 'missing',
      },
    );
    await daemon.end();
  });

  test('is found again when it was away, and those who watch hear of it', async () => {
    const first = await start();
    const bus = createBus(socket);
    const events: string[] = [];
    let heard = (): void => {};
    const next = () =>
      new Promise<void>((resolve) => {
        heard = resolve;
      });
    const unwatch = bus.watch({ kind: 'dbus', service: 'org.example.A', signals: [] }, (event) => {
      events.push(event);
      heard();
    });
    expect(await runDbus(step(getId), bus)).toMatchObject({ exitCode: 0 });
    await first.end();
    const result = await runDbus(step(getId), bus);
    expect(['missing', 'io']).toContain(result.failure);
    const again = next();
    const second = await start();
    await again;
    expect(events).toEqual(['gone']);
    expect(await runDbus(step(getId), bus)).toMatchObject({ exitCode: 0 });
    unwatch();
    await second.end();
  });

  test('tells when a service comes, speaks and goes', async () => {
    const daemon = await start();
    const bus = createBus(socket);
    const name = 'org.example.A';
    const spoken = { path: '/a', interface: 'org.example.A', member: 'Said' };
    const events: string[] = [];
    let heard = (): void => {};
    const unwatch = bus.watch({ kind: 'dbus', service: name, signals: [spoken] }, (event) => {
      events.push(event);
      heard();
    });
    const count = (wanted: number) =>
      new Promise<void>((resolve) => {
        heard = () => {
          if (events.length >= wanted) resolve();
        };
        heard();
      });
    await runDbus(step(getId), bus);
    // It takes the name, says what is watched and what is not, and goes.
    const speaker = createBus(socket);
    await runDbus(step({ member: 'RequestName', signature: 'su', args: [name, 0] }), speaker);
    await count(1);
    // Somebody else who says the same is not listened to.
    await execa('dbus-send', [`--bus=unix:path=${socket}`, '--type=signal', '/a', `${name}.Said`]);
    await runDbus(step({ member: 'ReleaseName', signature: 's', args: [name] }), speaker);
    await count(2);
    expect(events).toEqual(['changed', 'gone']);
    unwatch();
    await daemon.end();
  });
});

describe('what is no bus', () => {
  let server: Server | undefined;
  const pretend = async (speak: (peer: Socket) => void): Promise<void> => {
    server = createServer((peer) => {
      peer.on('error', () => {});
      speak(peer);
    });
    server.listen(socket);
    await once(server, 'listening');
  };
  afterEach(() => {
    server?.close();
    server = undefined;
  });
  const ok = (peer: Socket, then: (bytes: Buffer) => void): void => {
    peer.once('data', () => {
      peer.write(`OK ${'0'.repeat(32)}\r\n`);
      peer.on('data', then);
    });
  };

  test('is missing where nobody listens', async () => {
    expect(await runDbus(step(getId), createBus(socket))).toMatchObject({
      failure: 'missing',
      stderr: expect.stringMatching(`no D-Bus on ${socket}: .*ENOENT`),
    });
  });

  test.each([
    ['refuses', 'REJECTED EXTERNAL\r\n', /does not let this account in/],
    ['talks about something else', `${'x'.repeat(5_000)}`, /does not let this account in/],
  ])('is not used when it %s', async (_, line, why) => {
    await pretend((peer) => peer.once('data', () => peer.write(line)));
    expect(await runDbus(step(getId), createBus(socket))).toMatchObject({
      failure: 'exit',
      stderr: expect.stringMatching(why),
    });
  });

  test('is given up in time when it says nothing', async () => {
    await pretend(() => {});
    const began = performance.now();
    const result = await runDbus({ ...step(getId), deadlineMs: 300 }, createBus(socket));
    expect(result).toMatchObject({ failure: 'timeout' });
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  test.each([
    ['hangs up', (peer: Socket) => peer.end()],
    [
      'sends what is no message',
      (peer: Socket) => peer.write('no message at all, but long enough'),
    ],
    [
      'says that a message is endless',
      (peer: Socket) => peer.write(Buffer.from(`6c02000100000000${'ff'.repeat(8)}`, 'hex')),
    ],
  ])('is let go of when it %s', async (_, answer) => {
    await pretend((peer) => ok(peer, () => answer(peer)));
    expect(await runDbus(step(getId), createBus(socket))).toMatchObject({ failure: 'io' });
  });
});
