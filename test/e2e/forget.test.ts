import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelTargets } from './kernel-holds.ts';

const forgotten = '203.0.113.7';
const held = '203.0.113.8';
const message = (command: 'add' | 'delete', srcip: string, more: object = {}): object => ({
  command,
  response: 'firewall-drop',
  srcip,
  ...more,
});

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('what a person took over', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent | undefined;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint, '<log_level>debug</log_level>');
  });
  afterEach(async () => {
    await agent?.end('SIGKILL');
    agent = undefined;
  });
  afterAll(async () => {
    await home?.remove();
    await hosts?.close();
  });

  test('is left standing by every later comparison, until it is asked for again', async () => {
    agent = await startAgent(home);
    await agent.ask(message('add', forgotten));
    await agent.ask(message('add', held));
    expect(await agent.ask(message('delete', forgotten, { forget: true }))).toMatchObject({
      state: 'forgotten',
    });
    await agent.end();

    agent = await startAgent(home);
    expect((await kernelTargets(hosts)).sort()).toEqual([forgotten, held]);
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 1 });

    expect(await agent.ask(message('add', forgotten, { timeoutSeconds: 60 }))).toMatchObject({
      state: 'active',
      refreshed: false,
    });
    await agent.ask(message('delete', forgotten));
    expect(await kernelTargets(hosts)).toEqual([held]);
  });
});
