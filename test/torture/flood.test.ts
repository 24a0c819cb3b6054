import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Agent, createHome, type Home, startAgent } from '../e2e/agent.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';

const attempts = 10_000;
const pipelined = 100_000;
const limit = 256;
const megabyte = 1024 * 1024;
const allowedGrowth = 192 * megabyte;

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('a flood', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
    agent = await startAgent(home);
  });
  afterAll(async () => {
    expect(await agent?.end()).toBe(0);
    await home?.remove();
    await hosts?.close();
  });

  const memory = async (): Promise<number> => {
    const text = await readFile(`/proc/${agent.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) * 1024;
  };

  test('of connections: as many as allowed are served, the others told or closed', async () => {
    const first = await agent.connect();
    const before = await memory();
    const peers = await Promise.all(Array.from({ length: attempts }, () => knock(home.socket)));
    // A machine that is busy may have refused so many itself that the agent's limit was not reached.
    for (let fate = 'held'; fate === 'held'; fate = peers.at(-1)?.fate ?? '') {
      peers.push(await knock(home.socket));
    }
    const held = peers.filter(({ fate }) => fate === 'held');
    expect(held.length).toBeLessThan(limit);
    expect(held.length).toBeGreaterThan(limit / 2);
    expect(peers.some(({ fate }) => fate === 'told')).toBe(true);
    expect((await memory()) - before).toBeLessThan(allowedGrowth);
    expect(await first.ask({ id: 1, command: 'status' })).toMatchObject({
      ok: true,
      connections: held.length + 1,
    });

    for (const { socket } of held) socket.destroy();
    await expect
      .poll(() => first.ask({ command: 'status' }), { timeout: 5_000 })
      .toMatchObject({ connections: 1 });
    expect(await agent.ask({ command: 'status' })).toMatchObject({ ok: true });
    first.close();
  });

  test('of 100,000 requests in one go: all are answered, others in between, in bounded memory', async () => {
    const before = await memory();
    const pipeline = connect(home.socket);
    const response = 'firewall-drop';
    const all = countReplies(pipeline, pipelined);
    pipeline.write(
      numbered(pipelined, (id) => ({
        id,
        command: 'add',
        response,
        srcip: `198.51.${100 + ((id >> 8) & 3)}.${id & 255}`,
        timeoutSeconds: 600,
      })),
    );
    const slowest = await slowestOf(100, () => agent.ask({ command: 'status' }));
    expect(await all).toBe(pipelined);
    const grown = (await memory()) - before;
    process.stdout.write(
      `pipeline of ${pipelined}: a polite peer waited ${Math.round(slowest)} ms at most, ${Math.round(grown / megabyte)} MiB more\n`,
    );
    pipeline.destroy();
    const { actions } = await agent.ask({ command: 'status' });
    await change(agent, 'delete', 1_024);
    expect(actions).toMatchObject({ active: 1_024 });
    // Tens of milliseconds where the machine does nothing else.
    expect(slowest).toBeLessThan(5_000);
    expect(grown).toBeLessThan(allowedGrowth);
  }, 120_000);

  test('of connections that begin a line and go on byte by byte: others are served', async () => {
    const slow = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const peer = await agent.connect();
        peer.socket.write('{"id":1,');
        return peer;
      }),
    );
    for (const byte of '"command"') {
      for (const { socket } of slow) socket.write(byte);
      const slowest = await slowestOf(5, () => agent.ask({ command: 'status' }));
      expect(slowest).toBeLessThan(1_000);
    }
    for (const peer of slow) peer.close();
  });

  test.each([
    ['short replies', 0, 200_000],
    ['long replies', 2_000, 900],
  ])('of requests for %s, by a peer that does not read them', async (_, held, requests) => {
    await change(agent, 'add', held);
    const before = await memory();
    const flooder = connect(home.socket);
    flooder.on('error', () => {});
    flooder.write(numbered(requests, (id) => ({ id, command: 'list', limit: 1_000_000 })));

    const slowest = await slowestOf(200, () => agent.ask({ command: 'status' }));
    expect(slowest).toBeLessThan(1_000);
    expect((await memory()) - before).toBeLessThan(allowedGrowth);

    // Nothing is lost to a peer that was slow and reads at last.
    expect(await countReplies(flooder, requests)).toBe(requests);
    expect((await memory()) - before).toBeLessThan(allowedGrowth);
    flooder.destroy();
    await change(agent, 'delete', held);
  });
});

interface Knocked {
  readonly socket: Socket;
  readonly fate: 'held' | 'told' | 'closed';
}

/** Connects and asks; what the agent makes of it. */
function knock(path: string): Promise<Knocked> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (fate: Knocked['fate']): void => resolve({ socket, fate });
    socket.on('connect', () => socket.write('{"command":"list"}\n'));
    socket.on('data', (data) => {
      settle(String(data).includes('limit-connections') ? 'told' : 'held');
    });
    // A queue of connections that is full refuses them (EAGAIN) before the agent sees them.
    socket.on('error', () => settle('closed'));
    socket.on('close', () => settle('closed'));
  });
}

async function slowestOf(times: number, work: () => Promise<unknown>): Promise<number> {
  let slowest = 0;
  for (let count = 0; count < times; count += 1) {
    const startedAt = performance.now();
    await work();
    slowest = Math.max(slowest, performance.now() - startedAt);
  }
  return slowest;
}

/** Adds or deletes that many addresses. */
async function change(agent: Agent, command: string, addresses: number): Promise<void> {
  const peer = await agent.connect();
  const response = 'firewall-drop';
  const srcip = (id: number): string => `198.51.${100 + (id >> 8)}.${id & 255}`;
  peer.send(numbered(addresses, (id) => ({ id, command, response, srcip: srcip(id) })));
  peer.end();
  const replies = await peer.rest();
  expect(replies.filter(({ ok }) => ok === true)).toHaveLength(addresses);
}

function numbered(count: number, request: (id: number) => object): string {
  return Array.from({ length: count }, (_, id) => `${JSON.stringify(request(id))}\n`).join('');
}

/** Reads until that many different requests have their reply, or the agent closes. */
async function countReplies(socket: Socket, wanted: number): Promise<number> {
  const ids = new Set<string>();
  let rest = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) ids.add(/"id":(\d+)/.exec(line)?.[1] ?? 'none');
    if (ids.size === wanted) break;
  }
  return ids.size;
}
