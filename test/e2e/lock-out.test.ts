/** Nobody can cut the machine off: neither by forged alerts, nor by any of the ways to ask. */
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHosts, endpoint4, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { createAgentFolders, sendDatagrams, wazuh4Message, wazuh5Message } from './agentd.ts';
import { createManagerHome, startExecutable } from './execd.ts';
import { kernelTargets } from './kernel-holds.ts';

const gateway = '10.77.0.2';
const nameServer = fileURLToPath(new URL('../network/name-server.ts', import.meta.url));
const wait = { timeout: 30_000, interval: 20 };
/** Names are looked up anew once in that time. */
const aMinute = { timeout: 80_000, interval: 100 };
const command = '<command><name>drop</name><executable>firewall-drop</executable></command>';
const trigger = `<ossec_config>${command.replace('</command>', '<timeout_allowed>yes</timeout_allowed></command>')}
  <active-response><command>drop</command><location>local</location><level>3</level><timeout>600</timeout></active-response>
</ossec_config>`;
const alert = (srcip: string, id: string) => ({
  id,
  rule: { level: 10, id: '5763', description: 'test' },
  agent: { id: '001', name: 'web-01' },
  data: { srcip },
});

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'python3',
)('lock-out', () => {
  let hosts: Hosts;
  let home: Home;
  let manager: string;
  let agent: Agent | undefined;

  beforeAll(async () => {
    hosts = await createHosts();
  });
  afterAll(() => hosts?.close());
  beforeEach(async () => {
    await hosts.exec(['ip', 'route', 'replace', 'default', 'via', gateway]);
    home = await createHome(hosts.endpoint);
    manager = join(home.folder, 'ossec');
    await createAgentFolders(manager);
  });
  afterEach(async () => {
    await agent?.end();
    agent = undefined;
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await home.remove();
  });

  const start = async (settings = ''): Promise<Agent> => {
    const config = await readFile(home.config, 'utf8');
    const ours = `<manager_home>${manager}</manager_home><manager_queue>wazuh4</manager_queue>
      <agent_id>001</agent_id><alerts_file>${alertsFile()}</alerts_file>
      <scripts_folder>${join(home.folder, 'responses')}</scripts_folder>${settings}`;
    await mkdir(join(home.folder, 'responses'), { recursive: true, mode: 0o755 });
    await writeFile(alertsFile(), '');
    await writeFile(home.config, `${config.replace('</ar-exec>', `${ours}</ar-exec>`)}${trigger}`);
    agent = await startAgent(home);
    return agent;
  };
  const alertsFile = () => join(home.folder, 'alerts.json');
  const results = async (): Promise<Record<string, unknown>[]> => {
    const file = join(home.folder, 'logs', 'ar-exec-results.json');
    const text = await readFile(file, 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line).ar_exec);
  };
  const held = () => kernelTargets(hosts);
  const add = (srcip: string, more = {}) => ({
    command: 'add',
    response: 'firewall-drop',
    srcip,
    ...more,
  });

  test('no way to ask leads to the gateway', async () => {
    const { ask } = await start();
    const protectedIs = { ok: false, code: 'target-protected' };
    await writeFile(join(home.folder, 'responses', 'own.sh'), '#!/bin/sh\ntouch ran\n', {
      mode: 0o755,
    });
    for (const message of [
      add(gateway),
      add('10.77.0.0/24'),
      JSON.parse(wazuh4Message('firewall-drop600', gateway)),
      JSON.parse(wazuh5Message('firewall-drop', gateway)),
      { command: 'call', program: 'bin/firewall-drop', words: ['add', '-', gateway, '1.2', '5'] },
      {
        command: 'call',
        program: 'bin/firewall-drop',
        message: JSON.parse(wazuh4Message('add', gateway)),
      },
      { ...add(gateway, { timeoutSeconds: 60 }), response: 'own.sh' },
      JSON.parse(wazuh4Message('own.sh600', gateway)),
    ]) {
      expect(await ask(message), JSON.stringify(message)).toMatchObject(protectedIs);
    }
    expect(await ask(alert(gateway, '1.1'))).toMatchObject({ responses: [protectedIs] });
    expect(await home.run(['add', 'firewall-drop', '--srcip', gateway])).toMatchObject({
      status: 4,
    });

    // Nobody answers these: they are refused before the last one is carried out.
    await sendDatagrams(join(manager, 'queue/alerts/execq'), [
      wazuh4Message('firewall-drop600', gateway),
      `firewall-drop600 - ${gateway} 1.2 5 /var/log/x -`,
      wazuh4Message('firewall-drop600', '198.51.100.1'),
    ]);
    await writeFile(
      alertsFile(),
      [alert(gateway, '1.2'), alert('198.51.100.2', '1.3')]
        .map((one) => `${JSON.stringify(one)}\n`)
        .join(''),
    );
    const executables = await createManagerHome(home.folder, ['firewall-drop'], {
      AR_EXEC_SOCKET: home.socket,
      AR_EXEC_CONFIG: home.config,
      AR_EXEC_STATE: home.state,
    });
    const executable = startExecutable(executables, 'firewall-drop');
    executable.send(`${wazuh4Message('add', gateway)}\n`);
    await executable.keys();
    executable.send(`${wazuh4Message('continue', gateway)}\n`);
    executable.endInput();
    await executable.ended;
    await expect.poll(held, wait).toEqual(['198.51.100.1', '198.51.100.2']);
    await expect
      .poll(async () => (await results()).filter(({ target }) => target === gateway).length, wait)
      .toBeGreaterThanOrEqual(13);
    for (const one of (await results()).filter(({ target }) => target === gateway)) {
      expect(one).toMatchObject({ result: 'refused', code: 'target-protected' });
    }
  });

  test('without an agent it is no other', async () => {
    const direct = await home.run(['add', 'firewall-drop', '--srcip', gateway, '--direct']);
    expect(direct).toMatchObject({ status: 4, stderr: expect.stringContaining('gateway') });
    expect(await held()).toEqual([]);
  });

  test('what becomes an own address or a gateway while it is blocked is let go', async () => {
    const running = await start();
    const inLine = ['10.77.0.9', '10.77.0.16/28', '10.77.0.50', '198.51.100.7'];
    for (const srcip of inLine) expect(await running.ask(add(srcip))).toMatchObject({ ok: true });
    // A person insists.
    expect(await running.ask(add(gateway, { forceProtected: true }))).toMatchObject({ ok: true });
    expect(await held()).toEqual([...inLine, gateway].sort());

    const changedAt = performance.now();
    await hosts.exec(['ip', 'route', 'replace', 'default', 'via', '10.77.0.9']);
    await hosts.exec(['ip', 'address', 'add', '10.77.0.20/32', 'dev', 'lo']);
    await expect.poll(held, wait).toEqual(['10.77.0.2', '10.77.0.50', '198.51.100.7']);
    // A look every second, and what the machine needs besides.
    expect(performance.now() - changedAt).toBeLessThan(15_000);
    await running.logged('released: it must never be blocked');
    await expect
      .poll(async () => {
        const released = (await results()).filter(({ result }) => result === 'released');
        return Object.fromEntries(released.map(({ target, reason }) => [target, reason]));
      }, wait)
      .toEqual({
        '10.77.0.16/28': '10.77.0.20 is an address of this machine',
        '10.77.0.9': '10.77.0.9 is the default gateway',
      });
    expect(await running.ask({ command: 'status' })).toMatchObject({ healthy: true });
    await hosts.exec(['ip', 'address', 'delete', '10.77.0.20/32', 'dev', 'lo']);
  });

  test('resolvers that change are let go, and managers by name are followed', async () => {
    const etc = join(home.folder, 'etc');
    await execa('cp', ['-a', '/etc', etc]);
    /** As resolvconf and others do it: a new file in the place of the old one. */
    const replace = async (name: string, text: string) => {
      await writeFile(join(etc, `${name}.new`), text);
      await rename(join(etc, `${name}.new`), join(etc, name));
    };
    const stops: (() => void)[] = [];
    const serveNames = async (number: number): Promise<void> => {
      const answer = join(home.folder, `answer-${number}`);
      await writeFile(answer, `198.51.100.${number}`);
      const words = [process.execPath, nameServer, `127.0.0.${50 + number}`, answer];
      const child = execa('ip', ['netns', 'exec', hosts.endpoint, ...words], { reject: false });
      stops.push(() => child.kill('SIGKILL'));
      await once(child.stdout, 'data');
    };
    try {
      await Promise.all([serveNames(1), serveNames(2)]);
      await replace('resolv.conf', 'nameserver 127.0.0.51\n');
      await replace('nsswitch.conf', 'hosts: files dns\n');
      await mkdir(join(home.folder, 'marks'));
      await mkdir(join(home.folder, 'responses'), { mode: 0o755 });
      const script = `#!/bin/sh\ncd ${home.folder}/marks && case $1 in
        add) : > "$3" ;;
        delete) rm "$3" ;;
      esac\n`;
      await writeFile(join(home.folder, 'responses', 'own.sh'), script, { mode: 0o755 });
      const ownEtc = `mount --bind ${etc} /etc && exec "$@"`;
      const before = [
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-c',
        ownEtc,
        'own-etc',
      ];
      home = { ...home, before };
      await writeFile(
        join(manager, 'etc/ossec.conf'),
        '<ossec_config><client><server><address>manager.example</address></server></client></ossec_config>',
      );
      const running = await start();
      const names = ['198.51.100.2', '198.51.100.3', '198.51.100.53', '198.51.100.54'];
      for (const srcip of names) expect(await running.ask(add(srcip))).toMatchObject({ ok: true });
      const own = { ...add('198.51.100.53', { timeoutSeconds: 600 }), response: 'own.sh' };
      expect(await running.ask(own)).toMatchObject({ ok: true });
      const marks = () => readdir(join(home.folder, 'marks'));
      expect(await marks()).toEqual(['198.51.100.53']);
      const isManager = {
        code: 'target-protected',
        message: expect.stringContaining('the manager'),
      };
      expect(await running.ask(add('198.51.100.1'))).toMatchObject(isManager);

      // Another network: other resolvers, which know the manager by another address.
      await replace('resolv.conf', 'nameserver 127.0.0.52\nnameserver 198.51.100.53\n');
      await expect.poll(held, wait).toEqual(['198.51.100.3', '198.51.100.54']);
      // A script is run to take back what it did about one.
      await expect.poll(marks, wait).toEqual([]);
      expect(await running.ask(add('198.51.100.53'))).toMatchObject({ code: 'target-protected' });
      expect(await running.ask(add('198.51.100.2'))).toMatchObject(isManager);
      expect(await running.ask(add('198.51.100.1'))).toMatchObject({ ok: true });

      // The same resolver has another answer, and no file of this machine tells.
      await writeFile(join(home.folder, 'answer-2'), '198.51.100.54');
      await expect.poll(held, aMinute).toEqual(['198.51.100.1', '198.51.100.3']);
      expect(await running.ask(add('198.51.100.54'))).toMatchObject(isManager);

      // And by a file that comes before all resolvers.
      await replace('hosts', '198.51.100.3 manager.example\n');
      await expect.poll(held, wait).toEqual(['198.51.100.1']);
      expect(await running.ask(add('198.51.100.3'))).toMatchObject(isManager);
      const reasons = async () =>
        (await results())
          .filter(({ result }) => result === 'released')
          .map(({ reason }) => reason)
          .sort();
      await expect
        .poll(reasons, wait)
        .toEqual([
          '198.51.100.2 is the manager',
          '198.51.100.3 is the manager',
          ...Array(2).fill('198.51.100.53 is a resolver of this machine'),
          '198.51.100.54 is the manager',
        ]);
      await running.end();
    } finally {
      for (const stop of stops) stop();
    }
  }, 180_000);

  test('what the configuration protects from now on is let go', async () => {
    const running = await start();
    await running.ask(add('198.51.100.7'));
    await running.ask(add('198.51.100.8'));
    const config = await readFile(home.config, 'utf8');
    const protects = '<never_block>198.51.100.7</never_block></ar-exec>';
    await writeFile(home.config, config.replace('</ar-exec>', protects));
    expect(await home.run(['config', 'reload'])).toMatchObject({ status: 0 });
    await expect.poll(held, wait).toEqual(['198.51.100.8']);
  });

  test('forged alerts open the breaker, and people can still block', async () => {
    const running = await start(
      '<breaker><per_minute>20</per_minute><held>1000</held><calm>10s</calm></breaker>',
    );
    const address = (n: number) => `198.51.100.${n}`;
    const replies = await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        running.ask(wazuh4Message('firewall-drop600', address(n + 1)).concat('\n')),
      ),
    );
    const refused = replies.filter(({ code }) => code === 'breaker-open');
    expect(replies.filter(({ ok }) => ok === true)).toHaveLength(20);
    expect(refused).toHaveLength(40);
    expect(await held()).toHaveLength(20);

    expect(await running.ask({ command: 'status' })).toMatchObject({
      healthy: false,
      breaker: { open: true, why: 'rate', refused: 40, perMinute: 20 },
    });
    await running.logged('the breaker opened');
    const { stdout } = await home.run(['status']);
    expect(stdout).toContain('breaker: OPEN');
    expect((await home.run(['doctor'])).stdout).toContain('Alerts ask for too much');
    await expect
      .poll(async () => (await results()).map(({ result }) => result), wait)
      .toContain('suspended');

    // Every way of alerts is shut …
    const first = replies.find(({ ok }) => ok === true)?.['target'];
    for (const message of [
      wazuh5Message('firewall-drop', '192.0.2.1'),
      JSON.stringify({
        command: 'call',
        program: 'x/firewall-drop',
        words: ['add', '-', '192.0.2.1'],
      }),
    ]) {
      expect(await running.ask(`${message}\n`)).toMatchObject({ code: 'breaker-open' });
    }
    expect(await running.ask(alert('192.0.2.1', '2.1'))).toMatchObject({
      responses: [{ code: 'breaker-open' }],
    });
    // … what is held is not touched, can be held for longer and be taken back …
    expect(
      await running.ask(`${wazuh4Message('firewall-drop900', String(first))}\n`),
    ).toMatchObject({ ok: true, refreshed: true });
    expect(await home.run(['delete', 'firewall-drop', '--srcip', String(first)])).toMatchObject({
      status: 0,
    });
    // … and people are let through.
    expect(await home.run(['add', 'firewall-drop', '--srcip', '192.0.2.7'])).toMatchObject({
      status: 0,
    });

    const closed = await home.run(['breaker', 'close']);
    expect(closed).toMatchObject({ status: 0, stdout: expect.stringContaining('closed') });
    expect(await running.ask(`${wazuh4Message('firewall-drop600', '192.0.2.1')}\n`)).toMatchObject({
      ok: true,
    });
    expect(await running.ask({ command: 'status' })).toMatchObject({ healthy: true });
    expect((await results()).map(({ result }) => result)).toContain('suspended');
  });

  test('the breaker opens when alerts hold too much, a restart does not close it, and room does', async () => {
    const settings = '<breaker><per_minute>0</per_minute><held>10</held></breaker>';
    const running = await start(settings);
    const drop = (n: number) => `${wazuh4Message('firewall-drop600', `198.51.100.${n}`)}\n`;
    // What people hold does not count.
    for (let n = 100; n < 120; n += 1) await running.ask(add(`198.51.100.${n}`));
    for (let n = 1; n <= 10; n += 1) expect(await running.ask(drop(n))).toMatchObject({ ok: true });
    expect(await running.ask(drop(11))).toMatchObject({ code: 'breaker-open' });
    await running.end();
    agent = await startAgent(home);
    expect(await agent.ask(drop(11))).toMatchObject({ code: 'breaker-open' });
    for (const n of [1, 2]) {
      await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: `198.51.100.${n}` });
    }
    await expect.poll(() => agent?.ask(drop(11)), wait).toMatchObject({ ok: true });
  });

  test('neither the machine itself nor its broadcast can be named in a roundabout way', async () => {
    const { ask } = await start();
    for (const srcip of [`::ffff:${endpoint4}`, '::ffff:0a4d:0001', '10.77.0.1/32', '::1/128']) {
      expect(await ask(add(srcip)), srcip).toMatchObject({ code: 'target-protected' });
    }
  });
});
