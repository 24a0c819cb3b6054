/** kill-process and quarantine-file, asked for by a manager's alerts and from the command line. */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

const sleep = '/usr/bin/sleep';
/** A message of a Wazuh manager 4.x; analysisd writes its times like this. */
const alarm = (command: string, alert: object): string =>
  `${JSON.stringify({
    version: 1,
    origin: { name: 'node01', module: 'wazuh-analysisd' },
    command,
    parameters: {
      extra_args: [],
      alert: {
        timestamp: new Date().toISOString().replace('Z', '+0000'),
        rule: { level: 12, description: 'Test.', id: '100200' },
        id: '1795270756.1609869',
        ...alert,
      },
    },
  })}\n`;

requires(
  'root',
  'namespaces',
  'ip',
)('processes and files', () => {
  const namespace = `ar-p-${process.pid}`;
  let folder: string;
  let place: string;
  let held: string;
  let home: Home;
  let agent: Agent;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-files-'));
    [place, held] = [join(folder, 'place'), join(folder, 'held')];
    await mkdir(place);
    await execa('ip', ['netns', 'add', namespace]);
    home = await createHome(
      namespace,
      `<reconcile_every>5s</reconcile_every>
       <quarantine><folder>${held}</folder><roots>${place}</roots></quarantine>`,
    );
    agent = await startAgent(home);
  });
  afterEach(async () => {
    await agent?.end();
    await home.remove();
    await execa('ip', ['netns', 'del', namespace]);
    await rm(folder, { recursive: true });
  });

  const audit = (pid: number | undefined, exe = sleep, type = 'SYSCALL') => ({
    data: { audit: { type, pid: String(pid), exe } },
  });
  /** In a function that is not async: whoever waits for what execa gives waits for its end. */
  const start = () => execa(sleep, ['1000'], { reject: false });
  const isReady = async ({ pid }: { readonly pid?: number | undefined }): Promise<void> => {
    const program = () => readlink(`/proc/${pid}/exe`).catch(() => '');
    await expect.poll(program, { timeout: 20_000 }).toBe(sleep);
  };

  test('an alert of the audit system ends its process, and no other', async () => {
    const [meant, other] = [start(), start()];
    try {
      await isReady(meant);
      await isReady(other);
      const late = { ...audit(other.pid), timestamp: '2020-01-01T00:00:00.000+0000' };
      for (const [alert, code] of [
        [audit(other.pid, '/usr/bin/slee'), 'target-changed'],
        [late, 'target-changed'],
        [audit(1, '/sbin/init'), 'target-protected'],
        [audit(agent.pid), 'target-protected'],
        [audit(other.pid, sleep, 'USER_AUTH'), 'target-missing'],
        [{ data: { audit: { type: 'SYSCALL', exe: sleep } } }, 'target-invalid'],
      ] as const) {
        expect(await agent.ask(alarm('kill-process0', alert))).toMatchObject({ ok: false, code });
      }
      const reply = await agent.ask(alarm('kill-process0', audit(meant.pid)));
      expect(reply).toMatchObject({ ok: true, state: 'done', target: `${meant.pid} ${sleep}` });
      expect((await meant).signal).toBe('SIGKILL');
      expect(await readlink(`/proc/${other.pid}/exe`)).toBe(sleep);
      const again = await agent.ask(alarm('kill-process0', audit(meant.pid)));
      expect(again).toMatchObject({ ok: false, code: 'target-absent' });
      const { stdout } = await home.run(['list', '--history']);
      expect(stdout).toMatch(new RegExp(`kill-process +${meant.pid} ${sleep} +done `));
      const log = () => readFile(home.managerLog, 'utf8').catch(() => '');
      await expect.poll(log, { timeout: 20_000 }).toContain(`"keys":["${meant.pid} ${sleep}"]`);
    } finally {
      meant.kill('SIGKILL');
      other.kill('SIGKILL');
    }
  });

  test('a process is ended from the command line', async () => {
    const child = start();
    await isReady(child);
    const words = ['add', 'kill-process', '--pid', `${child.pid}`, '--executable', sleep];
    const plan = await home.run([...words, '--dry-run']);
    expect(plan.stdout).toBe(
      `# if process ${child.pid} runs ${sleep} and has started before now:\nkill -KILL ${child.pid}`,
    );
    expect(await readlink(`/proc/${child.pid}/exe`)).toBe(sleep);
    expect(await home.run(words)).toMatchObject({ status: 0 });
    expect((await child).signal).toBe('SIGKILL');
    expect(await home.run(words)).toMatchObject({
      status: 4,
      stderr: expect.stringMatching(/does not run any more \[target-absent\]/),
    });
    expect(await home.run(['delete', ...words.slice(1)])).toMatchObject({ status: 4 });
  });

  const plant = async (name: string, text: string): Promise<string> => {
    const path = join(place, name);
    await writeFile(path, text, { mode: 0o755 });
    return path;
  };
  const hash = (kind: string, text: string) => createHash(kind).update(text).digest('hex');

  test('an alert about a file takes it away, for as long as it says', async () => {
    const path = await plant('dropper', 'bad');
    const file = (text: string) => ({
      syscheck: { path, sha256_after: hash('sha256', text), sha1_after: hash('sha1', text) },
    });
    expect(await agent.ask(alarm('quarantine-file2', file('good')))).toMatchObject({
      ok: false,
      code: 'target-changed',
    });
    expect(await readFile(path, 'utf8')).toBe('bad');
    const reply = await agent.ask(alarm('quarantine-file2', file('bad')));
    expect(reply).toMatchObject({ ok: true, state: 'active', target: path, driver: 'quarantine' });
    await expect(stat(path)).rejects.toThrow('ENOENT');
    await expect
      .poll(() => readFile(path, 'utf8').catch(() => ''), { timeout: 30_000 })
      .toBe('bad');
    expect((await stat(path)).mode & 0o777).toBe(0o755);
    // What it was kept as is removed behind that: a crash in between loses nothing.
    await expect.poll(() => readdir(held), { timeout: 30_000 }).toEqual([]);
  });

  test('a file that VirusTotal knows is taken again each time it comes back', async () => {
    const path = join(place, 'dropper');
    const source = (text: string) => ({
      data: { virustotal: { malicious: '1', source: { file: path, sha1: hash('sha1', text) } } },
    });
    for (const text of ['bad', 'worse']) {
      await plant('dropper', text);
      const reply = await agent.ask(alarm('quarantine-file0', source(text)));
      expect(reply).toMatchObject({ ok: true, state: 'active', refreshed: text === 'worse' });
      await expect(stat(path)).rejects.toThrow('ENOENT');
    }
    // Nothing there: it is as it should be.
    expect(await agent.ask(alarm('quarantine-file0', source('worse')))).toMatchObject({ ok: true });
    // Somebody else's file of that name is no business of that alert.
    await plant('dropper', 'good');
    expect(await agent.ask(alarm('quarantine-file0', source('worse')))).toMatchObject({
      ok: false,
      code: 'target-changed',
    });
    expect(await readFile(path, 'utf8')).toBe('good');
    const remove = ['delete', 'quarantine-file', '--file', path];
    expect(await home.run(remove)).toMatchObject({
      status: 6,
      stderr: expect.stringMatching(/something else stands at/),
    });
    expect((await home.run(['list'])).stdout).toMatch(/dropper +reverting /);
    await rm(path);
    await expect
      .poll(() => readFile(path, 'utf8').catch(() => ''), { timeout: 40_000 })
      .toBe('worse');
  });

  test('what is in the quarantine outlives the journal, and is never put back by itself', async () => {
    const path = await plant('dropper', 'bad');
    const add = ['add', 'quarantine-file', '--file', path, '--timeout', '1h'];
    expect(await home.run(add)).toMatchObject({ status: 0 });
    await agent.end();
    await rm(home.state, { recursive: true });
    await mkdir(home.state, { mode: 0o700 });
    agent = await startAgent(home);
    const { stdout } = await home.run(['list', '--json']);
    expect(JSON.parse(stdout).actions).toMatchObject([
      { response: 'quarantine-file', target: path, state: 'active', until: null },
    ]);
    const remove = ['delete', 'quarantine-file', '--file', path];
    expect(await home.run([...remove, '--forget'])).toMatchObject({ status: 0 });
    await agent.end();
    agent = await startAgent(home);
    await expect(stat(path)).rejects.toThrow('ENOENT');
    expect(await readdir(held)).toHaveLength(2);
    expect(await home.run(remove)).toMatchObject({ status: 5 });
  });
});
