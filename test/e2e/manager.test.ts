import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { bruteForceMessage } from './brute-force.ts';
import { kernelHolds, kernelTargets } from './kernel-holds.ts';

/** The decoder ar_log_json of Wazuh's ruleset (0010-active-response_decoders.xml). */
const prematch = /^\d\d\d\d\/\d\d\/\d\d \d\d:\d\d:\d\d active-response\/bin\/\S+: /;
const srcipField = /"data":\{"srcip":"([^"]+)"/;

/** The shortest message that a manager's own tests use, as it is sent and as executables get it. */
const sent =
  '{"version":1,"origin":{"name":"node01","module":"wazuh-analysisd"},"command":"firewall-drop600","parameters":{"extra_args":[],"alert":{"rule":{"level":5,"description":"Test.","id":"5715"},"data":{"srcip":"203.0.113.7"}}}}';
const received = (command: string): string =>
  `{"version":1,"origin":{"name":"node01","module":"wazuh-execd"},"command":"${command}","parameters":{"extra_args":[],"alert":{"rule":{"level":5,"description":"Test.","id":"5715"},"data":{"srcip":"203.0.113.7"}},"program":"active-response/bin/firewall-drop"}}`;

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)("a Wazuh manager's messages", () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint, '<never_block>198.51.100.0/24</never_block>');
    agent = await startAgent(home);
  });
  afterAll(async () => {
    await agent?.end();
    await home?.remove();
    await hosts?.close();
  });

  /** What the next so many runs wrote into the manager's log, the time replaced by TS. */
  let seen = 0;
  const logged = async (runs = 1): Promise<string> => {
    for (;;) {
      const text = await readFile(home.managerLog, 'utf8').catch(() => '');
      const fresh = text.slice(seen);
      if (fresh.split(': Ended\n').length > runs) {
        seen = text.length;
        return fresh.replaceAll(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm, 'TS ');
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  test('a block and its end are logged as the manager expects them, byte for byte', async () => {
    expect(await agent.ask(`${sent}\n`)).toMatchObject({ ok: true, state: 'active' });
    const program = 'TS active-response/bin/firewall-drop:';
    expect(await logged()).toBe(
      [
        `${program} Starting\n`,
        `${program} ${received('add')}\n\n`,
        `${program} {"version":1,"origin":{"name":"firewall-drop","module":"active-response"},"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}\n`,
        `${program} ${received('continue')}\n\n`,
        `${program} Ended\n`,
      ].join(''),
    );
    await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: '203.0.113.7' });
    expect(await logged()).toBe(
      `${program} Starting\n${program} ${received('delete')}\n\n${program} Ended\n`,
    );
  });

  test('a full alert is carried out, and its facts are kept', async () => {
    const message = bruteForceMessage({ srcip: '203.0.113.8', timeoutSeconds: 600 });
    const reply = await agent.ask(message);
    expect(reply).toMatchObject({ ok: true, state: 'active', target: '203.0.113.8' });
    expect(reply).not.toHaveProperty('id');
    expect(await agent.ask({ command: 'list' })).toMatchObject({
      actions: [
        {
          target: '203.0.113.8',
          dialect: 'wazuh4',
          ruleId: '5763',
          alertId: expect.stringMatching(/^\d+\.\d+$/),
          by: 'wazuh-analysisd on node01',
          reason: expect.stringContaining('sshd: brute force'),
        },
      ],
    });
    const [element] = await kernelHolds(hosts);
    expect(element?.expires).toBeGreaterThan(590);
  });

  test('what the decoders and rules 651 and 652 look for is there', async () => {
    await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: '203.0.113.8' });
    await logged(2);
    const text = await readFile(home.managerLog, 'utf8');
    const events = text
      .split('\n')
      .filter((line) => prematch.test(line) && srcipField.test(line))
      .map((line) => ({
        srcip: srcipField.exec(line)?.[1],
        ...JSON.parse(line.replace(prematch, '')),
      }))
      .filter(({ srcip, command }) => srcip === '203.0.113.8' && command !== 'continue');
    expect(events).toMatchObject([
      { command: 'add', parameters: { program: 'active-response/bin/firewall-drop' } },
      { command: 'delete', parameters: { program: 'active-response/bin/firewall-drop' } },
    ]);
  });

  test('a timeout ends the block, and the log says so', async () => {
    await agent.ask(bruteForceMessage({ srcip: '203.0.113.7', timeoutSeconds: 1 }));
    await logged();
    await agent.logged('expired');
    expect(await logged()).toContain('"command":"delete"');
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test('no digits, or zero, is no timeout', async () => {
    const message = JSON.stringify(bruteForceMessage({ srcip: '203.0.113.7', timeoutSeconds: 0 }));
    expect(await agent.ask(`${message}\n`)).toMatchObject({ until: null });
    const bare = message.replace('"firewall-drop0"', '"firewall-drop"');
    expect(await agent.ask(`${bare}\n`)).toMatchObject({ until: null, refreshed: true });
    await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: '203.0.113.7' });
    await logged(3);
  });

  test("Windows' members come before srcip", async () => {
    const data = { win: { eventdata: { ipAddress: '203.0.113.9' } }, srcip: '203.0.113.7' };
    const message = JSON.parse(sent);
    message.parameters.alert.data = data;
    expect(await agent.ask(message)).toMatchObject({ target: '203.0.113.9' });
    await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: '203.0.113.9' });
    await logged(2);
  });

  test('replies come in the order of the messages, as they have no id', async () => {
    const peer = await agent.connect();
    const addresses = ['203.0.113.7', 'nonsense', '203.0.113.8', '198.51.100.9', '203.0.113.9'];
    for (const srcip of addresses) peer.send(bruteForceMessage({ srcip }));
    peer.end();
    expect(await peer.rest()).toMatchObject([
      { target: '203.0.113.7' },
      { code: 'address-invalid' },
      { target: '203.0.113.8' },
      { code: 'target-protected' },
      { target: '203.0.113.9' },
    ]);
    await logged(5);
  });

  test('what is refused is in both logs: nobody reads a reply to a manager', async () => {
    const program = 'TS active-response/bin/firewall-drop:';
    expect(await agent.ask(bruteForceMessage({ srcip: '198.51.100.9' }))).toMatchObject({
      code: 'target-protected',
    });
    expect(await logged()).toBe(
      [
        `${program} Starting\n`,
        `${program} 198.51.100.9 lies in 198.51.100.0/24, which is on the never-block list: it is never blocked\n`,
        `${program} Ended\n`,
      ].join(''),
    );
    expect(await agent.logged('refused')).toMatchObject({
      level: 'warn',
      code: 'address-invalid',
      dialect: 'wazuh4',
      ruleId: '5763',
    });
  });

  test('the name of an unknown response writes nothing into the log', async () => {
    const name = 'x: forged\n2026/11/21 14:19:16 active-response/bin/firewall-drop: {}\n';
    const message = bruteForceMessage({ srcip: '203.0.113.7', response: name });
    expect(await agent.ask(message)).toMatchObject({ ok: false, code: 'response-unknown' });
    await agent.ask(bruteForceMessage({ srcip: '203.0.113.7' }));
    expect(await logged()).not.toContain('forged');
  });
});
