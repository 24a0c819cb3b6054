import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

const held = '203.0.113.7';
const line = `ALL:${held}`;

requires(
  'root',
  'namespaces',
  'ip',
)('a line of ours that somebody doubled', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
    agent = await startAgent(home);
  });
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await home?.remove();
    await hosts?.close();
  });

  test('stands once when it is mended, and never stays away', async () => {
    await agent.ask({ command: 'add', response: 'host-deny', srcip: held });
    await agent.end('SIGKILL');
    const before = await readFile(home.hostsDeny, 'utf8');
    await writeFile(home.hostsDeny, before.replace(line, `${line}\n${line}`));
    agent = await startAgent(home);
    // Well before the second look at the machine that every start brings.
    const deadline = Date.now() + 4_000;
    // Between the two looks the file may be gone: it was ours alone.
    const content = () => readFile(home.hostsDeny, 'utf8').catch(() => '');
    while ((await content()) !== before && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(await content()).toBe(before);
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 1 });
  });
});
