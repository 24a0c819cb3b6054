/** The configuration is another one while the agent runs, holds things, and has work to do. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelTargets } from './kernel-holds.ts';

const first = '203.0.113.7';
const wait = { timeout: 30_000, interval: 20 };
const block = (srcip: string, more = {}) => ({
  command: 'add',
  response: 'firewall-drop',
  srcip,
  timeoutSeconds: 600,
  ...more,
});
const asked = (command: string, srcip: string) => ({
  version: 1,
  origin: { name: 'node01', module: 'wazuh-analysisd' },
  command,
  parameters: { extra_args: [], alert: { rule: { id: '1', level: 5 }, data: { srcip } } },
});

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'ipset',
)('a configuration that is read anew', () => {
  let hosts: Hosts;
  let home: Home;
  let base: string;
  let scripts: string;
  let agent: Agent;

  beforeAll(async () => {
    hosts = await createHosts();
  });
  afterAll(() => hosts?.close());
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
    base = (await readFile(home.config, 'utf8')).replace('</ar-exec>', '');
    scripts = join(home.folder, 'responses');
    await mkdir(scripts, { mode: 0o755 });
    await mkdir(join(home.folder, 'manager/etc'), { recursive: true });
    await configure('<driver response="firewall-drop">nftables</driver>');
    agent = await startAgent(home);
  });
  afterEach(async () => {
    await agent?.end();
    await home.remove();
    await hosts.exec(['nft', 'flush', 'ruleset']);
  });

  const configure = (settings: string, rest = '') =>
    writeFile(
      home.config,
      `${base}<scripts_folder>${scripts}</scripts_folder>
      <manager_home>${home.folder}/manager</manager_home>${settings}</ar-exec>${rest}`,
    );
  const script = async (name: string, text: string): Promise<void> => {
    await writeFile(join(scripts, name), `#!/bin/sh\n${text}\n`);
    await chmod(join(scripts, name), 0o755);
  };
  const reload = () => home.run(['config', 'reload']);
  const lines = (event: string) => agent.log.filter(({ msg }) => msg === event);

  test('goes by the new one from then on, and leaves what stands as it is', async () => {
    expect(await agent.ask(block(first))).toMatchObject({ ok: true, driver: 'nftables' });
    expect(await agent.ask(block('203.0.113.50'))).toMatchObject({ ok: true });
    expect(await agent.ask({ ...block(first), response: 'tell' })).toMatchObject({
      ok: false,
      code: 'response-unknown',
    });

    await script('say.sh', 'read -r line; echo "$line" > "$(dirname "$0")/../said"');
    await configure(
      `<driver response="firewall-drop">ipset</driver>
      <never_block>203.0.113.50</never_block> <script name="tell" file="say.sh"/>
      <limits><connections>9</connections></limits>`,
      '<command><name>web-block</name><executable>firewall-drop</executable><timeout_allowed>yes</timeout_allowed></command>',
    );
    expect(await reload()).toEqual({
      status: 0,
      stdout: `The agent goes by ${home.config} now.\nThese count from its next start only: limits/connections.`,
      stderr: '',
    });

    // What is held stays, with the driver that made it; and may go, though it is protected now.
    expect(await kernelTargets(hosts)).toEqual(['203.0.113.50', first]);
    const held = async () => (await agent.ask({ command: 'list' }))['actions'];
    expect(await held()).toMatchObject([{ driver: 'nftables' }, { driver: 'nftables' }]);
    expect(await agent.ask(block('203.0.113.50'))).toMatchObject({ code: 'target-protected' });
    expect(
      await agent.ask({ command: 'delete', response: 'firewall-drop', srcip: '203.0.113.50' }),
    ).toMatchObject({ ok: true, state: 'reverted' });
    expect(await agent.ask(block('203.0.113.8'))).toMatchObject({ ok: true, driver: 'ipset' });

    // Names of the manager's, and scripts.
    expect(await agent.ask(asked('web-block300', '203.0.113.9'))).toMatchObject({
      ok: true,
      response: 'firewall-drop',
    });
    expect(await agent.ask({ command: 'add', response: 'tell', srcip: first })).toMatchObject({
      ok: true,
    });
    expect(await readFile(join(home.folder, 'said'), 'utf8')).toContain(first);

    // All of it is taken back by what made it.
    for (const srcip of [first, '203.0.113.8', '203.0.113.9']) {
      await agent.ask({ command: 'delete', response: 'firewall-drop', srcip });
    }
    expect(await kernelTargets(hosts)).toEqual([]);
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 0 });
  });

  test('loses nothing of what is in work', async () => {
    const folder = home.folder;
    await script(
      'slow.sh',
      `: > ${folder}/begun; read -r _ < ${folder}/go; echo done > ${folder}/done`,
    );
    await hosts.exec(['mkfifo', `${folder}/go`]);
    const slow = agent.ask({ command: 'add', response: 'slow.sh', srcip: first });
    await vi.waitFor(() => readFile(`${folder}/begun`), wait);

    const peer = await agent.connect();
    const targets = Array.from({ length: 400 }, (_, at) => `198.51.${100 + (at >> 8)}.${at & 255}`);
    const sendSome = (from: number, to: number) => {
      for (const srcip of targets.slice(from, to)) peer.send(block(srcip));
    };
    sendSome(0, 150);
    await configure('<driver response="firewall-drop">ipset</driver>');
    const reloading = agent.ask({ command: 'reload' });
    sendSome(150, 300);
    expect(await reloading).toMatchObject({ ok: true, file: home.config, warnings: [] });
    sendSome(300, 400);
    // Once more, with all the work of the first time behind it perhaps, and perhaps not.
    await configure('<never_block>203.0.113.50</never_block>');
    expect(await agent.ask({ command: 'reload' })).toMatchObject({ ok: true });

    const drivers: unknown[] = [];
    for (const srcip of targets) {
      const reply = await peer.next();
      expect(reply).toMatchObject({ ok: true, state: 'active', target: srcip });
      drivers.push(reply['driver']);
    }
    peer.close();
    expect(drivers[0]).toBe('nftables');
    expect(drivers).toContain('ipset');
    const listed = await agent.ask({ command: 'list' });
    // The script is at work still.
    expect(listed['held']).toBe(targets.length + 1);
    await writeFile(`${folder}/go`, '\n');
    expect(await slow).toMatchObject({ ok: true, response: 'slow.sh' });
    expect(await readFile(`${folder}/done`, 'utf8')).toBe('done\n');

    // Each is where its driver says.
    const actions = listed['actions'] as { target: string; driver: string }[];
    const byNft = actions.filter(({ driver }) => driver === 'nftables').map(({ target }) => target);
    expect(await kernelTargets(hosts)).toEqual(byNft.sort());
    const ipset = await hosts.exec(['ipset', 'save']);
    for (const { target, driver } of actions) {
      if (driver === 'ipset') expect(ipset).toContain(` ${target} `);
    }
  });

  test('takes back what a script did that it no longer declares', async () => {
    await script('mark.sh', `read -r line; echo "$line" >> ${home.folder}/marks`);
    const { folder } = home;
    const marks = () => readFile(`${folder}/marks`, 'utf8').catch(() => '');
    await configure('<script name="mark" file="mark.sh" stateful="yes"/>');
    expect(await reload()).toMatchObject({ status: 0 });
    const mark = { response: 'mark', srcip: first };
    expect(await agent.ask({ command: 'add', ...mark })).toMatchObject({ state: 'active' });
    await configure('');
    expect(await reload()).toMatchObject({ status: 0 });
    expect(await agent.ask({ command: 'delete', ...mark })).toMatchObject({ state: 'reverted' });
    expect(
      (await marks())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).command),
    ).toEqual(['add', 'delete']);
  });

  test('stays as it was where the new one is broken', async () => {
    await configure('<never_block>203.0.113.50</never_block>');
    expect(await reload()).toMatchObject({ status: 0, stderr: '' });
    await configure('\n<never_block>everything</never_block>');
    const ended = await reload();
    expect(ended).toMatchObject({ status: 8, stdout: '' });
    expect(ended.stderr).toMatch(
      /^ar-exec: .*ar-exec\.conf:9:1: <never_block> holds "everything", .* \[config-invalid\]\n {2}Write/,
    );
    expect(await agent.ask({ command: 'reload' })).toMatchObject({ code: 'config-invalid' });
    expect(await agent.ask(block('203.0.113.50'))).toMatchObject({ code: 'target-protected' });

    process.kill(agent.pid, 'SIGHUP');
    expect(await agent.logged('the configuration stays as it was')).toMatchObject({
      code: 'config-invalid',
      message: expect.stringContaining(':9:1: <never_block> holds "everything"'),
    });
    expect(await agent.ask(block('203.0.113.50'))).toMatchObject({ code: 'target-protected' });
  });

  test('comes with SIGHUP too, and the file of the manager with it', async () => {
    expect(await agent.ask(block(first))).toMatchObject({ ok: true });
    const file = join(home.folder, 'manager/etc/ossec.conf');
    await writeFile(
      file,
      `<ossec_config>
        <global><white_list>203.0.113.60</white_list></global>
        <command><name>cut</name><executable>firewall-drop</executable><timeout_allowed>yes</timeout_allowed></command>
        <active-response><command>cut-off</command><location>local</location><level>7</level></active-response>
      </ossec_config>`,
    );
    process.kill(agent.pid, 'SIGHUP');
    expect(await agent.logged('configuration read anew')).toMatchObject({ config: home.config });
    expect(lines('configuration').map(({ warning }) => warning)).toEqual([
      `${file}:4:26: this active response is not taken: no <command> has the name "cut-off".`,
    ]);
    expect(await agent.ask(block('203.0.113.60'))).toMatchObject({ code: 'target-protected' });
    expect(await agent.ask(asked('cut60', '203.0.113.9'))).toMatchObject({
      ok: true,
      response: 'firewall-drop',
    });

    // A manager's file that is broken takes nothing with it but itself, and says so.
    await writeFile(file, '<ossec_config>\n<active-response>\n<active-response>\n</ossec_config>');
    const ended = await reload();
    expect(ended).toMatchObject({ status: 0 });
    expect(ended.stderr).toContain(
      `the manager's configuration is not taken: ${file}:3:1: <active-response> is opened again here`,
    );
    expect(await kernelTargets(hosts)).toEqual([first, '203.0.113.9'].sort());
  });

  test('can be asked of an agent only', async () => {
    await agent.end();
    expect(await reload()).toMatchObject({ status: 3, stdout: '' });
  });
});
