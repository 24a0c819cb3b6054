/** What an agent does with connections that stand when it blocks, as it is configured. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Composed, compose } from '../../agent/compose.ts';
import { readConfig } from '../../agent/config/read.ts';
import type { Reporter } from '../../agent/desk/desk.ts';
import type { FlowsEnded } from '../../agent/engine/flow-ender.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import { requires } from '../requirements.ts';
import { createHosts, endpoint4, type Hosts } from './hosts.ts';
import { createTalks, type Talks } from './talk.ts';

const port = 7_006;
const address = '203.0.113.7';

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'socat',
  'ss',
  'conntrack',
)('an agent that blocks', () => {
  let hosts: Hosts;
  let talks: Talks;
  let folder: string;
  let said: FlowsEnded[];
  let agent: Composed | undefined;

  beforeEach(async () => {
    hosts = await createHosts();
    talks = createTalks();
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-flows-'));
    said = [];
    await talks.serve(hosts.endpoint, `TCP4-LISTEN:${port},fork,reuseaddr`);
  });
  afterEach(async () => {
    await agent?.flow.stop({ revert: false });
    agent?.journal.close();
    agent = undefined;
    await talks.close();
    await hosts.close();
    await rm(folder, { recursive: true });
  });

  const start = async (settings: string): Promise<Composed> => {
    const text = `<ar-exec>
      <hosts_deny_file>${join(folder, 'hosts.deny')}</hosts_deny_file>
      <dbus_socket>${join(folder, 'no-bus')}</dbus_socket>
      ${settings}
    </ar-exec>`;
    const report: Reporter = {
      refused: () => {},
      outcome: () => {},
      repaired: () => {},
      trouble: () => {},
      flowsEnded: (ended) => said.push(ended),
    };
    agent = await compose({
      config: readConfig(text, 'test', knownNames).config,
      state: folder,
      report,
      adornments: { runner: (inner) => hosts.runner(inner) },
    });
    return agent;
  };
  const connect = (from: string) =>
    talks.open(hosts.attacker, `TCP4:${endpoint4}:${port},bind=${from}`);
  const ask = (composed: Composed, response: string, more: object = {}) =>
    composed.flow.accept({
      verb: 'add',
      response,
      srcip: address,
      origin: { dialect: 'native' },
      ...more,
    });

  test('ends them where the block alone would let them go on', async () => {
    const [mine, bystander] = await Promise.all([connect(address), connect('203.0.113.8')]);
    const composed = await start('');
    expect(await mine.alive()).toBe(true);
    await ask(composed, 'host-deny', { timeoutSeconds: 600 });
    await mine.over;
    await composed.flow.stop({ revert: false });
    expect(said).toMatchObject([{ addresses: 1, sockets: 1, troubles: [] }]);
    expect(await bystander.alive()).toBe(true);
  });

  test('ends them once: not when the block is asked for again, for longer or by another', async () => {
    const composed = await start('');
    await ask(composed, 'host-deny', { timeoutSeconds: 600 });
    await expect.poll(() => said.length).toBe(1);
    const mine = await connect(address);
    await ask(composed, 'host-deny', { timeoutSeconds: 1_200 });
    await composed.flow.stop({ revert: false });
    expect(said).toHaveLength(1);
    expect(await mine.alive()).toBe(true);
  });

  test('lets them be where it is told to', async () => {
    const mine = await connect(address);
    const composed = await start('<established_connections>keep</established_connections>');
    await ask(composed, 'host-deny');
    await composed.flow.stop({ revert: false });
    expect(said).toEqual([]);
    expect(await mine.alive()).toBe(true);
  });

  test('asks no tool for it where the block drops them anyway', async () => {
    const mine = await connect(address);
    const composed = await start('<driver response="firewall-drop">nftables</driver>');
    await ask(composed, 'firewall-drop');
    await composed.flow.stop({ revert: false });
    expect(said).toEqual([]);
    expect(await mine.alive()).toBe(false);
  });

  test('ends them always where it is told to, which tells the process at once', async () => {
    const mine = await connect(address);
    const composed = await start(
      '<driver response="firewall-drop">nftables</driver><established_connections>end</established_connections>',
    );
    expect(await mine.alive()).toBe(true);
    const sockets = () => hosts.exec(['ss', '-Htn', 'state', 'established', 'dst', address]);
    expect(await sockets()).toContain(address);
    await ask(composed, 'firewall-drop');
    await composed.flow.stop({ revert: false });
    expect(said).toMatchObject([{ addresses: 1, sockets: 1 }]);
    expect(await sockets()).toBe('');
  });
});
