/** The executable under the names of responses, started as a manager's agent starts it. */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { createManagerHome, type ManagerHome, startExecutable } from './execd.ts';
import { kernelTargets } from './kernel-holds.ts';

const ip = '203.0.113.7';
const four = (command: string, srcip = ip): string =>
  `${JSON.stringify({
    version: 1,
    origin: { name: 'node01', module: 'wazuh-execd' },
    command,
    parameters: { extra_args: [], alert: { rule: { id: '5715' }, data: { srcip } } },
  })}\n`;
const five = (command: string, seconds: number, srcip = ip): string =>
  `${JSON.stringify({
    wazuh: { active_response: { type: 'stateful', stateful_timeout: seconds } },
    source: { ip: srcip },
    command,
  })}\n`;

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('started as a manager starts it', () => {
  let hosts: Hosts;
  let home: Home;
  let manager: ManagerHome;
  let agent: Agent | undefined;

  beforeAll(async () => {
    hosts = await createHosts();
  });
  afterAll(() => hosts?.close());
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
    manager = await createManagerHome(home.folder, ['firewall-drop', 'block-ip', 'host-deny.sh'], {
      AR_EXEC_SOCKET: home.socket,
      AR_EXEC_CONFIG: home.config,
      AR_EXEC_STATE: home.state,
    });
  });
  afterEach(async () => {
    await agent?.end('SIGKILL');
    agent = undefined;
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await home.remove();
  });

  const log = () => readFile(home.managerLog, 'utf8').catch(() => '');
  const last = async () => (await log()).trimEnd().split(': ').at(-1);

  /** The whole conversation, as execd has it when all goes well. */
  async function converse(name: string, first: string, answer: string) {
    const executable = startExecutable(manager, name);
    executable.send(first);
    expect(await executable.keys()).toContain('check_keys');
    executable.send(answer);
    executable.endInput();
    return executable.ended;
  }

  async function tell(name: string, line: string) {
    const executable = startExecutable(manager, name);
    executable.send(line);
    executable.endInput();
    return executable.ended;
  }

  test('it blocks when it is told to continue, and takes back when it is told to', async () => {
    agent = await startAgent(home);
    expect(await converse('firewall-drop', four('add'), four('continue'))).toMatchObject({
      status: 0,
    });
    expect(await kernelTargets(hosts)).toEqual([ip]);
    expect(await tell('firewall-drop', four('delete'))).toEqual({ status: 0, stdout: '' });
    expect(await kernelTargets(hosts)).toEqual([]);
    // Nothing of it is written twice: not by the agent too.
    expect(await agent.end()).toBe(0);
    const lines = (await log()).split('\n').map((line) => line.split(' ').slice(2).join(' '));
    const program = 'active-response/bin/firewall-drop:';
    expect(lines.filter((line) => line === `${program} Starting`)).toHaveLength(2);
    expect(lines.filter((line) => line === `${program} Ended`)).toHaveLength(2);
    expect(lines.filter((line) => line.startsWith(`${program} {`))).toHaveLength(4);
  });

  test('it does nothing when it is told to abort, but moves the end of what is held', async () => {
    agent = await startAgent(home);
    expect((await converse('block-ip', five('enable', 60), five('abort', 60))).status).toBe(0);
    expect(await kernelTargets(hosts)).toEqual([]);
    expect(await last()).toBe('Aborted');

    const running = agent;
    const until = async () => {
      const { actions } = (await running.ask({ command: 'list' })) as unknown as {
        actions: readonly { until: string }[];
      };
      return Date.parse(actions[0]?.until ?? '');
    };
    await converse('block-ip', five('enable', 60), five('continue', 60));
    const before = await until();
    await converse('block-ip', five('enable', 600), five('abort', 600));
    expect((await until()) - before).toBeGreaterThan(500_000);
  });

  test('it says why a block is refused', async () => {
    agent = await startAgent(home);
    const { status } = await converse('firewall-drop', four('add', '127.1'), four('continue'));
    expect({ status, last: await last() }).toEqual({
      status: 255,
      last: '"127.1" is not an address',
    });
    const loopback = four('add', '127.0.0.1');
    expect((await converse('firewall-drop', loopback, four('continue'))).status).toBe(255);
    expect(await last()).toMatch(/^it is never blocked$/);
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test.each([
    ['no answer comes in time', (_: ReturnType<typeof startExecutable>) => {}],
    [
      'its execd is killed',
      (one: ReturnType<typeof startExecutable>) => {
        one.endInput();
        one.closeOutput();
      },
    ],
  ])('it does nothing when %s', async (_what, happen) => {
    agent = await startAgent(home);
    const patient = { ...manager, env: { ...manager.env, AR_EXEC_CALL_SECONDS: '0.5' } };
    const executable = startExecutable(patient, 'firewall-drop');
    executable.send(four('add'));
    await executable.keys();
    happen(executable);
    expect((await executable.ended).status).toBe(255);
    expect(await last()).toBe('Cannot read input from stdin');
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test('it does its work though nobody reads its output any more', async () => {
    agent = await startAgent(home);
    const executable = startExecutable(manager, 'firewall-drop');
    executable.closeOutput();
    executable.send(four('add') + four('continue'));
    executable.endInput();
    expect((await executable.ended).status).toBe(0);
    expect(await kernelTargets(hosts)).toEqual([ip]);
  });

  test('it is told by a pipe, by a file, and under a name of its own as a copy', async () => {
    agent = await startAgent(home);
    const both = join(home.folder, 'both');
    await writeFile(both, four('add') + four('continue'));
    const run = async (script: string, program: string) => {
      const options = { cwd: home.folder, env: manager.env, reject: false } as const;
      return (await execa('sh', ['-c', script, 'sh', both, program], options)).exitCode;
    };
    const program = 'active-response/bin/firewall-drop';
    expect(await run('cat "$1" | "$2"', program)).toBe(0);
    expect(await run('"$2" < "$1"', program)).toBe(0);

    const copy = join(home.folder, 'host-deny');
    await copyFile(resolve('build/out/ar-exec'), copy);
    expect(await run('cat "$1" | "$2"', copy)).toBe(0);
    expect(await readFile(home.hostsDeny, 'utf8')).toContain(ip);
    expect(await kernelTargets(hosts)).toEqual([ip]);
  });

  test('many at once leave no torn line', async () => {
    agent = await startAgent(home);
    const addresses = Array.from({ length: 12 }, (_, index) => `198.51.100.${index + 1}`);
    const ended = addresses.map((one) =>
      tell('firewall-drop', four('add', one) + four('continue', one)),
    );
    expect((await Promise.all(ended)).map(({ status }) => status)).toEqual(addresses.map(() => 0));
    expect(await kernelTargets(hosts)).toEqual([...addresses].sort());
    for (const line of (await log()).split('\n')) {
      expect(line).toMatch(
        /^$|^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d active-response\/bin\/firewall-drop: (Starting|Ended|\{.*\})$/,
      );
    }
  });

  test('without an agent it does the work itself, and the next agent takes it back', async () => {
    // In the namespace, where an agent would have done it.
    const direct = async (line: string) => {
      const words = ['netns', 'exec', hosts.endpoint, 'active-response/bin/block-ip'];
      const options = { cwd: home.folder, env: manager.env, input: line, reject: false } as const;
      return (await execa('ip', words, options)).exitCode;
    };
    const status = await direct(five('enable', 1) + five('continue', 1));
    expect({ status, last: await last() }).toEqual({ status: 0, last: 'Ended' });
    expect(await kernelTargets(hosts)).toEqual([ip]);

    agent = await startAgent(home);
    expect(await agent.ask({ command: 'list' })).toMatchObject({
      actions: [{ response: 'block-ip', target: ip, dialect: 'wazuh5' }],
    });
    await agent.logged('expired');
    expect(await kernelTargets(hosts)).toEqual([]);
  });

  test('without an agent too, a block that says no time ends after the longest that ar.conf has', async () => {
    const settings = (await readFile(home.config, 'utf8')).replace(
      '<ar-exec>',
      `<ar-exec><manager_home>${home.folder}</manager_home>`,
    );
    await writeFile(home.config, settings);
    const shared = join(home.folder, 'etc', 'shared');
    await mkdir(shared, { recursive: true });
    const names = 'firewall-drop600 - firewall-drop - 600\nfirewall-drop5 - firewall-drop - 5\n';
    await writeFile(join(shared, 'ar.conf'), names);
    const words = ['netns', 'exec', hosts.endpoint, 'active-response/bin/firewall-drop'];
    const input = four('add') + four('continue');
    const { exitCode } = await execa('ip', words, { cwd: home.folder, env: manager.env, input });
    expect(exitCode).toBe(0);
    agent = await startAgent(home);
    const { actions } = (await agent.ask({ command: 'list' })) as unknown as {
      actions: readonly { since: string; until: string }[];
    };
    const [{ since = '', until = '' } = {}] = actions;
    // And a minute, for the manager's own execd to take it back before.
    expect(Date.parse(until) - Date.parse(since)).toBeGreaterThanOrEqual(659_000);
    expect(Date.parse(until) - Date.parse(since)).toBeLessThan(662_000);
  });

  test('it waits for whoever has the journal, and then does the work', async () => {
    agent = await startAgent(home);
    const env = { ...manager.env, AR_EXEC_SOCKET: join(home.folder, 'not-yet.sock') };
    const words = ['netns', 'exec', hosts.endpoint, 'active-response/bin/firewall-drop'];
    const input = four('add') + four('continue');
    const called = execa('ip', words, { cwd: home.folder, env, input, reject: false });
    await agent.end();
    expect((await called).exitCode).toBe(0);
    expect(await kernelTargets(hosts)).toEqual([ip]);
  });

  test('an agent that does not answer is no reason to do it without it', async () => {
    const mute = createServer((socket) => socket.resume());
    await new Promise<void>((listening) => mute.listen(home.socket, listening));
    const patient = { ...manager, env: { ...manager.env, AR_EXEC_CALL_SECONDS: '0.5' } };
    const executable = startExecutable(patient, 'firewall-drop');
    executable.send(four('add') + four('continue'));
    expect((await executable.ended).status).toBe(255);
    expect(await log()).toContain('gave no answer (no reply within 500 ms)');
    expect(await kernelTargets(hosts)).toEqual([]);
    await new Promise((closed) => mute.close(closed));
  });

  test("OSSEC's words block and take back, with its own log line", async () => {
    agent = await startAgent(home);
    const words = ['-', ip, '1304756247.60385', '31151', '(web)', 'any->/var/log/auth.log', '-'];
    for (const verb of ['add', 'delete']) {
      const { status } = await startExecutable(manager, 'host-deny.sh', [verb, ...words]).ended;
      expect(status).toBe(0);
      const denied = await readFile(home.hostsDeny, 'utf8').catch(() => '');
      expect(denied.includes(ip)).toBe(verb === 'add');
      expect(await log()).toMatch(
        new RegExp(
          `^\\w{3} \\w{3} [ \\d]\\d [\\d:]{8} \\S+ \\d{4} \\S+ ${verb} - ${ip} 1304756247.60385 31151$`,
          'm',
        ),
      );
    }
    await rm(home.managerLog);
    expect((await startExecutable(manager, 'host-deny.sh', ['add', '-', '-']).ended).status).toBe(
      1,
    );
    expect(await log()).toContain("Unable to run active response (invalid IP: '-').");
  });

  test('it writes where the folder it lies in has its logs, if nothing else is configured', async () => {
    const elsewhere = join(home.folder, 'ossec');
    const env = { AR_EXEC_SOCKET: home.socket, AR_EXEC_CONFIG: join(home.folder, 'none') };
    await mkdir(elsewhere);
    const other = await createManagerHome(elsewhere, ['firewall-drop'], env);
    const executable = startExecutable(other, 'firewall-drop');
    executable.endInput();
    expect((await executable.ended).status).toBe(255);
    const file = join(elsewhere, 'logs', 'active-responses.log');
    expect(await readFile(file, 'utf8')).toContain('Cannot read input from stdin');
  });
});
