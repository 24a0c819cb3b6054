import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { bruteForceMessage } from './brute-force.ts';

const limitBytes = 131_072;
const add = { command: 'add', response: 'firewall-drop', srcip: '203.0.113.7' };
const wazuh = bruteForceMessage({ srcip: '203.0.113.7' });
const status = '{"id":"after","command":"status"}\n';

const refused: readonly (readonly [string, string | object])[] = [
  ['message-invalid', 'nonsense'],
  ['message-invalid', '{"command":"add"'],
  ['message-invalid', '"add"'],
  ['message-invalid', 'null'],
  ['message-invalid', '[{"command":"status"}]'],
  ['message-invalid', '{}'],
  ['message-invalid', '{"command":"status"} {"command":"status"}'],
  ['message-invalid', { command: 'explode' }],
  ['message-invalid', { ...add, command: 7 }],
  ['message-invalid', { ...add, response: undefined }],
  ['message-invalid', { ...add, srcip: 3_405_803_783 }],
  ['message-invalid', { ...add, srcip: ['203.0.113.7'] }],
  ['message-invalid', { ...add, timeout: 60 }],
  ['message-invalid', { ...add, timeoutSeconds: '60' }],
  ['message-invalid', { ...add, timeoutSeconds: 1.5 }],
  ['message-invalid', { ...add, dryRun: 'yes' }],
  ['message-invalid', { ...add, forget: true }],
  ['message-invalid', { ...add, reason: 'x'.repeat(1_025) }],
  ['message-invalid', { command: 'list', limit: 0 }],
  ['message-invalid', { command: 'status', id: { a: 1 } }],
  ['timeout-invalid', { ...add, timeoutSeconds: 0 }],
  ['timeout-invalid', { ...add, timeoutSeconds: -1 }],
  ['timeout-invalid', { ...add, timeoutSeconds: 10_000_000_000 }],
  ['address-missing', { ...add, srcip: undefined }],
  ['response-unknown', { ...add, response: '../../bin/sh' }],
  ['response-unknown', { ...add, response: '' }],
  ['message-invalid', '{"__proto__":{"command":"status"}}'],
  ['message-invalid', '{"command":"status","__proto__":{"isAdmin":true}}'],
  ['message-invalid', '{"command":"status","constructor":{"prototype":{}}}'],
  ['message-invalid', { command: '__proto__' }],
  ['message-invalid', { command: 'constructor' }],
  ['response-unknown', { ...add, response: '__proto__' }],
  ['response-unknown', { ...add, response: 'toString' }],
  ['address-invalid', { ...add, srcip: '__proto__' }],
  ['message-invalid', { ...wazuh, version: '1' }],
  ['message-invalid', { ...wazuh, origin: 'manager' }],
  ['message-invalid', { ...wazuh, command: 7 }],
  ['message-invalid', { ...wazuh, parameters: undefined }],
  ['response-unknown', { ...wazuh, command: '!custom.sh' }],
  ['response-unknown', { ...wazuh, command: '__proto__600' }],
  ['response-unknown', { ...wazuh, command: '600' }],
  ['address-missing', { ...wazuh, parameters: {} }],
  ['address-missing', { ...wazuh, parameters: { alert: { data: { srcip: 7 } } } }],
  ['timeout-invalid', { ...wazuh, command: 'firewall-drop99999999999999999999' }],
];

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('bad input', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
    agent = await startAgent(home);
  });
  afterEach(async () => {
    expect(await agent.ask({ command: 'status' })).toMatchObject({
      pid: agent.pid,
      healthy: true,
      pending: 0,
      actions: { active: 0, intended: 0 },
    });
    expect(await hosts.exec(['nft', 'list', 'ruleset'])).toBe('');
  });
  afterAll(async () => {
    expect(await agent?.end()).toBe(0);
    await home?.remove();
    await hosts?.close();
  });

  test('gets a clear error each, and the connection goes on', async () => {
    const peer = await agent.connect();
    for (const [code, message] of refused) {
      const text = typeof message === 'string' ? `${message}\n` : message;
      const reply = await peer.ask(text);
      expect(reply, JSON.stringify(message)).toMatchObject({ ok: false, code });
      expect(Object.keys(reply)).toEqual(['ok', 'code', 'message', 'hint']);
      expect(String(reply['message']).length).toBeLessThan(300);
    }
    expect(await peer.ask(status)).toMatchObject({ id: 'after', ok: true });
    peer.close();
  });

  test('an error carries the id, if that much could be understood', async () => {
    expect(await agent.ask({ ...add, id: 'mine', srcip: 'x' })).toMatchObject({
      id: 'mine',
      code: 'address-invalid',
    });
    expect(await agent.ask({ id: 7, command: 'explode' })).toMatchObject({
      id: 7,
      code: 'message-invalid',
    });
  });

  test('a message of just 128 KiB is taken', async () => {
    const padding = limitBytes - status.length + 1;
    expect(await agent.ask(`${' '.repeat(padding)}${status}`)).toMatchObject({ id: 'after' });
  });

  test.each([
    ['with its end', `${' '.repeat(limitBytes)}${status}`],
    ['without an end', 'x'.repeat(limitBytes + 1)],
    ['of three-byte letters', `"${'語'.repeat(Math.ceil(limitBytes / 3))}"\n`],
    [
      'of binary garbage',
      randomBytes(4 * limitBytes)
        .toString('latin1')
        .replaceAll('\n', ' '),
    ],
  ])('a message over 128 KiB %s is told so, and ends its connection alone', async (_, text) => {
    const other = await agent.connect();
    const peer = await agent.connect();
    peer.send(status);
    expect(await peer.next()).toMatchObject({ id: 'after' });
    peer.send(text);
    expect(await peer.rest()).toMatchObject([{ ok: false, code: 'message-too-large' }]);
    expect(await other.ask(status)).toMatchObject({ id: 'after', ok: true });
    other.close();
  });

  test('what came before an oversize message is answered', async () => {
    const peer = await agent.connect();
    peer.send(`${status}${'x'.repeat(limitBytes + 1)}`);
    expect(await peer.rest()).toMatchObject([{ id: 'after' }, { code: 'message-too-large' }]);
  });

  test('binary garbage with line ends is answered line by line', async () => {
    const garbage = randomBytes(32_768).map((byte, index) => (index % 512 === 511 ? 10 : byte));
    const peer = await agent.connect();
    peer.socket.write(garbage);
    peer.end();
    const replies = await peer.rest();
    expect(replies.length).toBeGreaterThanOrEqual(64);
    expect(replies.every(({ code }) => code === 'message-invalid')).toBe(true);
  });

  test.each([1_000, 5_000, 10_000, 20_000, 30_000])(
    'JSON nested %i times deep is survived',
    async (depth) => {
      const deep = `${'['.repeat(depth)}${']'.repeat(depth)}`;
      expect(await agent.ask(`${deep}\n`)).toMatchObject({ code: 'message-invalid' });
      const inMember = `{"command":"status","x":${deep}}\n`;
      expect(await agent.ask(inMember)).toMatchObject({ code: 'message-invalid' });
      const line = JSON.stringify(bruteForceMessage({ srcip: 'x' }));
      const inAlert = line.replace('"rule":', `"x":${deep},"rule":`);
      if (inAlert.length < limitBytes) {
        const reply = await agent.ask(`${inAlert}\n`);
        expect(reply['code']).toMatch(/^(address|message)-invalid$/);
      }
    },
  );

  test('a half-sent message is nothing, and holds up nobody', async () => {
    const half = await agent.connect();
    half.send(JSON.stringify(add).slice(0, -1));
    expect(await agent.ask(status)).toMatchObject({ id: 'after', ok: true });
    half.close();
  });

  test('a peer that goes away in the middle is no trouble', async () => {
    for (let count = 0; count < 50; count += 1) {
      const peer = await agent.connect();
      peer.send(status.repeat(20));
      peer.close();
    }
    expect(await agent.ask(status)).toMatchObject({ id: 'after', ok: true });
  });
});
