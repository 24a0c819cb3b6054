import { randomBytes } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { openPeer, type Reply } from '../e2e/peer.ts';
import { requires } from '../requirements.ts';
import { scriptMoments } from './script-moments.ts';

/** As one file, which starts in half the time that its sources take. */
const bundles = await mkdtemp(join(tmpdir(), 'ar-exec-crash-'));
afterAll(() => rm(bundles, { recursive: true }));
const program = join(bundles, 'agent.mjs');
await build({
  entryPoints: [fileURLToPath(new URL('./script-agent.ts', import.meta.url))],
  outfile: program,
  bundle: true,
  platform: 'node',
  format: 'esm',
  banner: {
    js: [
      "import { createRequire as createBundleRequire } from 'node:module';",
      'const require = createBundleRequire(import.meta.url);',
    ].join('\n'),
  },
});
const wait = { timeout: 60_000, interval: 20 };
/** Each starts the agent twice, beside whatever else the machine does. */
const patience = 180_000;

/** Waits for its answer without end, as documented; its effect is a file, made and taken away slowly. */
const script = (folder: string) => `#!/usr/bin/env python3
import json, os, sys, time
os.chdir(${JSON.stringify(folder)})
def read():
    while True:
        line = sys.stdin.readline()
        if line:
            return json.loads(line)["command"]
command = read()
if command == "add":
    print('{"version":1,"origin":{"name":"x","module":"active-response"},"command":"check_keys","parameters":{"keys":["k"]}}', flush=True)
    command = read()
if command == "abort":
    sys.exit(0)
open("acting", "w").close()
time.sleep(0.3)
if command == "delete":
    if os.path.exists("effect"):
        os.remove("effect")
else:
    open("effect", "x").close()
`;

