import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import {
  askCom,
  createAgentFolders,
  passing,
  sendDatagrams,
  wazuh4Message,
  wazuh5Message,
} from './agentd.ts';
import { kernelTargets } from './kernel-holds.ts';

const wait = { timeout: 30_000, interval: 20 };
/** No send may take longer, even where other work delays everything. */
const longestMs = 250;
const many = 5_000;
const noWay = 'what the manager asks for does not come here';

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'python3',
)('in place of execd', () => {
  let hosts: Hosts;
  let home: Home;
  let manager: string;
  const agents: Agent[] = [];

  beforeAll(async () => {
    hosts = await createHosts();
  });
  afterAll(() => hosts?.close());
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
    manager = join(home.folder, 'ossec');
    await createAgentFolders(manager);
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) await agent.end();
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await home.remove();
  });

  const configure = async (queue: string, settings = '', other = ''): Promise<void> => {
    const config = await readFile(home.config, 'utf8');
    const ours = `<manager_home>${manager}</manager_home><manager_queue>${queue}</manager_queue>
      <scripts_folder>${join(manager, 'active-response/bin')}</scripts_folder>${settings}`;
    await writeFile(home.config, config.replace('</ar-exec>', `${ours}</ar-exec>${other}`));
  };
  const start = async (at: Home = home): Promise<Agent> => {
    const agent = await startAgent(at);
    agents.push(agent);
    return agent;
  };
  const startAs = async (queue: string, settings = '', other = ''): Promise<Agent> => {
    await configure(queue, settings, other);
    return start();
  };
  const kill = (agent: Agent) => agents.splice(agents.indexOf(agent), 1)[0]?.end('SIGKILL');
  const arConf = (text: string) => writeFile(join(manager, 'etc/shared/ar.conf'), text);
  const execq = () => join(manager, 'queue/alerts/execq');
  const com = (request: string) => askCom(join(manager, 'queue/sockets/com'), request);
  const send = (...messages: readonly string[]) => sendDatagrams(execq(), messages);
  const drop = (ip: string) => wazuh4Message('firewall-drop600', ip);
  const holds = (...targets: readonly string[]) =>
    expect.poll(() => kernelTargets(hosts), wait).toEqual([...targets].sort());
  const lines = (agent: Agent, msg: string) => agent.log.filter((line) => line.msg === msg);
  const dropped = (agent: Agent, of: string) =>
    expect.poll(() => lines(agent, of).length, wait).toBeGreaterThan(0);

  test('a script that hangs holds up nobody, and nothing is lost', async () => {
    const script = join(manager, 'active-response/bin/hang.sh');
    await writeFile(script, '#!/bin/sh\nexec sleep 20\n');
    await chmod(script, 0o755);
    await arConf('hang600 - hang.sh - 600\nfirewall-drop600 - firewall-drop - 600\n');
    const agent = await startAs(
      'wazuh4',
      '<script_time_limit>1m</script_time_limit><breaker><per_minute>0</per_minute></breaker>',
    );
    const address = (n: number) => `198.18.${n >> 8}.${n & 255}`;
    const targets = Array.from({ length: many }, (_, n) => address(n));
    const messages = targets.map((ip, n) =>
      n % 250 === 0
        ? wazuh4Message('hang600', ip)
        : wazuh4Message('firewall-drop600', ip, { full_log: 'x'.repeat(1_500) }),
    );
    const began = performance.now();
    const sent = await send(...messages);
    await holds(...targets.filter((_, n) => n % 250 !== 0));
    // The scripts still hang.
    expect(performance.now() - began).toBeLessThan(18_000);
    expect(sent.longestMs).toBeLessThan(longestMs);
    // It would wait for them.
    await kill(agent);
  });

  test('it understands OSSEC and Wazuh 4, with and without the end of C', async () => {
    await arConf('firewall-drop600 - firewall-drop.sh - 600\n');
    const agent = await startAs('ossec');
    await send(
      drop('203.0.113.1'),
      `${drop('203.0.113.2')}\0`,
      'firewall-drop600 - 203.0.113.3 1609869.80794 554 (web) any->/var/log/auth.log - -',
      'firewall-drop600 - 203.0.113.4 1609869.80794 554 (web) any->/var/log/auth.log -\0',
      `${drop('203.0.113.5')}\n`,
    );
    await holds('203.0.113.1', '203.0.113.2', '203.0.113.3', '203.0.113.4', '203.0.113.5');
    expect(await agent.ask({ command: 'status' })).toMatchObject({
      execd: { manager: 'ossec', sockets: [{ path: execq(), open: true }] },
    });
    expect(await readdir(join(manager, 'queue/sockets'))).toEqual([]);
  });

  test('it understands Wazuh 5, whose queue lies elsewhere', async () => {
    const agent = await startAs('wazuh5');
    const path = join(manager, 'queue/sockets/execq');
    await sendDatagrams(path, [
      wazuh5Message('block-ip', '203.0.113.5'),
      wazuh5Message('../bin/id', '203.0.113.6'),
      'firewall-drop600 - 203.0.113.7 1.1 5 here -',
    ]);
    await holds('203.0.113.5');
    await expect.poll(() => lines(agent, 'message refused').length, wait).toBe(2);
    expect(await com('restart')).toBe('err Unrecognized command');
    expect(await com('getconfig logging')).toBe('ok  {"logging":{"plain":"yes","json":"no"}}');
  });

  test('its sockets are for root and the group of the folder, and go when it stops', async () => {
    await chown(join(manager, 'queue/alerts'), 0, 65_534);
    await chown(join(manager, 'queue/sockets'), 0, 65_533);
    const agent = await startAs('wazuh4');
    const queue = await stat(execq());
    expect([queue.uid, queue.gid, (queue.mode & 0o7777).toString(8)]).toEqual([0, 65_534, '660']);
    const requests = await stat(join(manager, 'queue/sockets/com'));
    expect([requests.uid, requests.gid, (requests.mode & 0o7777).toString(8)]).toEqual([
      0,
      65_533,
      '660',
    ]);
    await send(drop('203.0.113.9'));
    await holds('203.0.113.9');
    await agent.end();
    expect(await readdir(join(manager, 'queue/alerts'))).toEqual([]);
    expect(await readdir(join(manager, 'queue/sockets'))).toEqual([]);
    // What is held stays, where upstream's takes it back.
    expect(await kernelTargets(hosts)).toEqual(['203.0.113.9']);
  });

  test('datagrams of up to 65535 bytes are taken, longer ones and empty ones are refused', async () => {
    const agent = await startAs('wazuh4');
    const long = (ip: string, bytes: number) => {
      const short = wazuh4Message('firewall-drop600', ip, { pad: '' });
      const pad = 'x'.repeat(bytes - short.length);
      return wazuh4Message('firewall-drop600', ip, { pad });
    };
    await send('', long('203.0.113.1', 65_535), long('203.0.113.2', 65_536));
    await send(long('203.0.113.3', 90_000), drop('203.0.113.4'));
    await holds('203.0.113.1', '203.0.113.4');
    await expect
      .poll(() => lines(agent, 'message refused').map(({ code }) => code), wait)
      .toEqual(['message-invalid', 'message-too-large', 'message-too-large']);
  });

  test('ar.conf counts as it is when a message comes', async () => {
    const agent = await startAs('wazuh4');
    await send(wazuh4Message('one600', '203.0.113.1'));
    await dropped(agent, 'refused');
    await arConf('one600 - firewall-drop - 600\n');
    await send(wazuh4Message('one600', '203.0.113.2'), wazuh4Message('two600', '203.0.113.3'));
    await holds('203.0.113.2');
    await dropped(agent, 'message refused');
    await arConf('one600 - ip-customblock - 1200\ntwo600 - firewall-drop - 600\n');
    await send(wazuh4Message('one600', '203.0.113.4'), wazuh4Message('two600', '203.0.113.5'));
    await holds('203.0.113.2', '203.0.113.5');
    await expect.poll(() => readdir(join(home.folder, 'ipblock')), wait).toEqual(['203.0.113.4']);
  });

  test('a hundred names are no more trouble than one', async () => {
    const names = Array.from({ length: 100 }, (_, n) => `rule${n}-${n + 60}`);
    await arConf(names.map((name, n) => `${name} - firewall-drop - ${n + 60}\n`).join(''));
    await startAs('wazuh4');
    await send(...names.map((name, n) => wazuh4Message(name, `203.0.113.${n + 1}`)));
    await holds(...names.map((_, n) => `203.0.113.${n + 1}`));
  });

  test('what this machine does not have is told once and passed over', async () => {
    await arConf('netsh60 - netsh.exe - 60\nfirewall-drop600 - firewall-drop - 600\n');
    const agent = await startAs('wazuh4');
    await send(
      ...Array.from({ length: 5 }, () => wazuh4Message('netsh60', '203.0.113.1')),
      wazuh4Message('!nothing.sh', '203.0.113.2'),
      wazuh4Message('!../../bin/id', '203.0.113.3'),
      drop('203.0.113.4'),
    );
    await holds('203.0.113.4');
    await dropped(agent, 'refused');
    expect(lines(agent, 'not on this machine, so it is not run here')).toHaveLength(1);
    expect(lines(agent, 'refused')).toMatchObject([{ response: 'nothing.sh' }]);
    expect(lines(agent, 'message refused')).toMatchObject([{ code: 'message-invalid' }]);
  });

  test('a custom command runs the file that it names', async () => {
    const script = join(manager, 'active-response/bin/own.sh');
    await writeFile(script, `#!/bin/sh\nread line\nprintf %s "$line" > ${home.folder}/line\n`);
    await chmod(script, 0o755);
    await startAs('wazuh4');
    await send(wazuh4Message('!own.sh', '203.0.113.1'));
    const line = () => readFile(join(home.folder, 'line'), 'utf8').then(JSON.parse, () => ({}));
    await expect.poll(line, wait).toMatchObject({
      command: 'add',
      origin: { module: 'wazuh-execd' },
      parameters: { program: 'active-response/bin/own.sh' },
    });
  });

  test('the request socket answers, and restarts the agent unless that is locked', async () => {
    const control = join(manager, 'bin/wazuh-control');
    await mkdir(join(manager, 'bin'), { mode: 0o755 });
    await writeFile(control, `#!/bin/sh\necho "$1" >> ${home.folder}/restarts\n`);
    await chmod(control, 0o755);
    const agent = await startAs('wazuh4');
    const restarts = () => readFile(join(home.folder, 'restarts'), 'utf8').catch(() => '');
    expect(await com('getconfig active-response')).toBe(
      'ok  {"active-response":{"disabled":"no"}}',
    );
    expect(await com('lock_restart -1')).toBe('ok ');
    expect(await com('restart')).toBe('ok ');
    await send('restart-wazuh', '{"command":"restart-wazuh"}');
    const locked = 'not restarted: restarting is locked';
    await expect.poll(() => lines(agent, locked).length, wait).toBe(3);
    expect(await restarts()).toBe('');
    expect(await com('lock_restart 0')).toBe('ok ');
    expect(await com('restart')).toBe('ok ');
    await expect.poll(restarts, wait).toBe('restart\n');
  });

  test('where active responses are turned off there is no queue, and the other socket says so', async () => {
    const off = '<active-response><disabled>yes</disabled></active-response>';
    const agent = await startAs('wazuh4', '', `<ossec_config>${off}</ossec_config>`);
    expect(await readdir(join(manager, 'queue/alerts'))).toEqual([]);
    expect(await com('getconfig active-response')).toContain('"disabled":"yes"');
    expect(lines(agent, 'active responses are turned off: no queue is opened')).toHaveLength(1);
  });

  test('after a crash the queue is made anew, and what was held is held', async () => {
    const first = await startAs('wazuh4');
    await send(drop('203.0.113.1'));
    await dropped(first, 'active');
    await kill(first);
    expect(await readdir(join(manager, 'queue/alerts'))).toEqual(['execq']);
    await start();
    await send(drop('203.0.113.2'));
    await holds('203.0.113.1', '203.0.113.2');
  });

  test('a queue that somebody reads from is not taken away; when that one ends, it is', async () => {
    const first = await startAs('wazuh4');
    const other = await createHome(hosts.endpoint);
    await writeFile(other.config, await readFile(home.config, 'utf8'));
    const second = await start(other);
    expect(lines(second, noWay)).toHaveLength(2);
    expect(await second.ask({ command: 'status' })).toMatchObject({
      healthy: false,
      execd: {
        sockets: [{ open: false, trouble: expect.stringContaining('another program') }, {}],
      },
    });
    await send(drop('203.0.113.1'));
    await dropped(first, 'active');
    await first.end();
    await dropped(second, 'in place of execd');
    await send(drop('203.0.113.2'));
    await dropped(second, 'active');
    await other.remove();
  });

  test("a manager's agent that began before it is told of: it will not find the queue", async () => {
    await mkdir(join(manager, 'var/run'), { recursive: true });
    await writeFile(join(manager, `var/run/wazuh-agentd-${process.pid}.pid`), `${process.pid}\n`);
    const agent = await startAs('wazuh4');
    expect(await agent.ask({ command: 'status' })).toMatchObject({
      healthy: false,
      execd: { sockets: [{ open: true, trouble: expect.stringContaining('began before') }, {}] },
    });
    expect(lines(agent, noWay)).toHaveLength(1);
  });

  test('a file that is no socket is left alone', async () => {
    await writeFile(execq(), 'mine');
    const agent = await startAs('wazuh4');
    expect(lines(agent, noWay)).toMatchObject([
      { code: 'socket-unusable', message: expect.stringContaining('something else lies there') },
    ]);
    expect(await readFile(execq(), 'utf8')).toBe('mine');
  });

  test('a queue that a service manager passes is read, what waits in it too, and stays', async () => {
    await configure('wazuh4');
    const passed = { ...home, before: passing(execq(), drop('203.0.113.1')) };
    const agent = await start(passed);
    await send(drop('203.0.113.2'));
    await holds('203.0.113.1', '203.0.113.2');
    expect(await agent.ask({ command: 'status' })).toMatchObject({
      execd: { sockets: [{ path: execq(), open: true, passed: true }, {}] },
    });
    await agent.end();
    expect(await readdir(join(manager, 'queue/alerts'))).toEqual(['execq']);
  });
});
