import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelHolds, kernelTargets } from './kernel-holds.ts';
import type { Reply } from './peer.ts';

const srcip = '203.0.113.7';
const add = { command: 'add', response: 'firewall-drop', srcip };
const remove = { command: 'delete', response: 'firewall-drop', srcip };
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('the native protocol', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
    agent = await startAgent(home);
  });
  afterEach(async () => {
    const { actions } = (await agent.ask({ command: 'list' })) as unknown as { actions: Reply[] };
    const peer = await agent.connect();
    for (const { target } of actions) peer.send({ id: 1, ...remove, srcip: target });
    peer.end();
    await peer.rest();
    expect(await kernelTargets(hosts)).toEqual([]);
  });
  afterAll(async () => {
    await agent?.end();
    await home?.remove();
    await hosts?.close();
  });

  test('add answers when the kernel has it, with everything there is to know', async () => {
    const asked = { id: 'a-1', ...add, timeoutSeconds: 600, reason: 'because', by: 'somebody' };
    expect(await agent.ask(asked)).toEqual({
      id: 'a-1',
      ok: true,
      state: 'active',
      refreshed: false,
      action: expect.any(Number),
      response: 'firewall-drop',
      target: srcip,
      driver: 'nftables',
      since: time,
      until: time,
    });
    expect(await agent.ask({ command: 'list' })).toMatchObject({
      actions: [{ target: srcip, state: 'active', reason: 'because', by: 'somebody' }],
    });
    const [element, ...others] = await kernelHolds(hosts);
    expect(others).toEqual([]);
    expect(element?.target).toBe(srcip);
    expect(element?.expires).toBeGreaterThan(590);
  });

  test.each([
    ['::FFFF:203.0.113.7', '203.0.113.7'],
    ['2001:DB8:0:0::7', '2001:db8::7'],
    ['203.0.113.77/24', '203.0.113.0/24'],
    ['2001:db8::7/48', '2001:db8::/48'],
  ])('%s is %s', async (text, target) => {
    expect(await agent.ask({ ...add, srcip: text })).toMatchObject({ ok: true, target });
    expect(await kernelTargets(hosts)).toEqual([target]);
    expect(await agent.ask({ ...add, srcip: target })).toMatchObject({ ok: true, refreshed: true });
    expect(await kernelTargets(hosts)).toEqual([target]);
  });

  test('a repeated add moves the end further, and never nearer', async () => {
    const first = await agent.ask({ ...add, timeoutSeconds: 60 });
    const longer = await agent.ask({ ...add, timeoutSeconds: 600 });
    expect(longer).toMatchObject({ refreshed: true, action: first['action'] });
    expect(secondsUntil(longer)).toBeGreaterThan(590);
    const shorter = await agent.ask({ ...add, timeoutSeconds: 10 });
    expect(shorter).toMatchObject({ refreshed: true, until: longer['until'] });

    const held = await kernelHolds(hosts);
    expect(held).toHaveLength(1);
    expect(held[0]?.expires).toBeGreaterThan(590);

    expect(await agent.ask(add)).toMatchObject({ refreshed: true, until: null });
    expect(await kernelHolds(hosts)).toEqual([{ target: srcip }]);
    expect(await agent.ask({ ...add, timeoutSeconds: 10 })).toMatchObject({ until: null });
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 1 });
  });

  test('delete takes it back, once', async () => {
    await agent.ask(add);
    expect(await agent.ask({ id: 2, ...remove })).toMatchObject({
      id: 2,
      ok: true,
      state: 'reverted',
      target: srcip,
      stillHeldBy: [],
    });
    expect(await kernelTargets(hosts)).toEqual([]);
    expect(await agent.ask({ id: 3, ...remove })).toMatchObject({
      id: 3,
      ok: false,
      code: 'not-held',
      hint: expect.stringContaining('list'),
    });
  });

  test('delete with forget ends the record alone', async () => {
    await agent.ask({ ...add, timeoutSeconds: 600 });
    expect(await agent.ask({ ...remove, forget: true })).toMatchObject({ state: 'forgotten' });
    expect(await agent.ask({ command: 'list' })).toMatchObject({ actions: [], held: 0 });
    expect(await kernelTargets(hosts)).toEqual([srcip]);
    await agent.ask(add);
  });

  test('a dry run answers with the steps and takes none', async () => {
    const ruleset = await hosts.exec(['nft', 'list', 'ruleset']);
    const plan = await agent.ask({ ...add, dryRun: true, timeoutSeconds: 60 });
    expect(plan).toMatchObject({ ok: true, dryRun: true, driver: 'nftables' });
    expect(JSON.stringify(plan['steps'])).toContain(`{ ${srcip} timeout `);
    expect(await agent.ask({ ...remove, dryRun: true })).toMatchObject({ ok: true, steps: [] });
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 0 });
    expect(await hosts.exec(['nft', 'list', 'ruleset'])).toBe(ruleset);
  });

  test('list tells what is held, newest first, and what is over', async () => {
    for (const last of [1, 2, 3]) await agent.ask({ ...add, srcip: `198.51.100.${last}` });
    await agent.ask({ ...remove, srcip: '198.51.100.1' });
    const live = await agent.ask({ id: 'l', command: 'list' });
    expect(live).toMatchObject({
      id: 'l',
      ok: true,
      held: 2,
      actions: [{ target: '198.51.100.3' }, { target: '198.51.100.2' }],
    });
    expect(await agent.ask({ command: 'list', limit: 1 })).toMatchObject({
      held: 2,
      actions: [{ target: '198.51.100.3' }],
    });
    expect(await agent.ask({ command: 'list', history: true, limit: 1 })).toMatchObject({
      actions: [{ target: '198.51.100.1', state: 'reverted', ended: time }],
    });
  });

  test('status tells how the agent is', async () => {
    await agent.ask(add);
    expect(await agent.ask({ id: 's', command: 'status' })).toMatchObject({
      id: 's',
      ok: true,
      pid: agent.pid,
      healthy: true,
      pending: 0,
      connections: expect.any(Number),
      actions: { active: 1 },
      drivers: expect.arrayContaining([
        expect.objectContaining({ driver: 'nftables', usable: true }),
      ]),
    });
  });

  test('requests can be pipelined: each is answered once, and done', async () => {
    const peer = await agent.connect();
    const numbers = Array.from({ length: 500 }, (_, index) => index);
    const lines = numbers.map((id) =>
      JSON.stringify({ id, ...add, srcip: `198.51.${100 + (id >> 8)}.${id & 255}` }),
    );
    peer.send(`${lines.join('\n')}\n`);
    peer.end();
    const replies = await peer.rest();
    expect(replies.every(({ ok }) => ok === true)).toBe(true);
    expect(replies.map(({ id }) => id).sort((a, b) => Number(a) - Number(b))).toEqual(numbers);
    expect(await kernelTargets(hosts)).toHaveLength(500);
  });

  test('a reply with an id comes as soon as it is done, those without in their order', async () => {
    const peer = await agent.connect();
    peer.send(add);
    peer.send({ command: 'status' });
    peer.send({ id: 'quick', command: 'status' });
    peer.send(remove);
    peer.end();
    const replies = await peer.rest();
    expect(replies[0]).toMatchObject({ id: 'quick', version: expect.any(String) });
    expect(replies.slice(1)).toMatchObject([
      { state: 'active' },
      { version: expect.any(String) },
      { state: 'reverted' },
    ]);
  });

  test('the last message needs no newline when nothing follows', async () => {
    const peer = await agent.connect();
    peer.send(JSON.stringify({ id: 1, ...add }));
    peer.end();
    expect(await peer.rest()).toMatchObject([{ id: 1, state: 'active' }]);
  });

  test('lines may end with CRLF, stand apart and be indented', async () => {
    const peer = await agent.connect();
    peer.send('\n\r\n  {"id":1,"command":"status"}  \r\n\n');
    peer.end();
    expect(await peer.rest()).toMatchObject([{ id: 1, ok: true }]);
  });

  test('a message may arrive a byte at a time', async () => {
    const peer = await agent.connect();
    for (const byte of '{"id":"ü","command":"status"}\n') {
      await new Promise<void>((resolve) => peer.socket.write(byte, () => resolve()));
    }
    expect(await peer.next()).toMatchObject({ id: 'ü', ok: true });
    peer.close();
  });

  test('the socket is for its owner alone where the group does not exist', async () => {
    expect(await hosts.exec(['stat', '-c', '%a', home.socket])).toBe('600');
  });
});

function secondsUntil(reply: Reply): number {
  return (Date.parse(String(reply['until'])) - Date.now()) / 1_000;
}
