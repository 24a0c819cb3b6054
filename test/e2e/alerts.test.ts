/** Alerts without a manager: over the socket, from standard input, and from a file that is followed. */
import { appendFile, chmod, copyFile, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelTargets } from './kernel-holds.ts';

const blocks = `
  <command>
    <name>drop</name><executable>firewall-drop</executable>
    <expect>srcip</expect><timeout_allowed>yes</timeout_allowed>
  </command>
  <command><name>note</name><executable>note.sh</executable><expect></expect></command>
  <command>
    <name>hold</name><executable>hold.sh</executable>
    <expect>srcip</expect><timeout_allowed>yes</timeout_allowed>
  </command>
  <command>
    <name>win_route-null</name><executable>route-null.cmd</executable>
    <expect>srcip</expect><timeout_allowed>yes</timeout_allowed>
  </command>
  <active-response>
    <command>drop</command><location>local</location><level>7</level><timeout>600</timeout>
    <repeated_offenders>30,60,120</repeated_offenders>
  </active-response>
  <active-response>
    <command>note</command><location>local</location><rules_id>100100</rules_id>
  </active-response>
  <active-response>
    <command>hold</command><location>local</location>
    <rules_id>100200</rules_id><timeout>60</timeout>
  </active-response>
  <active-response>
    <command>win_route-null</command><location>all</location><level>7</level><timeout>900</timeout>
  </active-response>
  <active-response>
    <command>drop</command><location>server</location><rules_group>sshd</rules_group>
  </active-response>`;

let number = 0;

function alert(srcip: string, rule: object = {}, agent: object = { id: '001', name: 'web-01' }) {
  number += 1;
  return {
    timestamp: new Date().toISOString().replace('Z', '+0000'),
    rule: { level: 10, description: 'brute force', id: '5763', groups: ['sshd'], ...rule },
    agent,
    id: `1795270756.${number}`,
    data: { srcip },
    location: '/var/log/auth.log',
  };
}

