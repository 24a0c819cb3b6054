import { mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { bruteForceMessage } from './brute-force.ts';
import { openPeer } from './peer.ts';

const attacker = '203.0.113.7';
const inTime = { timeout: 20_000 };

const textOf = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
const resultsFile = (home: Home): string => join(home.folder, 'logs', 'ar-exec-results.json');
type Result = Readonly<Record<string, unknown>>;
/** Every line has to be whole. */
const resultsOf = async (home: Home): Promise<Result[]> =>
  (await textOf(resultsFile(home)))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line).ar_exec);
const timeless = (text: string): string =>
  text.replaceAll(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm, 'TS ');

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('the logs', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent | undefined;

  let folder: string;

  beforeAll(async () => {
    hosts = await createHosts();
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-full-'));
  });
  afterEach(async () => {
    await agent?.end('SIGKILL');
    agent = undefined;
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await home.remove();
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
    await hosts?.close();
  });

  const begin = async (settings = '', before: readonly string[] = []): Promise<Agent> => {
    home = await createHome(hosts.endpoint, settings, before);
    agent = await startAgent(home);
    return agent;
  };
  /** Resolves when there is a result like that. */
  const result = async (wanted: object): Promise<void> => {
    await expect
      .poll(() => resultsOf(home), inTime)
      .toContainEqual(expect.objectContaining(wanted));
  };

  describe('results', () => {
    test('tell what came of a request of a manager, and of its end', async () => {
      const { ask } = await begin('<never_block>198.51.100.0/24</never_block>');
      await ask(bruteForceMessage({ srcip: attacker, timeoutSeconds: 2 }));
      const facts = {
        response: 'firewall-drop',
        srcip: attacker,
        driver: 'nftables',
        dialect: 'wazuh4',
        rule_id: '5763',
        by: 'wazuh-analysisd on node01',
      };
      await result({ result: 'applied', verb: 'add', ...facts });
      await ask(bruteForceMessage({ srcip: attacker, timeoutSeconds: 2 }));
      await result({ result: 'refreshed', ...facts });
      await ask(bruteForceMessage({ srcip: '198.51.100.9' }));
      await result({ result: 'refused', code: 'target-protected', srcip: '198.51.100.9' });
      await result({ result: 'expired', verb: 'delete', ...facts });
      expect((await stat(resultsFile(home))).mode & 0o777).toBe(0o640);
    });

    test('tell what a person asks for, and what was put right', async () => {
      const { ask } = await begin('<reconcile_every>5s</reconcile_every>');
      await ask({ command: 'add', response: 'firewall-drop', srcip: attacker, reason: 'a test' });
      await result({ result: 'applied', dialect: 'native', cause: 'a test' });
      await hosts.exec(['nft', 'flush', 'ruleset']);
      await result({ result: 'repaired', driver: 'nftables', reapplied: 1 });
      await ask({ command: 'delete', response: 'firewall-drop', srcip: attacker });
      await result({ result: 'reverted', srcip: attacker });
      await ask({ command: 'delete', response: 'firewall-drop', srcip: attacker });
      await result({ result: 'failed', verb: 'delete', code: 'not-held' });
    });

    test('of commands that need no agent are there, too', async () => {
      home = await createHome(hosts.endpoint);
      const words = ['add', 'firewall-drop', '--srcip', attacker, '--direct'];
      expect(await home.run(words)).toMatchObject({ status: 0 });
      expect(await resultsOf(home)).toMatchObject([{ result: 'applied', srcip: attacker }]);
    });

    test('are not written where nobody wants them', async () => {
      const { ask, end } = await begin('<results_log>none</results_log>');
      await ask(bruteForceMessage({ srcip: attacker }));
      await end();
      expect(await textOf(home.managerLog)).toContain('"command":"add"');
      expect(await textOf(resultsFile(home))).toBe('');
    });
  });

  describe('active-responses.log', () => {
    test('has the lines of Wazuh 5 for its messages', async () => {
      const { ask } = await begin();
      const document = {
        wazuh: {
          active_response: {
            name: 'block-ip',
            executable: 'block-ip',
            type: 'stateful',
            stateful_timeout: 600,
          },
        },
        source: { ip: attacker },
      };
      const received = (command: string): string => JSON.stringify({ ...document, command });
      const program = 'TS active-response/bin/block-ip:';
      const method = `${program} [INFO] Method=nftables Action=`;
      await ask(document);
      await ask({ command: 'delete', response: 'block-ip', srcip: attacker });
      await expect
        .poll(async () => timeless(await textOf(home.managerLog)), inTime)
        .toBe(
          [
            `${program} Starting\n`,
            `${program} ${received('enable')}\n\n`,
            `${program} {"version":1,"origin":{"name":"block-ip","module":"active-response"},"command":"check_keys","parameters":{"keys":["${attacker}"]}}\n`,
            `${program} ${received('continue')}\n\n`,
            `${method}start Details=Attempting method: nftables (lock=no)\n`,
            `${method}success Details=IP ${attacker} successfully blocked\n`,
            `${program} Ended\n`,
            `${program} Starting\n`,
            `${program} ${received('disable')}\n\n`,
            `${method}start Details=Attempting method: nftables (lock=no)\n`,
            `${method}success Details=IP ${attacker} successfully unblocked\n`,
            `${program} Ended\n`,
          ].join(''),
        );
    });

    test('has the end alone of what an executable tells of itself', async () => {
      const { ask } = await begin();
      const program = '/var/ossec/active-response/bin/firewall-drop.sh';
      const words = ['add', '-', attacker, '1609869.80794', '554', '(web)', 'any->/var/log/a'];
      expect(await ask({ command: 'call', program, words })).toMatchObject({ state: 'active' });
      await result({ result: 'applied', dialect: 'ossec', alert_id: '1609869.80794' });
      expect(await textOf(home.managerLog)).toBe('');
      await ask({ command: 'delete', response: 'firewall-drop', srcip: attacker });
      await expect
        .poll(() => textOf(home.managerLog), inTime)
        .toMatch(
          /^\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d [A-Z]+ \d{4} \/var\/ossec\/active-response\/bin\/firewall-drop\.sh delete - 203\.0\.113\.7 1609869\.80794 554\n$/,
        );
    });

    test('and the results lose no line to a rotation in the middle of a burst', async () => {
      const { connect } = await begin();
      const peer = await connect();
      const count = 1_000;
      const files = [home.managerLog, resultsFile(home)];
      for (let index = 0; index < count; index += 1) {
        peer.send(bruteForceMessage({ srcip: `10.9.${index >> 8}.${index & 255}` }));
      }
      await expect.poll(() => textOf(files[0] ?? ''), inTime).not.toBe('');
      for (const file of files) await rename(file, `${file}.1`);
      for (let index = 0; index < count; index += 1) await peer.next();
      peer.close();
      const both = async (file: string) => (await textOf(`${file}.1`)) + (await textOf(file));
      await expect
        .poll(async () => (await both(home.managerLog)).split(': Ended\n').length - 1, inTime)
        .toBe(count);
      await expect
        .poll(async () => (await both(resultsFile(home))).split('\n').length - 1, inTime)
        .toBe(count);
      const added = (await both(home.managerLog)).match(/"command":"add"/g);
      expect(added).toHaveLength(count);
      const results = (await both(resultsFile(home))).trimEnd().split('\n');
      const addresses = results.map((line) => JSON.parse(line).ar_exec.srcip);
      expect(new Set(addresses).size).toBe(count);
    });

    test('and the results wait for a disk that is full, and nobody waits for them', async () => {
      const script = 'mount -t tmpfs -o size=128k tmpfs "$0" && exec "$@"';
      const before = ['unshare', '--mount', '--', 'sh', '-c', script, folder];
      const settings = `<active_responses_log>${folder}/active-responses.log</active_responses_log>`;
      const { ask, logged, pid } = await begin(settings, before);
      const inside = async (...words: string[]): Promise<string> =>
        (await execa('nsenter', ['--mount', '--target', String(pid), '--', ...words])).stdout;
      await inside('dd', 'if=/dev/zero', `of=${folder}/filler`, 'bs=1k', 'count=116');
      for (let index = 0; index < 20; index += 1) {
        const reply = await ask(bruteForceMessage({ srcip: `10.9.0.${index}` }));
        expect(reply).toMatchObject({ ok: true });
      }
      expect(await logged('a log cannot be written')).toMatchObject({
        err: expect.stringContaining('ENOSPC'),
      });
      await inside('rm', `${folder}/filler`);
      const read = (name: string): Promise<string> => inside('cat', `${folder}/${name}`);
      await expect
        .poll(async () => (await read('active-responses.log')).split(': Ended').length - 1, inTime)
        .toBe(20);
      const added = (await read('active-responses.log')).match(/^\d.*"command":"add".*\}$/gm);
      expect(new Set(added).size).toBe(20);
      await expect
        .poll(async () => (await read('ar-exec-results.json')).match(/^\{.*\}$/gm), inTime)
        .toHaveLength(20);
    });
  });

  test('a SIGHUP opens the log anew, and a level that was changed counts from then on', async () => {
    home = await createHome(hosts.endpoint);
    const file = join(home.folder, 'logs', 'ar-exec.log');
    const config = await readFile(home.config, 'utf8');
    const withLog = config.replace('</ar-exec>', `<log_file>${file}</log_file></ar-exec>`);
    await writeFile(home.config, withLog);
    const places = ['--config', home.config, '--state', home.state, '--socket', home.socket];
    const executable = new URL('../../build/out/ar-exec', import.meta.url).pathname;
    const words = ['netns', 'exec', hosts.endpoint, executable, 'run', ...places];
    const child = execa('ip', words, { reject: false, stdin: 'ignore' });
    try {
      await expect.poll(() => textOf(file), inTime).toContain('"msg":"ready"');
      expect(await textOf(file)).not.toContain('"level":"debug"');
      await rename(file, `${file}.1`);
      const debug = '<log_level>debug</log_level></ar-exec>';
      await writeFile(home.config, withLog.replace('</ar-exec>', debug));
      child.kill('SIGHUP');
      await expect.poll(() => textOf(file), inTime).toContain('configuration read anew');
      const peer = await openPeer(home.socket);
      await peer.ask(bruteForceMessage({ srcip: attacker }));
      peer.close();
      await expect.poll(() => textOf(file), inTime).toContain('"msg":"active"');
      // Each SIGHUP has the machine compared with the journal, too; this one beside the new level.
      child.kill('SIGHUP');
      await expect.poll(() => textOf(file), inTime).toContain('"level":"debug"');
      expect(await textOf(`${file}.1`)).not.toContain('"msg":"active"');
      expect((await stat(file)).mode & 0o777).toBe(0o600);
    } finally {
      child.kill('SIGKILL');
      await child;
    }
  });
});
