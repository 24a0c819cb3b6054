import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

const held = '203.0.113.7';
const stranger = '203.0.113.8';

/**
 * An agent that is killed can leave a tool behind that waits for the lock of iptables. It acts when
 * the next agent has long looked at the machine; here it is run by hand at that moment.
 */
requires(
  'root',
  'namespaces',
  'ip',
  'iptables',
)('a tool that outlives its agent', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint, '<driver response="firewall-drop">iptables</driver>');
  });
  afterAll(async () => {
    await agent?.end('SIGKILL');
    await home?.remove();
    await hosts?.close();
  });

  test('leaves nothing double and nothing that nobody asked for', async () => {
    const killed = await startAgent(home);
    await killed.ask({ command: 'add', response: 'firewall-drop', srcip: held });
    await killed.end('SIGKILL');
    agent = await startAgent(home);
    for (const address of [held, stranger]) {
      await hosts.exec(['iptables', '-t', 'mangle', '-A', 'ar-exec', '-s', address, '-j', 'DROP']);
    }
    await agent.logged('repaired what differed from the journal');
    const rules = await hosts.exec(['iptables', '-t', 'mangle', '-S', 'ar-exec']);
    expect(rules.trim().split('\n')).toEqual(['-N ar-exec', `-A ar-exec -s ${held}/32 -j DROP`]);
  });
});
