import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

interface Received {
  readonly at: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Stands in every address and in every token here; nobody but the web server may ever see it. */
const secret = 'Zq7SecretZq7SecretZq7';

function serveIn(namespace: string) {
  const file = fileURLToPath(new URL('../network/serve.ts', import.meta.url));
  const words = ['netns', 'exec', namespace, process.execPath, file];
  return execa('ip', words, { reject: false, buffer: false });
}

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('notifications', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent;
  let server: ReturnType<typeof serveIn>;
  let port: number;
  const received: Received[] = [];
  const arrived = (path: string): Received[] =>
    received.filter((one) => one.path.startsWith(`/${path}/`));
  /** What is printed by commands, to be searched for the secret in the end. */
  const printed: string[] = [];

  const url = (path: string): string => `http://127.0.0.1:${port}/${path}/${secret}`;
  const run = async (...words: string[]) => {
    const ended = await home.run(words);
    printed.push(ended.stdout, ended.stderr);
    return ended;
  };
  const wazuh = (extraArgs: string[], id: string, level = 10) => ({
    version: 1,
    origin: { name: 'node01', module: 'wazuh-analysisd' },
    command: 'wazuh-slack0',
    parameters: {
      extra_args: extraArgs,
      alert: {
        timestamp: '2026-11-21T18:12:07.000+0000',
        rule: { level, description: 'sshd: brute force', id: '5763' },
        agent: { id: '001', name: 'web' },
        id,
        full_log: 'Failed password for root',
        data: { srcip: '203.0.113.7' },
        location: '/var/log/auth.log',
      },
    },
  });

  beforeAll(async () => {
    hosts = await createHosts();
    server = serveIn(hosts.endpoint);
    const lines = createInterface({ input: server.stdout });
    port = await new Promise<number>((resolve) => {
      lines.on('line', (line) => {
        const said = JSON.parse(line);
        if ('port' in said) resolve(said.port);
        else received.push(said);
      });
    });
    const notification = (name: string, kind: string, content: string): string =>
      `<notification name="${name}" kind="${kind}">${content}</notification>`;
    home = await createHome(hosts.endpoint);
    const token = join(home.folder, 'token');
    await writeFile(token, `${secret}\n`, { mode: 0o600 });
    const keys = `ckey ${secret}1 utoken ${secret}2`;
    const settings = [
      '<log_level>debug</log_level>',
      notification('good', 'slack', `<url>${url('ok')}</url>`),
      notification('moody', 'json', `<url>${url('500x2')}</url><min_level>5</min_level>`),
      notification('patient', 'mattermost', `<url>${url('429')}</url>`),
      notification('gone', 'discord', `<url>${url('404')}</url>`),
      notification('stuck', 'teams', `<url>${url('hang')}</url>`),
      notification('later', 'slack', `<url>${url('500x3')}</url>`),
      notification('storm', 'slack', `<url>${url('ok-storm')}</url><per_minute>5</per_minute>`),
      notification(
        'toots',
        'mastodon',
        `<url>http://127.0.0.1:${port}/404/api</url><token_file>${token}</token_file>`,
      ),
      notification(
        'tweets',
        'x',
        `<url>http://127.0.0.1:${port}/ok/2/tweets</url><token>${keys}</token>`,
      ),
      notification(
        'pages',
        'pagerduty',
        `<url>http://127.0.0.1:${port}/ok/pd</url><token>${secret}</token>`,
      ),
      notification(
        'mails',
        'mail',
        `<server>127.0.0.1:1</server><from>a@b.example</from><to>c@d.example</to><user>u</user><password>${secret}</password>`,
      ),
    ];
    await writeFile(
      home.config,
      `<ar-exec><active_responses_log>${home.managerLog}</active_responses_log>${settings.join('\n')}</ar-exec>`,
      { mode: 0o600 },
    );
    agent = await startAgent(home);
  });
  afterAll(async () => {
    await agent?.end();
    server?.kill('SIGKILL');
    await server;
    await home?.remove();
    await hosts?.close();
  });

  test('one by hand is sent, and the command says so', async () => {
    const { status, stdout } = await run(
      'add',
      'good',
      '--title',
      'by hand',
      '--text',
      'hello',
      '--level',
      '10',
    );
    expect([status, stdout]).toEqual([0, 'good is done (slack)']);
    expect(arrived('ok')).toHaveLength(1);
    expect(JSON.parse(arrived('ok')[0]?.body ?? '')).toMatchObject({
      attachments: [{ color: 'danger', title: 'by hand', text: 'hello' }],
    });
  });

  test('one that is not taken says what happened, and when it is tried again', async () => {
    const waiting = await run('add', 'moody', '--title', 'x', '--level', '10');
    expect(waiting.status).toBe(0);
    expect(waiting.stdout).toMatch(
      /^moody is not done yet: 127\.0\.0\.1:\d+ answered 500: broken: \*\*\*; it is tried again at /,
    );
    const refused = await run('add', 'gone', '--title', 'x');
    expect(refused.status).toBe(6);
    expect(refused.stderr).toContain('answered 404: no such room: ***');
    const unwanted = await run('add', 'moody', '--title', 'x', '--level', '4');
    expect(unwanted.status).toBe(4);
    expect(unwanted.stderr).toContain('level 4 is below its min_level 5 [not-wanted]');
    const missing = await run('add', 'mail-alert', '--title', 'x');
    expect(missing.status).toBe(6);
    expect(missing.stderr).toContain('no mail server is configured');
    const back = await run('delete', 'good');
    expect(back.stderr).toContain('[not-revertible]');
    // 1 s, then 2 s.
    await expect.poll(() => arrived('500x2').length, { timeout: 20_000 }).toBe(3);
    expect(new Set(arrived('500x2').map(({ body }) => body)).size).toBe(1);
  });

  test('one that is asked to wait waits as long', async () => {
    await agent.ask({ command: 'add', response: 'patient', title: 'x' });
    await expect.poll(() => arrived('429').length, { timeout: 20_000 }).toBe(2);
    const [first, second] = arrived('429');
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(1_950);
  });

  test('tokens, keys and passwords go along, and nowhere else', async () => {
    await run('add', 'toots', '--title', 'x');
    await run('add', 'tweets', '--title', 'x');
    await run('add', 'pages', '--title', 'x');
    const mail = await run('add', 'mails', '--title', 'x');
    expect(mail.stdout).toContain('127.0.0.1:1 was not reached: it takes no connections there');
    expect(received.find(({ path }) => path === '/404/api')?.headers).toMatchObject({
      authorization: `Bearer ${secret}`,
    });
    const tweet = received.find(({ path }) => path === '/ok/2/tweets');
    expect(tweet?.headers['authorization']).toMatch(/^OAuth oauth_consumer_key="ckey", /);
    expect(tweet?.headers['authorization']).not.toContain(secret);
    const page = received.find(({ path }) => path === '/ok/pd');
    expect(JSON.parse(page?.body ?? '')).toMatchObject({ routing_key: secret });
  });

  test("a manager's own address is used, and only its host is logged", async () => {
    const reply = await agent.ask(wazuh([url('ok-manager')], '1795284727.1'));
    expect(reply).toMatchObject({ ok: true, state: 'done', target: '1795284727.1' });
    const [one] = arrived('ok-manager');
    expect(JSON.parse(one?.body ?? '')).toMatchObject({
      attachments: [
        {
          title: 'sshd: brute force',
          fields: [
            { title: 'Agent', value: '(001) - web' },
            { title: 'Location', value: '/var/log/auth.log' },
            { title: 'Rule ID', value: '5763 (level 10)' },
            { title: 'Address', value: '203.0.113.7' },
            { title: 'Told by', value: expect.any(String) },
          ],
          ts: 1795284727,
        },
      ],
    });
    await expect
      .poll(() => readFile(home.managerLog, 'utf8').catch(() => ''), { timeout: 10_000 })
      .toContain(`"extra_args":["http://127.0.0.1:${port}/***"]`);
    for (const [index, bad] of [
      ['-'],
      [`ftp://h.example/${secret}`],
      [`h.example/${secret}`],
    ].entries()) {
      const refused = await agent.ask(wazuh(bad, `1795284727.2${index}`));
      expect(refused).toMatchObject({ ok: false, code: 'driver-failed' });
      printed.push(JSON.stringify(refused));
    }
    const elsewhere = await agent.ask(wazuh([`http://198.51.100.1/${secret}`], '1795284727.3'));
    expect(elsewhere).toMatchObject({ ok: false, message: expect.stringContaining('http') });
    printed.push(JSON.stringify(elsewhere));
  });

  test('an alert that comes twice while its message waits is told once', async () => {
    const message = wazuh([url('500x1-twice')], '1795284727.4');
    const twice = { ...message, command: 'wazuh-slack' };
    const [first, second] = await Promise.all([agent.ask(message), agent.ask(twice)]);
    expect(first).toMatchObject({ state: 'done' });
    expect(second).toMatchObject({ state: 'done' });
    expect(arrived('500x1-twice')).toHaveLength(1);
  });

  test('a plan names secrets, and sends nothing', async () => {
    const before = received.length;
    for (const name of ['good', 'toots', 'tweets', 'pages', 'mails']) {
      const { status, stdout } = await run('add', name, '--title', 'x', '--dry-run');
      expect(status).toBe(0);
      expect(stdout).toMatch(/the url of|with its token|four keys|password of the notification/);
      printed.push((await run('add', name, '--title', 'x', '--dry-run', '--json')).stdout);
    }
    const plan = await run('add', 'wazuh-slack', '--title', 'x', '--dry-run');
    expect(plan.stderr).toContain('nothing is done');
    expect(received).toHaveLength(before);
  });

  test('hundreds at once hold up no block, and become a few messages', async () => {
    const stuck = await agent.connect();
    for (let index = 0; index < 20; index += 1) {
      stuck.send({ command: 'add', response: 'stuck', title: `stuck ${index}` });
    }
    const storm = await agent.connect();
    for (let index = 0; index < 500; index += 1) {
      storm.send({
        command: 'add',
        response: 'storm',
        title: index % 5 === 0 ? 'often' : `kind ${index % 97}`,
        level: 3,
      });
    }
    const started = performance.now();
    for (let index = 0; index < 20; index += 1) {
      const srcip = `203.0.113.${index + 1}`;
      expect(await agent.ask({ command: 'add', response: 'firewall-drop', srcip })).toMatchObject({
        state: 'active',
      });
    }
    // 20 blocks, one after the other, on a machine that tests share; a stuck one would take 15 s.
    expect(performance.now() - started).toBeLessThan(10_000);
    const replies = [];
    for (let index = 0; index < 500; index += 1) replies.push(await storm.next());
    expect(replies.filter(({ state }) => state === 'done')).toHaveLength(5);
    expect(replies.filter(({ state }) => state === 'intended')).toHaveLength(495);
    expect(arrived('ok-storm')).toHaveLength(5);
    storm.close();
    stuck.close();
    await expect.poll(() => arrived('ok-storm').length, { timeout: 90_000 }).toBe(10);
    const last = JSON.parse(arrived('ok-storm').at(-1)?.body ?? '');
    expect(last.attachments[0].text).toMatch(/^and 490 more:\n\d+ × often\n/);
  }, 150_000);

  test('what waits for another try is tried by the next agent, if this one is killed', async () => {
    expect(await agent.ask({ command: 'add', response: 'later', title: 'x' })).toMatchObject({
      state: 'intended',
      nextTry: expect.any(String),
    });
    await expect.poll(() => arrived('500x3').length, { timeout: 20_000 }).toBe(2);
    await agent.end('SIGKILL');
    printed.push(...agent.log.map((line) => JSON.stringify(line)));
    await rm(home.socket, { force: true });
    agent = await startAgent(home);
    await expect.poll(() => arrived('500x3').length, { timeout: 30_000 }).toBe(4);
    const ended = async () =>
      JSON.parse((await run('list', '--history', '--limit', '5', '--json')).stdout).actions;
    await expect
      .poll(ended, { timeout: 20_000 })
      .toContainEqual(expect.objectContaining({ response: 'later', state: 'done', attempts: 3 }));
  });

  test('no byte of a secret is in a log, a reply, an error or a command line', async () => {
    await run('status', '--json');
    await run('list', '--json');
    await run('list', '--history', '--json');
    await run('config', 'check');
    printed.push(...agent.log.map((line) => JSON.stringify(line)));
    printed.push(await readFile(home.managerLog, 'utf8').catch(() => ''));
    for (const name of ['cmdline', 'environ']) {
      printed.push(await readFile(`/proc/${agent.pid}/${name}`, 'utf8'));
    }
    expect(printed.length).toBeGreaterThan(10);
    expect(printed.filter((text) => text.includes(secret.slice(0, 9)))).toEqual([]);
    // What a manager sends along stands in the journal, which is root's alone; what is configured does not.
    const files = await readdir(home.state);
    expect(files.length).toBeGreaterThan(0);
    const journal = await Promise.all(
      files.map((file) => readFile(join(home.state, file), 'latin1')),
    );
    expect(journal.join('')).not.toMatch(new RegExp(`/(ok|404|500x2|429|hang)/${secret}`));
    expect(journal.join('')).not.toContain(`${secret}1`);
  });
});