const lines = (...alerts: readonly object[]): string =>
  alerts.map((one) => `${JSON.stringify(one)}\n`).join('');

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('alerts', () => {
  let hosts: Hosts;
  let home: Home;
  let file: string;
  let agents: Agent[] = [];

  /** With a response folder of its own, and the file of alerts to follow. */
  beforeEach(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
    file = join(home.folder, 'alerts.json');
    const scripts = join(home.folder, 'bin');
    await mkdir(scripts, { mode: 0o755 });
    const note = join(scripts, 'note.sh');
    // The alert's id, of the one line that it is handed.
    const script = `#!/bin/sh\nread -r line\nid=\${line##*\\"id\\":\\"1795270756.}\necho "\${id%%\\"*}" >> ${home.folder}/notes\n`;
    await writeFile(note, script);
    await chmod(note, 0o755);
    const keys = '{"version":1,"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}';
    await writeFile(
      join(scripts, 'hold.sh'),
      `#!/bin/sh\nread -r line\necho '${keys}'\nread -r line\n`,
    );
    await chmod(join(scripts, 'hold.sh'), 0o755);
    await writeFile(
      home.config,
      `<ossec_config>${blocks}</ossec_config>
       ${(await readFile(home.config, 'utf8')).replace(
         '</ar-exec>',
         `<agent_id>001</agent_id><agent_name>web-01</agent_name>
          <manager_home>${home.folder}</manager_home><manager_config>none</manager_config>
          <scripts_folder>${scripts}</scripts_folder><alerts_file>${file}</alerts_file>
          <script name="note.sh" guard="no"/></ar-exec>`,
       )}`,
    );
  });
  afterEach(async () => {
    await Promise.all(agents.map((agent) => agent.end('SIGKILL')));
    agents = [];
    await home.remove();
    await hosts.close();
  });

  const start = async (): Promise<Agent> => {
    const agent = await startAgent(home);
    agents.push(agent);
    return agent;
  };
  const held = () => expect.poll(() => kernelTargets(hosts), { timeout: 10_000 });
  const notes = async (): Promise<string[]> =>
    (await readFile(join(home.folder, 'notes'), 'utf8').catch(() => '')).split('\n').slice(0, -1);

  describe('that are sent', () => {
    test('to the socket, alone or as a request, set off what the configuration says', async () => {
      const agent = await start();
      const sent = alert('203.0.113.7');
      expect(await agent.ask({ id: 1, command: 'alert', alert: sent })).toMatchObject({
        id: 1,
        ok: true,
        responses: [{ ok: true, state: 'active', target: '203.0.113.7' }],
      });
      expect(await agent.ask(alert('203.0.113.8'))).toMatchObject({
        responses: [{ target: '203.0.113.8' }],
      });
      expect(await agent.ask(alert('203.0.113.9', { level: 6 }))).toEqual({
        ok: true,
        responses: [],
      });
      expect(await agent.ask(alert('203.0.113.9', {}, { id: '002', name: 'db' }))).toEqual({
        ok: true,
        responses: [],
      });
      await held().toEqual(['203.0.113.7', '203.0.113.8']);
      expect(await agent.ask({ command: 'list', limit: 1 })).toMatchObject({
        actions: [{ dialect: 'alert', ruleId: '5763', by: 'ar-exec on web-01', offence: 1 }],
      });
      expect(
        await agent.logged('not present on this system, so alerts do not run it'),
      ).toMatchObject({
        executable: 'route-null.cmd',
      });
      expect(agent.log.filter(({ msg }) => msg.startsWith('not present'))).toHaveLength(1);
      await expect
        .poll(() => readFile(home.managerLog, 'utf8').catch(() => ''), { timeout: 5_000 })
        .toContain('"origin":{"name":"web-01","module":"ar-exec"},"command":"add"');
    });

    test('what a response logged of itself sets nothing off', async () => {
      const agent = await start();
      const own = alert('203.0.113.7', { id: '657', groups: ['ossec', 'active_response'] });
      expect(await agent.ask(own)).toEqual({ ok: true, responses: [] });
    });

    test('one that is refused does not keep another from running, and is told', async () => {
      const agent = await start();
      const both = alert('127.0.0.1', { id: '100100' });
      expect(await agent.ask(both)).toMatchObject({
        ok: true,
        responses: [
          { ok: false, code: 'target-protected' },
          { ok: true, state: 'done' },
        ],
      });
      expect(await notes()).toEqual([String(number)]);
    });
  });

  describe('on the command line', () => {
    test('are read from standard input, told one by one, and end with what failed', async () => {
      await start();
      const input = lines(alert('203.0.113.7'), alert('203.0.113.8', { level: 3 }));
      expect(await home.run(['alert'], { input })).toEqual({
        status: 0,
        stderr: '',
        stdout: expect.stringMatching(
          /^1: firewall-drop 203\.0\.113\.7 is in force by nftables, held until .* \(10m left\)\n2: nothing follows from it$/,
        ),
      });
      const bad = `not JSON\n${'x'.repeat(200_000)}\n${lines(alert('203.0.113.9'))}`;
      const { status, stdout } = await home.run(['alert', '--json'], { input: bad });
      expect(stdout.split('\n').map((one) => JSON.parse(one))).toMatchObject([
        { line: 1, ok: false, code: 'message-invalid' },
        { line: 2, ok: false, code: 'message-too-large' },
        { line: 3, ok: true, responses: [{ target: '203.0.113.9' }] },
      ]);
      expect(status).toBe(2);
      const refused = await home.run(['alert'], { input: lines(alert('127.0.0.1')) });
      expect(refused).toMatchObject({
        status: 4,
        stdout: expect.stringContaining('[target-protected]'),
      });
    });

    test('are read from a file; a dry run says what would be done, and why nothing else', async () => {
      const from = join(home.folder, 'some.json');
      await writeFile(from, lines(alert('203.0.113.7'), alert('203.0.113.8', { level: 3 })));
      const wanted = {
        status: 0,
        stdout: expect.stringMatching(
          new RegExp(
            [
              '^1: nftables would do it: .*\n(?:  .*\n)*.*203\\.0\\.113\\.7.*\n  EOF',
              "\n1: note does not run: the alert's rule 5763 is not among 100100\n",
              "1: hold does not run: the alert's rule 5763 is not among 100200\n",
              '1: win_route-null does not run: route-null.cmd is not on this system\n',
              '1: drop does not run: it runs on the manager, and this is an agent\n',
              "2: drop does not run: the alert's level is 3, and 7 is the lowest\n",
            ].join(''),
          ),
        ),
      };
      expect(await home.run(['alert', '--dry-run', '--file', from])).toMatchObject(wanted);
      await start();
      expect(await home.run(['alert', '--dry-run', '--file', from])).toMatchObject(wanted);
      expect(await kernelTargets(hosts)).toEqual([]);
      expect(await home.run(['alert', '--file', join(home.folder, 'none')])).toMatchObject({
        status: 2,
      });
    });

    test('need an agent', async () => {
      expect(await home.run(['alert'], { input: lines(alert('203.0.113.7')) })).toMatchObject({
        status: 3,
        stderr: expect.stringContaining('agent-unreachable'),
      });
    });
  });

  describe('in a file that is followed', () => {
    test('are answered as they come, through rotations and restarts', async () => {
      await writeFile(file, lines(alert('203.0.113.1')));
      const agent = await start();
      await appendFile(file, lines(alert('203.0.113.7')));
      await held().toEqual(['203.0.113.7']);
      await rename(file, `${file}.1`);
      await writeFile(file, lines(alert('203.0.113.8')));
      await held().toEqual(['203.0.113.7', '203.0.113.8']);
      expect(await agent.end()).toBe(0);
      await appendFile(file, lines(alert('203.0.113.9'), alert('0', { id: '100100', level: 1 })));
      const missed = String(number);
      await copyFile(file, `${file}.2`);
      await writeFile(file, '');
      const next = await start();
      await held().toEqual(['203.0.113.7', '203.0.113.8', '203.0.113.9']);
      await expect.poll(notes, { timeout: 5_000 }).toEqual([missed]);
      const { actions } = await next.ask({ command: 'list' });
      expect(actions).toHaveLength(3);
      expect((actions as { offence: number }[]).map(({ offence }) => offence)).toEqual([1, 1, 1]);
    });

    test('are each answered though the agent is killed in the middle, and what is done once is', async () => {
      await writeFile(file, '');
      const agent = await start();
      const address = (index: number) => `203.0.${Math.floor(index / 200)}.${1 + (index % 200)}`;
      const all = Array.from({ length: 600 }, (_, index) =>
        alert(address(index), index % 10 === 0 ? { id: '100100' } : {}),
      );
      const numbers = all.flatMap(({ id, rule }) =>
        rule.id === '100100' ? [id.replace('1795270756.', '')] : [],
      );
      const half = all.length / 2;
      await appendFile(file, lines(...all.slice(0, half)));
      // In the midst of it: some scripts have run, and others not.
      await expect.poll(notes, { timeout: 10_000, interval: 2 }).not.toEqual([]);
      await agent.end('SIGKILL');
      await appendFile(file, lines(...all.slice(half)));
      await start();
      await held().toHaveLength(all.length);
      await expect
        .poll(async () => new Set(await notes()).size, { timeout: 20_000 })
        .toBeGreaterThanOrEqual(numbers.length - 16);
      const ran = await notes();
      expect(ran).toEqual([...new Set(ran)]);
    });

    test('keep what is read in bounds when there are many', async () => {
      await writeFile(file, '');
      const agent = await start();
      const before = await residentMb(agent.pid);
      const quiet = Array.from({ length: 20_000 }, () => alert('203.0.113.7', { level: 3 }));
      await appendFile(file, lines(...quiet, alert('203.0.113.8')));
      await held().toEqual(['203.0.113.8']);
      expect((await residentMb(agent.pid)) - before).toBeLessThan(150);
    });
  });

  test('repeated offenders are held for longer, over a restart, until they are forgotten', async () => {
    await writeFile(file, '');
    let agent = await start();
    const minutesHeld = async (): Promise<number> => {
      const reply = await agent.ask(alert('203.0.113.7'));
      const [{ until }] = reply['responses'] as [{ until: string }];
      await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: '203.0.113.7' });
      return Math.round((Date.parse(until) - Date.now()) / 60_000);
    };
    expect(await minutesHeld()).toBe(10);
    expect(await minutesHeld()).toBe(30);
    expect(await agent.end()).toBe(0);
    agent = await start();
    expect(await minutesHeld()).toBe(60);
    expect(await minutesHeld()).toBe(120);
    expect(await minutesHeld()).toBe(120);
    // A person's wish is no offence, and means what it says.
    const asked = { command: 'add', response: 'firewall-drop', srcip: '203.0.113.7' };
    const { until } = await agent.ask({ ...asked, timeoutSeconds: 60 });
    expect(Date.parse(String(until)) - Date.now()).toBeLessThan(61_000);
    expect(await agent.end()).toBe(0);
    const database = new DatabaseSync(join(home.state, 'journal.db'));
    database.exec('UPDATE offences SET last_at = last_at - 90000000');
    database.close();
    agent = await start();
    await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: '203.0.113.7' });
    expect(await minutesHeld()).toBe(10);
  });

  test('a script that names its keys is held for longer too', async () => {
    const agent = await start();
    const minutes: number[] = [];
    for (let times = 0; times < 3; times += 1) {
      const reply = await agent.ask(alert('203.0.113.7', { id: '100200', level: 3 }));
      const [{ until }] = reply['responses'] as [{ until: string }];
      minutes.push(Math.round((Date.parse(until) - Date.now()) / 60_000));
    }
    expect(minutes).toEqual([1, 30, 60]);
  });
});

async function residentMb(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1]) / 1_024;
}
