import { chmod, mkdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

const examples = fileURLToPath(new URL('../../scripts/examples/', import.meta.url));
const wait = { timeout: 30_000, interval: 20 };

/** As Wazuh's documentation has it: one line read, the keys told, the answer waited for without end. */
const documented = `#!/usr/bin/env python3
import datetime, json, sys
def note(text):
    with open("ar-test-result.txt", "a") as file:
        file.write(text + "\\n")
def log(name, text):
    with open("logs/active-responses.log", "a") as file:
        file.write(datetime.datetime.now().strftime("%Y/%m/%d %H:%M:%S") + " " + name + ": " + text + "\\n")
def read():
    while True:
        line = sys.stdin.readline()
        if line:
            return json.loads(line)
message = read()
log(sys.argv[0], json.dumps(message))
if message["command"] == "add":
    alert = message["parameters"]["alert"]
    print(json.dumps({"version": 1, "origin": {"name": sys.argv[0], "module": "active-response"},
        "command": "check_keys", "parameters": {"keys": [alert["rule"]["id"]]}}))
    sys.stdout.flush()
    answer = read()["command"]
    if answer != "continue":
        note("aborted" if answer == "abort" else "invalid")
        sys.exit(0)
    note("Active response triggered by rule ID: <" + alert["rule"]["id"] + ">")
elif message["command"] == "delete":
    note("removed")
else:
    sys.exit(1)
`;

/** As OSSEC's scripts are: arguments, a log line, and status 1 whatever happened. */
const old = `#!/bin/sh
ACTION=$1
USER=$2
IP=$3
LOCAL=\`dirname $0\`;
cd $LOCAL
cd ../
PWD=\`pwd\`
echo "$0 $1 $2 $3 $4 $5 $6 $7 $8" >> \${PWD}/../logs/old.log
if [ "x\${IP}" = "x" ]; then
  echo "$0: <action> <username> <ip>"
  exit 1;
fi
touch \${PWD}/../blocked-\${IP}
if [ "x\${ACTION}" = "xdelete" ]; then
  rm -f \${PWD}/../blocked-\${IP}
fi
exit 1;
`;

const alert = (command: string, srcip = '203.0.113.7') => ({
  version: 1,
  origin: { name: 'node01', module: 'wazuh-analysisd' },
  command,
  parameters: {
    extra_args: [],
    alert: {
      timestamp: '2026-11-21T14:19:16.000+0000',
      rule: { level: 10, description: 'sshd: brute force', id: '5763' },
      agent: { id: '001', name: 'web' },
      id: '1795270756.80794',
      data: { srcip, dstuser: 'alice' },
      location: '/var/log/auth.log',
    },
  },
});

requires(
  'root',
  'namespaces',
  'ip',
  'python3',
  'jq',
)("people's own scripts", () => {
  let hosts: Hosts;
  let home: Home;
  let base: string;
  let agent: Agent | undefined;

  beforeAll(async () => {
    hosts = await createHosts();
  });
  afterAll(() => hosts?.close());
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
    base = join(home.folder, 'manager');
    await mkdir(join(base, 'active-response', 'bin'), { recursive: true, mode: 0o755 });
    await mkdir(join(base, 'logs'));
  });
  afterEach(async () => {
    await agent?.end();
    agent = undefined;
    await home.remove();
  });

  const write = async (name: string, text: string): Promise<void> => {
    const path = join(base, 'active-response', 'bin', name);
    await writeFile(path, text);
    await chmod(path, 0o755);
  };
  const read = (name: string) => readFile(join(base, name), 'utf8').catch(() => '');
  /** `beside`: what stands beside the agent's own settings. */
  const start = async (settings = '', beside = ''): Promise<Agent> => {
    const config = await readFile(home.config, 'utf8');
    const folder = `<scripts_folder>${join(base, 'active-response', 'bin')}</scripts_folder>`;
    const ours = config.replace('</ar-exec>', `${folder}${settings}</ar-exec>`);
    await writeFile(home.config, `<ossec_config>${ours}${beside}</ossec_config>`);
    agent = await startAgent(home);
    return agent;
  };

  test('a script as documented, asked for by a manager, keeps its deadline over a crash', async () => {
    await write('custom-ar.py', documented);
    const before = await start();
    const reply = await before.ask(alert('custom-ar.py8'));
    expect(reply).toMatchObject({
      ok: true,
      state: 'active',
      response: 'custom-ar.py',
      target: '5763',
      driver: 'script',
    });
    expect(reply).not.toHaveProperty('trouble');
    expect(await before.ask(alert('custom-ar.py1', '203.0.113.8'))).toMatchObject({
      refreshed: true,
      target: '5763',
    });
    const triggered = 'Active response triggered by rule ID: <5763>\naborted\n';
    expect(await read('ar-test-result.txt')).toBe(triggered);
    await before.end('SIGKILL');
    agent = await startAgent(home);
    const { actions } = await agent.ask({ command: 'list' });
    // A slow machine may have needed all of its time to start the agent again.
    if (Date.now() < Date.parse(String(reply['until']))) {
      const { until } = reply;
      expect(actions).toMatchObject([
        { target: '5763', state: 'active', ruleId: '5763', dialect: 'wazuh4', until },
      ]);
    }
    await expect.poll(() => read('ar-test-result.txt'), wait).toBe(`${triggered}removed\n`);
    await agent.logged('expired');
    expect(await agent.ask({ command: 'list' })).toMatchObject({ actions: [] });
    // The script wrote the line that a manager's rule 657 reads, in upstream's form.
    expect(await read('logs/active-responses.log')).toMatch(
      /^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d active-response\/bin\/custom-ar\.py: \{"version": 1,/,
    );
  });

  test('what ran is in the log that the manager reads, unless the script writes it itself', async () => {
    await write('quiet.py', documented);
    await write('own.py', documented);
    const { ask, end } = await start('<script name="own.py" log="no"/>');
    await ask(alert('own.py100'));
    await ask(alert('quiet.py100'));
    await end();
    agent = undefined;
    const text = await readFile(home.managerLog, 'utf8');
    expect(text).not.toContain('own.py');
    const line = text.split('\n').find((one) => one.includes('"command":"add"')) ?? '';
    expect(JSON.parse(line.slice(line.indexOf('{')))).toMatchObject({
      command: 'add',
      origin: { module: 'wazuh-execd' },
      parameters: { program: 'active-response/bin/quiet.py' },
    });
    expect(text).toContain('"command":"check_keys","parameters":{"keys":["5763"]}');
  });

  test.each([
    ['found out', '', 'active-response/bin/'],
    ['declared', '<script name="old.sh" dialect="argv"/>', 'manager/active-response/bin/'],
  ])(
    'a script that takes arguments, %s, always ends with 1 and is taken back',
    async (_how, settings, path) => {
      await write('old.sh', old);
      const { ask } = await start(settings);
      expect(await ask(alert('old.sh1'))).toMatchObject({
        ok: true,
        state: 'active',
        target: '203.0.113.7',
        trouble: 'it ended with status 1',
      });
      expect((await stat(join(base, 'blocked-203.0.113.7'))).isFile()).toBe(true);
      await expect.poll(async () => (await ask({ command: 'list' }))['actions'], wait).toEqual([]);
      await expect(stat(join(base, 'blocked-203.0.113.7'))).rejects.toThrow();
      const place = '(web) any->/var/log/auth.log';
      const words = `alice 203.0.113.7 1795270756.80794 5763 ${place}`;
      const lines = (await read('logs/old.log')).trim().split('\n');
      expect(lines).toEqual([
        expect.stringContaining(`${path}old.sh add ${words}`),
        expect.stringContaining(`${path}old.sh delete ${words}`),
      ]);
      expect(await ask({ command: 'list', history: true })).toMatchObject({
        actions: [{ state: 'reverted', trouble: 'it ended with status 1', attempts: 0 }],
      });
    },
  );

  test('arguments that could be an option are refused', async () => {
    await write('old.sh', old);
    const { ask } = await start('<script name="old.sh" dialect="argv"/>');
    expect(
      await ask({ command: 'add', response: 'old.sh', user: '-q', timeoutSeconds: 60 }),
    ).toMatchObject({ ok: false, code: 'target-invalid' });
    expect(await read('logs/old.log')).toBe('');
  });

  test('a script of Wazuh 5.0 is enabled and disabled', async () => {
    await write(
      'wcs.py',
      `#!/usr/bin/env python3
import json, sys
line = sys.stdin.readline()
event = json.loads(line)
if event["command"] == "enable":
    print('{"version":1,"origin":{"name":"x","module":"active-response"},"command":"check_keys","parameters":{"keys":["%s"]}}' % event["source"]["ip"], flush=True)
    event = json.loads(sys.stdin.readline())
open("wcs.txt", "a").write(event["command"] + " " + event["source"]["ip"] + "\\n")
`,
    );
    const { ask } = await start('<script name="wcs.py" dialect="wcs"/>');
    expect(await ask(alert('wcs.py100'))).toMatchObject({ state: 'active', target: '203.0.113.7' });
    await ask({ command: 'delete', response: 'wcs.py', srcip: '203.0.113.7' });
    expect(await read('wcs.txt')).toBe('continue 203.0.113.7\ndisable 203.0.113.7\n');
  });

  test('a name with "!" is the file, and has no timeout', async () => {
    await write('run7', '#!/bin/sh\nread -r line; echo "$line" > run.txt\n');
    const { ask } = await start();
    expect(await ask(alert('!run7'))).toMatchObject({ ok: true, state: 'done', until: null });
    expect(JSON.parse(await read('run.txt'))).toMatchObject({
      command: 'add',
      parameters: { program: 'active-response/bin/run7' },
    });
    expect(await ask(alert('!../../run7'))).toMatchObject({ code: 'response-unknown' });
  });

  test('ten that hang keep nobody waiting, and each is taken back', async () => {
    await write(
      'hang',
      '#!/bin/sh\nread -r line\ncase "$line" in *delete*) echo gone >> gone.txt; exit 0;; esac\nexec sleep 100\n',
    );
    const { ask, connect, log } = await start('<script name="hang" time_limit="4s" at_once="10"/>');
    const peer = await connect();
    for (let index = 1; index <= 10; index += 1) {
      peer.send({
        id: index,
        command: 'add',
        response: 'hang',
        srcip: `203.0.113.${index}`,
        timeoutSeconds: 2,
      });
    }
    await expect
      .poll(async () => JSON.stringify(await ask({ command: 'list' })).split('(run ').length, wait)
      .toBe(11);
    const before = performance.now();
    expect(
      await ask({
        command: 'add',
        response: 'host-deny',
        srcip: '198.51.100.7',
        timeoutSeconds: 60,
      }),
    ).toMatchObject({ ok: true, state: 'active' });
    expect(performance.now() - before).toBeLessThan(1_500);
    peer.end();
    const replies = await peer.rest();
    expect(replies).toHaveLength(10);
    for (const reply of replies) {
      expect(reply).toMatchObject({
        ok: true,
        state: 'active',
        trouble: 'it was ended after its 4 s',
      });
    }
    await expect.poll(() => read('gone.txt'), wait).toBe('gone\n'.repeat(10));
    await expect.poll(() => log.filter(({ msg }) => msg === 'expired').length, wait).toBe(10);
    expect(await ask({ command: 'status' })).toMatchObject({ healthy: true });
  });

  test('one that floods its outputs is run to its end, and the agent stays small', async () => {
    await write(
      'flood',
      '#!/bin/sh\nread -r line\nhead -c 300000000 /dev/zero | tr "\\0" x\necho done > flood.txt\n',
    );
    const { ask, pid } = await start();
    const resident = async (): Promise<number> =>
      Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]);
    const before = await resident();
    const reply = await ask({ command: 'add', response: 'flood', timeoutSeconds: 600 });
    expect(reply).not.toHaveProperty('trouble');
    expect(reply).toMatchObject({
      ok: true,
      state: 'active',
    });
    expect(await read('flood.txt')).toBe('done\n');
    expect((await resident()) - before).toBeLessThan(100_000);
  });

  test('one that others can change is not run, from the command line too', async () => {
    await write('open', '#!/bin/sh\necho ran > ran.txt\n');
    await chmod(join(base, 'active-response', 'bin', 'open'), 0o777);
    const { logged } = await start();
    const { status, stderr } = await home.run(['add', 'open']);
    expect(status).toBe(4);
    expect(stderr).toContain('can be written by its group or by everybody (mode 777)');
    expect(await logged('refused')).toMatchObject({ code: 'script-untrusted', response: 'open' });
    expect(await read('ran.txt')).toBe('');
  });

  test('a name that is nearly one is told', async () => {
    await write('custom-ar.py', documented);
    await start();
    const { status, stderr } = await home.run(['add', 'custom_ar.py']);
    expect(status).toBe(2);
    expect(stderr).toContain('Did you mean "custom-ar.py"?');
  });

  test('an address that is never blocked is none for a script, unless it says that it only tells', async () => {
    await write('block', '#!/bin/sh\nexit 0\n');
    await write('note', '#!/bin/sh\nexit 0\n');
    await write('restart', '#!/bin/sh\nread -r line; echo "$line" > restart.txt\n');
    const command = (name: string, more: string) =>
      `<command><name>${name}</name><executable>${name}</executable>${more}</command>`;
    const { ask } = await start(
      '<script name="note" guard="no"/>',
      // What a command does not expect it does not act on; one that says nothing is asked for nothing.
      command('restart', '<expect></expect>') + command('block', ''),
    );
    const asked = { command: 'add', srcip: '127.0.0.1', timeoutSeconds: 60 };
    for (const srcip of ['127.0.0.1', 'localhost']) {
      expect(await ask({ ...asked, srcip, response: 'restart' })).toMatchObject({ ok: true });
      expect(await ask(alert('restart0', srcip))).toMatchObject({ ok: true });
      expect(JSON.parse(await read('restart.txt')).parameters.alert.data).toMatchObject({ srcip });
      expect(await ask(alert('block0', srcip))).toMatchObject({ ok: false });
    }
    expect(await ask({ ...asked, response: 'block' })).toMatchObject({ code: 'target-protected' });
    // What a tool takes for one.
    for (const srcip of ['127.1', 'localhost', '0x7f000001', '::1%lo', '127.0.0.1 ']) {
      expect(await ask({ ...asked, srcip, response: 'block' })).toMatchObject({
        code: 'address-invalid',
      });
    }
    expect(await ask({ ...asked, response: 'note' })).toMatchObject({ ok: true });
    expect(await ask({ ...asked, response: 'block', forceProtected: true })).toMatchObject({
      ok: true,
    });
  });

  test('a script by another name, with arguments of the configuration', async () => {
    await write('real.sh', '#!/bin/sh\nread -r line; echo "$line" > args.txt\n');
    const { ask } = await start('<script name="linux-remove" file="real.sh">--zone web</script>');
    expect(await ask(alert('linux-remove0'))).toMatchObject({ state: 'done' });
    expect(JSON.parse(await read('args.txt')).parameters).toMatchObject({
      extra_args: ['--zone', 'web'],
      program: 'active-response/bin/real.sh',
    });
  });

  test('by the name of a response that is for other systems', async () => {
    await write('pf', '#!/bin/sh\nread -r line; echo "$line" > pf.txt\n');
    const { ask } = await start();
    expect(await ask(alert('pf0'))).toMatchObject({ state: 'done', driver: 'script' });
    expect(JSON.parse(await read('pf.txt'))).toMatchObject({ command: 'add' });
    await unlink(join(base, 'active-response', 'bin', 'pf'));
    expect(await ask(alert('pf0'))).toMatchObject({ code: 'driver-unavailable' });
  });

  test('a deleted script cannot take back what it did; it can be forgotten', async () => {
    await write('gone', '#!/bin/sh\nexit 0\n');
    const { ask } = await start();
    const asked = { response: 'gone', srcip: '192.0.2.1' };
    await ask({ ...asked, command: 'add', timeoutSeconds: 600 });
    await home.run(['status']);
    await unlink(join(base, 'active-response', 'bin', 'gone'));
    expect(await ask({ ...asked, command: 'delete' })).toMatchObject({ code: 'driver-failed' });
    expect(await ask({ command: 'status' })).toMatchObject({ healthy: false });
    expect(await ask({ ...asked, command: 'delete', forget: true })).toMatchObject({
      ok: true,
      state: 'forgotten',
    });
  });

  test('the examples do what they say', async () => {
    for (const name of ['deny-list.py', 'drain.sh']) {
      const path = join(base, 'active-response', 'bin', name);
      const text = await readFile(join(examples, name), 'utf8');
      // They lie in folders of the machine's own.
      await writeFile(
        path,
        text
          .replace('/etc/nginx/denied-addresses.conf', join(base, 'denied.conf'))
          .replace('/run/drain', join(base, 'drain')),
      );
      await chmod(path, 0o755);
    }
    const bin = join(base, 'active-response', 'bin');
    const tell = await readFile(join(examples, 'tell.sh'), 'utf8');
    // The system log is the machine's own too.
    await write('tell.sh', tell.replace('logger ', `${join(bin, 'logger')} `));
    await write('logger', '#!/bin/sh\nprintf "<%s>" "$@" > told.txt\n');
    const { ask } = await start();
    for (const srcip of ['2001:db8::7', '203.0.113.7', '203.0.113.7']) {
      const reply = await ask(alert('deny-list.py100', srcip));
      expect(reply).toMatchObject({ state: 'active', target: srcip });
      expect(reply).not.toHaveProperty('trouble');
    }
    expect(await read('denied.conf')).toBe('deny 2001:db8::7;\ndeny 203.0.113.7;\n');
    await ask({ command: 'delete', response: 'deny-list.py', srcip: '2001:db8::7' });
    expect(await read('denied.conf')).toBe('deny 203.0.113.7;\n');
    // It is not even run for what is no address.
    expect(await ask(alert('deny-list.py100', '1.2.3.4; rm -rf /'))).toMatchObject({
      ok: false,
      code: 'address-invalid',
    });
    expect(await read('denied.conf')).toBe('deny 203.0.113.7;\n');

    expect(await ask(alert('drain.sh100'))).toMatchObject({ state: 'active', target: 'machine' });
    expect(await ask(alert('drain.sh100', '203.0.113.9'))).toMatchObject({ refreshed: true });
    expect(await read('drain')).toBe('sshd: brute force\n');
    await ask({ command: 'delete', response: 'drain.sh', key: 'machine' });
    expect(await read('drain')).toBe('');

    expect(await ask(alert('tell.sh0'))).toMatchObject({ state: 'done' });
    expect(await read('told.txt')).toBe('<-t><tell.sh><--><rule 5763: sshd: brute force>');
  });
});
