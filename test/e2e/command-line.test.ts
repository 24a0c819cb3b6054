import { readFile, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelTargets } from './kernel-holds.ts';

const srcip = '203.0.113.7';
const add = ['add', 'firewall-drop', '--srcip', srcip];
const deletion = { command: 'delete', response: 'firewall-drop' };
const remove = ['delete', 'firewall-drop', '--srcip', srcip];

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'ipset',
  'iptables-legacy-save',
)('the command line', () => {
  let hosts: Hosts;
  let home: Home;

  beforeAll(async () => {
    hosts = await createHosts();
    home = await createHome(hosts.endpoint);
  });
  afterAll(async () => {
    await home?.remove();
    await hosts?.close();
  });

  describe('with an agent', () => {
    let agent: Agent;

    beforeAll(async () => {
      agent = await startAgent(home);
    });
    afterEach(async () => {
      await agent.ask({ ...deletion, srcip });
      expect(await kernelTargets(hosts)).toEqual([]);
    });
    afterAll(async () => {
      expect(await agent?.end()).toBe(0);
    });

    test('adds, lists, shows and deletes, in words', async () => {
      const added = await home.run([...add, '--timeout', '10m', '--reason', 'a test']);
      expect(added).toMatchObject({ status: 0, stderr: '' });
      expect(added.stdout).toMatch(
        /^firewall-drop 203\.0\.113\.7 is in force by nftables, held until .* \((10m|9m 59s) left\)$/,
      );
      expect(await kernelTargets(hosts)).toEqual([srcip]);
      expect((await home.run([...add, '--reason', 'another'])).stdout).toMatch(
        /held until deleted; it was held already$/,
      );

      const [headings = '', row = '', ...more] = (await home.run(['list'])).stdout.split('\n');
      expect(headings.split(/ {2,}/)).toEqual([
        'WHAT',
        'WHOM',
        'STATE',
        'SINCE',
        'UNTIL',
        'LEFT',
        'WHY',
        'BY',
      ]);
      expect(row).toMatch(/^firewall-drop +203\.0\.113\.7 +active +\S+ \S+ +deleted /);
      expect(row.indexOf('active')).toBe(headings.indexOf('STATE'));
      expect(row).toContain(userInfo().username);
      expect(more).toEqual([]);

      const status = await home.run(['status']);
      expect(status.stdout).toContain(`process ${agent.pid}`);
      expect(status.stdout).toContain('all is as it should be');

      expect(await home.run(remove)).toMatchObject({
        status: 0,
        stdout: `firewall-drop ${srcip} is no longer in force`,
      });
      expect(await kernelTargets(hosts)).toEqual([]);
      expect((await home.run(['list'])).stdout).toBe('Nothing is held.');
      expect((await home.run(['list', '--history'])).stdout).toMatch(/reverted.*another/);
    });

    test('says the same as JSON', async () => {
      const added = await json(home, [...add, '--timeout', '1h', '--reason', 'a test']);
      expect(added).toMatchObject({ ok: true, state: 'active', target: srcip, driver: 'nftables' });
      expect(await json(home, ['list'])).toMatchObject({
        ok: true,
        held: 1,
        actions: [{ target: srcip, reason: 'a test', until: added['until'] }],
      });
      expect(await json(home, ['status'])).toMatchObject({ ok: true, healthy: true });
      expect(await json(home, remove)).toMatchObject({ ok: true, state: 'reverted' });
      expect(await json(home, remove)).toMatchObject({ ok: false, code: 'not-held' });
    });

    test.each([
      [2, 'address-invalid', ['add', 'firewall-drop', '--srcip', '127.1']],
      [2, 'address-missing', ['add', 'firewall-drop', '--srcip', '']],
      [2, 'timeout-invalid', [...add, '--timeout', 'soon']],
      [2, 'timeout-invalid', [...add, '--timeout', '0']],
      [2, 'response-unknown', ['add', 'launch', '--srcip', srcip]],
      [2, 'address-missing', ['add', 'firewall-drop']],
      [2, 'usage-invalid', ['add', '--srcip', srcip]],
      [2, 'usage-invalid', [...add, '--tiemout', '10m']],
      [2, 'usage-invalid', ['explode']],
      [2, 'usage-invalid', []],
      [2, 'usage-invalid', ['list', 'everything']],
      [2, 'usage-invalid', ['config', 'shred']],
      [4, 'target-protected', ['add', 'firewall-drop', '--srcip', '127.0.0.1']],
      [4, 'prefix-too-wide', ['add', 'firewall-drop', '--srcip', '198.0.0.0/8']],
      [5, 'not-held', remove],
    ] as const)('ends with %i for %s: %j', async (status, code, words) => {
      const [ended, asJson] = await Promise.all([home.run(words), home.run([...words, '--json'])]);
      expect(ended).toMatchObject({ status, stdout: '' });
      expect(ended.stderr).toContain(`[${code}]`);
      expect(ended.stderr.split('\n')).toHaveLength(2);

      expect(asJson).toMatchObject({ status, stderr: '' });
      expect(JSON.parse(asJson.stdout)).toMatchObject({ ok: false, code });
    });

    test('a dry run prints the steps, which a shell would take, and touches nothing', async () => {
      // What was held before is put away a second later: the plan is to begin with nothing.
      const rules = () => hosts.exec(['nft', 'list', 'ruleset']);
      await expect.poll(rules, { timeout: 30_000 }).not.toContain('table inet ar-exec');
      const before = await rules();
      const plan = await home.run([...add, '--timeout', '10m', '--dry-run']);
      expect(plan.status).toBe(0);
      expect(plan.stderr).toContain('nothing is done');
      expect(await hosts.exec(['nft', 'list', 'ruleset'])).toBe(before);
      expect(await json(home, ['list'])).toMatchObject({ held: 0 });

      await hosts.exec(['sh'], plan.stdout);
      expect(await kernelTargets(hosts)).toEqual([srcip]);
      await home.run(add);
    });

    test('reads the places from the environment', async () => {
      const env = {
        AR_EXEC_CONFIG: home.config,
        AR_EXEC_STATE: home.state,
        AR_EXEC_SOCKET: home.socket,
      };
      expect(await home.run(add, { env })).toMatchObject({ status: 0 });
      expect(await home.run(['list', '--json'], { env })).toMatchObject({ status: 0 });
      const elsewhere = { ...env, AR_EXEC_SOCKET: `${home.socket}.not` };
      expect(await home.run(remove, { env: elsewhere })).toMatchObject({ status: 3 });
      const flag = [...remove, '--socket', home.socket];
      expect(await home.run(flag, { env: elsewhere })).toMatchObject({ status: 0 });
    });

    test('a second agent is refused, and the first one goes on', async () => {
      expect(await home.run(['run'])).toMatchObject({
        status: 4,
        stderr: expect.stringContaining('[agent-running]'),
      });
      const env = {
        AR_EXEC_CONFIG: home.config,
        AR_EXEC_STATE: home.state,
        AR_EXEC_SOCKET: `${home.socket}.2`,
      };
      const onTheSameJournal = await home.run(['run'], { env });
      expect(onTheSameJournal).toMatchObject({ status: 7 });
      expect(onTheSameJournal.stderr).toContain('[journal-locked]');
      expect(await agent.ask({ command: 'status' })).toMatchObject({ healthy: true });
    });

    test('--direct is refused while an agent has the journal', async () => {
      expect(await home.run([...add, '--direct'])).toMatchObject({
        status: 7,
        stderr: expect.stringContaining('[journal-locked]'),
      });
      expect(await kernelTargets(hosts)).toEqual([]);
    });
  });

  describe('without an agent', () => {
    beforeEach(async () => {
      await home.remove();
      home = await createHome(hosts.endpoint);
    });

    test.each([add, remove, ['list'], ['status']])(
      '%j %j … says how to start it',
      async (...words) => {
        expect(await home.run(words)).toMatchObject({
          status: 3,
          stdout: '',
          stderr: expect.stringMatching(/\[agent-unreachable\]\n.*ar-exec run/),
        });
        expect(await json(home, words)).toMatchObject({ ok: false, code: 'agent-unreachable' });
      },
    );

    test('--direct does the work, and the agent that starts later takes it over', async () => {
      const added = await home.run([...add, '--timeout', '10m', '--direct']);
      expect(added).toMatchObject({ status: 0, stderr: expect.stringContaining('no agent') });
      expect(added.stdout).toContain('is in force by nftables');
      expect(await kernelTargets(hosts)).toEqual([srcip]);

      const agent = await startAgent(home);
      expect(await agent.ask({ command: 'list' })).toMatchObject({
        actions: [{ target: srcip, state: 'active' }],
      });
      expect(await home.run(remove)).toMatchObject({ status: 0 });
      expect(await kernelTargets(hosts)).toEqual([]);
      expect(await agent.end()).toBe(0);
    });

    test('--direct deletes too, leaves nothing, and says when nothing is held', async () => {
      await home.run([...add, '--direct']);
      expect(await home.run([...remove, '--direct'])).toMatchObject({ status: 0 });
      expect(await hosts.exec(['nft', 'list', 'ruleset'])).toBe('');
      expect(await home.run([...remove, '--direct'])).toMatchObject({ status: 5 });
    });

    test('a dry run plans with a journal that holds nothing, and leaves no trace', async () => {
      const plan = await home.run([...add, '--dry-run', '--json']);
      expect(plan.stderr).toContain('as if nothing were held');
      expect(JSON.parse(plan.stdout)).toMatchObject({ ok: true, dryRun: true, driver: 'nftables' });
      expect(await hosts.exec(['nft', 'list', 'ruleset'])).toBe('');
      expect(await hosts.exec(['ls', home.state])).toBe('');
    });

    test.each(['nftables', 'ipset', 'iptables', 'hosts-deny', 'route-null'])(
      'a dry run with %s touches nothing either',
      async (driver) => {
        const response = { 'hosts-deny': 'host-deny', 'route-null': 'route-null' }[driver];
        if (response === undefined) {
          const text = await readFile(home.config, 'utf8');
          const pin = `<driver response="firewall-drop">${driver}</driver></ar-exec>`;
          await writeFile(home.config, text.replace('</ar-exec>', pin));
        }
        const before = await machineState(hosts, home);
        const words = ['add', response ?? 'firewall-drop', '--srcip', srcip, '--dry-run'];
        expect(await home.run(words)).toMatchObject({
          status: 0,
          stdout: expect.stringContaining(srcip),
        });
        expect(await machineState(hosts, home)).toEqual(before);
      },
    );

    test('config check explains the configuration, and names what is wrong with it', async () => {
      const good = await home.run(['config', 'check']);
      expect(good).toMatchObject({ status: 0, stderr: '' });
      expect(good.stdout).toContain(home.config);
      expect(good.stdout).toContain(`host-deny edits ${home.hostsDeny}`);
      expect(await json(home, ['config', 'check'])).toMatchObject({ ok: true, warnings: [] });

      await writeFile(home.config, '<ar-exec>\n  <tpyo>1</tpyo>\n</ar-exec>');
      expect(await home.run(['config', 'check'])).toMatchObject({
        status: 0,
        stderr: expect.stringContaining('tpyo'),
      });

      await writeFile(home.config, '<ar-exec>\n  <on_stop>perhaps</on_stop>\n</ar-exec>');
      const bad = await home.run(['config', 'check']);
      expect(bad).toMatchObject({ status: 8, stdout: '' });
      expect(bad.stderr).toMatch(/ar-exec\.conf:2:\d+.*on_stop.*\[config-invalid\]/s);
      expect(await home.run(['run'])).toMatchObject({ status: 8 });

      const absent = ['config', 'check', '--config', `${home.config}.not`];
      expect(await home.run(absent, { env: {} })).toMatchObject({ status: 8 });
    });
  });

  test.each([
    [
      ['--help'],
      ['run', 'add', 'delete', 'list', 'status', 'config', 'AR_EXEC_SOCKET', '3 unreachable'],
    ],
    [
      ['add', '--help'],
      ['--srcip', '--timeout', '10m', '--dry-run', '--direct', 'Examples'],
    ],
    [
      ['delete', '--help'],
      ['--forget', 'Examples'],
    ],
    [
      ['list', '--help'],
      ['--history', 'Examples'],
    ],
    [
      ['run', '--help'],
      ['--state', 'Examples'],
    ],
    [
      ['config', '--help'],
      ['check', 'Examples'],
    ],
  ])('%j tells what can be said', async (words, told) => {
    const help = await home.run(words, { env: {} });
    expect(help).toMatchObject({ status: 0, stderr: '' });
    for (const text of told) expect(help.stdout).toContain(text);
    for (const line of help.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

async function json(home: Home, words: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout, stderr } = await home.run([...words, '--json']);
  expect(stderr).toBe('');
  expect(stdout.split('\n')).toHaveLength(1);
  return JSON.parse(stdout);
}

/** Everything that a driver could change. */
async function machineState({ exec }: Hosts, home: Home): Promise<string[]> {
  return Promise.all([
    exec(['nft', 'list', 'ruleset']),
    exec(['ipset', 'list', '-n']),
    exec(['iptables-legacy-save']),
    exec(['ip', 'route', 'show', 'table', 'all']),
    exec(['ls', '-R', home.folder]),
  ]);
}