requires(
  'root',
  'namespaces',
  'ip',
  'python3',
  'strace',
)('scripts, the agent killed', () => {
  const namespace = `ar-s-${randomBytes(3).toString('hex')}`;
  let folder: string;
  let places: string[];
  let socket: string;
  let agent: ReturnType<typeof launch> | undefined;

  beforeAll(() => execa('ip', ['netns', 'add', namespace]));
  afterAll(() => execa('ip', ['netns', 'del', namespace]));
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-crash-'));
    const responses = join(folder, 'responses');
    await mkdir(responses, { mode: 0o755 });
    await writeFile(join(responses, 'slow.py'), script(folder));
    await chmod(join(responses, 'slow.py'), 0o755);
    const config = join(folder, 'ar-exec.conf');
    await writeFile(
      config,
      `<ar-exec>
        <active_responses_log>${join(folder, 'ar.log')}</active_responses_log>
        <hosts_deny_file>${join(folder, 'hosts.deny')}</hosts_deny_file>
        <scripts_folder>${responses}</scripts_folder>
      </ar-exec>`,
    );
    socket = join(folder, 'socket');
    places = ['--config', config, '--state', join(folder, 'state'), '--socket', socket];
  });
  afterEach(async () => {
    agent?.kill('SIGKILL');
    await agent;
    agent = undefined;
    await rm(folder, { recursive: true, force: true });
  });

  const launch = (more: readonly string[], under: readonly string[] = []) => {
    const command = [...under, process.execPath, program, ...places, ...more];
    return execa('ip', ['netns', 'exec', namespace, ...command], {
      reject: false,
      stdin: 'ignore',
    });
  };
  /** Resolves once it answers, or false when it is gone before. */
  const start = async (during = '', at = ''): Promise<void> => {
    const started = launch(['--during', during, '--at', at, '--acting', join(folder, 'acting')]);
    agent = started;
    let gone = false;
    void started.then(() => {
      gone = true;
    });
    while (!gone) {
      const peer = await openPeer(socket).catch(() => undefined);
      peer?.close();
      if (peer !== undefined) return;
      await pause(20);
    }
    throw new Error(`the agent did not start: ${(await started).stderr}`);
  };
  /** Undefined: the agent died before it answered. */
  const ask = async (request: object): Promise<Reply | undefined> => {
    const peer = await openPeer(socket);
    try {
      return await peer.ask(request);
    } catch {
      return undefined;
    } finally {
      peer.close();
    }
  };
  const live = async () => (await ask({ command: 'list' }))?.['actions'] as Reply[];
  const files = async () => new Set(await readdir(folder));
  const add = { command: 'add', response: 'slow.py', srcip: '192.0.2.1', timeoutSeconds: 600 };
  const remove = { command: 'delete', response: 'slow.py', srcip: '192.0.2.1' };

  /** Processes that a script of this folder left. */
  const left = async (): Promise<string[]> => {
    const found: string[] = [];
    for (const pid of await readdir('/proc')) {
      const line = await readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
      if (line.includes(join(folder, 'responses'))) found.push(pid);
    }
    return found;
  };

  /** Whatever happened: once it has settled, what is held stands, and nothing else does. */
  const settled = async (): Promise<boolean> => {
    await expect
      .poll(async () => (await live()).filter(({ state }) => state !== 'active'), wait)
      .toEqual([]);
    const [held, ...more] = await live();
    expect(more).toEqual([]);
    if (held !== undefined) expect(held).toMatchObject({ target: 'k', response: 'slow.py' });
    expect((await files()).has('effect')).toBe(held !== undefined);
    expect(await left()).toEqual([]);
    return held !== undefined;
  };

  // Before it was started it is certain that nothing was done: it is done then. Afterwards it is not.
  const heldAfterwards = ['after-intent', 'after-outcome'];
  test.each(scriptMoments.add)(
    'during an add, %s',
    async (moment) => {
      await start('add', moment);
      expect(await ask(add)).toBeUndefined();
      await agent;
      await start();
      expect(await settled()).toBe(heldAfterwards.includes(moment));
      // And it can be asked for as if nothing had been.
      expect(await ask(add)).toMatchObject({
        ok: true,
        state: 'active',
        refreshed: heldAfterwards.includes(moment),
      });
      expect(await settled()).toBe(true);
      expect(await ask(remove)).toMatchObject({ ok: true, state: 'reverted' });
      expect(await settled()).toBe(false);
    },
    patience,
  );

  test.each(scriptMoments.delete)(
    'during a delete, %s',
    async (moment) => {
      await start('delete', moment);
      expect(await ask(add)).toMatchObject({ ok: true, state: 'active' });
      await rm(join(folder, 'acting'));
      expect(await ask(remove)).toBeUndefined();
      await agent;
      await start();
      expect(await settled()).toBe(moment === 'before-intent');
    },
    patience,
  );

  test(
    'after the script has become another program',
    async () => {
      const seconds = String(1e6 + Math.floor(Math.random() * 1e6));
      const lines = [
        '#!/bin/sh',
        'read -r line',
        `case $line in *'"add"'*) exec sleep ${seconds} ;; esac`,
      ];
      await writeFile(join(folder, 'responses/became.sh'), lines.join('\n'));
      await chmod(join(folder, 'responses/became.sh'), 0o755);
      const sleeping = async (): Promise<number> => {
        const pids = await readdir('/proc');
        const read = (pid: string) =>
          readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '');
        const commands = await Promise.all(pids.map(read));
        return commands.filter((one) => one === `sleep\0${seconds}\0`).length;
      };
      await start();
      const asked = ask({ ...add, response: 'became.sh' });
      await expect.poll(sleeping, wait).toBe(1);
      // Whoever is answered now is answered after the start was written down.
      await ask({ command: 'status' });
      agent?.kill('SIGKILL');
      expect(await asked).toBeUndefined();
      await start();
      await expect.poll(live, wait).toEqual([]);
      expect(await sleeping()).toBe(0);
    },
    patience,
  );

  test(
    'before it has become the script',
    async () => {
      const trace = join(folder, 'trace');
      const slowly = ['-e', 'trace=execve', '-e', 'inject=execve:delay_enter=5000000'];
      const options = [
        '-f',
        '-qq',
        '-o',
        trace,
        '-P',
        join(folder, 'responses/slow.py'),
        ...slowly,
      ];
      agent = launch([], ['strace', ...options]);
      await expect.poll(() => ask({ command: 'status' }).catch(() => undefined), wait).toBeTruthy();
      const asked = ask(add);
      // strace writes down the beginning of a call before it delays it.
      await expect.poll(() => readFile(trace, 'utf8'), wait).toContain('execve(');
      const { pid } = agent;
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
      process.kill(Number(children.trim()), 'SIGKILL');
      expect(await asked).toBeUndefined();
      const before = agent;
      await start();
      await expect.poll(() => ask({ command: 'status' }).catch(() => undefined), wait).toBeTruthy();
      expect(await settled()).toBe(false);
      await before;
      expect(await ask(add)).toMatchObject({ ok: true, state: 'active', refreshed: false });
      expect(await settled()).toBe(true);
    },
    patience,
  );
});
