/** Who may ask, who may read, and what links in the agent's folders lead to. */
import { chmod, link, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';
import { kernelTargets } from './kernel-holds.ts';

const ip = '203.0.113.7';
const block = { command: 'add', response: 'firewall-drop', srcip: ip, timeoutSeconds: 600 };
/** Nobody in particular. */
const stranger = { uid: 65_534, gid: 65_534 };

/** Asks for the status, as somebody else would. */
const client = `
  const socket = require('node:net').connect(process.argv[1]);
  socket.on('connect', () => socket.write('{"command":"status"}\\n'));
  socket.on('data', (data) => { console.log(JSON.parse(String(data)).ok); process.exit(0); });
  socket.on('error', (error) => { console.log(error.code); process.exit(0); });
`;

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
  'strace',
)('privilege', () => {
  let hosts: Hosts;
  let home: Home;
  let agent: Agent | undefined;

  beforeAll(async () => {
    hosts = await createHosts();
  });
  afterAll(() => hosts?.close());
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
  });
  afterEach(async () => {
    await agent?.end();
    agent = undefined;
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await home.remove();
  });

  const trace = () => join(home.folder, 'trace');
  const results = () => join(dirname(home.managerLog), 'ar-exec-results.json');

  test('whoever is in the group may ask, and nobody else', async () => {
    const [, name = '', gid = ''] =
      /^([^:]+):[^:]*:([1-9]\d*):/m.exec(await readFile('/etc/group', 'utf8')) ?? [];
    const ours = await createHome(hosts.endpoint, `<socket_group>${name}</socket_group>`);
    await chmod(ours.folder, 0o711);
    agent = await startAgent(ours);
    const ask = async (as: { uid: number; gid: number }): Promise<string> =>
      (await execa(process.execPath, ['-e', client, ours.socket], { ...as, cwd: '/' })).stdout;
    expect(await ask({ ...stranger, gid: Number(gid) })).toBe('true');
    expect(await ask(stranger)).toBe('EACCES');
    expect(await ask({ uid: 0, gid: 0 })).toBe('true');
    expect(await agent.end()).toBe(0);
    agent = undefined;
    await ours.remove();
  });

  test('whatever the umask is, nothing can be written by others, and the journal read by nobody', async () => {
    // The tracer is not in between: it is the agent that is a child of ours.
    const calls = 'trace=umask,open,openat,creat,mkdir,mkdirat,mknod,mknodat,bind';
    const traced = ['strace', '-D', '-f', '--seccomp-bpf', '-o', trace(), '-e', calls];
    const careless = { ...home, before: ['sh', '-c', 'umask 0; exec "$@"', 'sh', ...traced] };
    await writeFile(trace(), '', { mode: 0o600 });
    agent = await startAgent(careless);
    for (const response of ['firewall-drop', 'host-deny', 'ip-customblock']) {
      expect(await agent.ask({ ...block, response })).toMatchObject({ ok: true });
    }
    await expect.poll(() => stat(results()).catch(() => undefined)).toBeDefined();
    const modes = new Map<string, number>();
    for (const one of await readdir(home.folder, { recursive: true, withFileTypes: true })) {
      const path = join(one.parentPath, one.name);
      modes.set(path.slice(home.folder.length + 1), (await stat(path)).mode & 0o777);
    }
    const loose = [...modes].filter(([, mode]) => (mode & 0o022) !== 0);
    expect(loose).toEqual([]);
    expect(modes.get('state')).toBe(0o700);
    const journal = [...modes].filter(([path]) => path.startsWith('state/'));
    expect(journal.length).toBeGreaterThan(0);
    expect(journal.filter(([, mode]) => (mode & 0o077) !== 0)).toEqual([]);
    expect(modes.get('ar-exec.sock')).toBe(0o600);
    expect((modes.get('logs/active-responses.log') ?? 0) & 0o007).toBe(0);

    // Nothing had another mode for a moment: the umask comes before whatever is made, and is never wider.
    const lines = (await readFile(trace(), 'utf8')).split('\n');
    const makes = (line: string): boolean =>
      line.includes(home.folder) && /O_CREAT|creat\(|mkdir|mknod|bind\(/.test(line);
    const umasks = lines.flatMap((line, index) => (/ umask\(/.test(line) ? [index] : []));
    expect(lines.filter(makes).length).toBeGreaterThan(5);
    expect(lines.filter((line) => makes(line) && line.includes('bind('))).toHaveLength(1);
    const [first = Number.POSITIVE_INFINITY] = umasks;
    expect(lines[first]).toMatch(/umask\(0?77\)/);
    expect(lines.findIndex(makes)).toBeGreaterThan(first);
    const opened = lines.filter((line) => /umask\(/.test(line) && !/umask\(0?[17]?77\)/.test(line));
    expect(opened).toEqual([]);
  });

  test('what no response needs is given up, for scripts too', async () => {
    const folder = join(home.folder, 'responses');
    await mkdir(folder, { mode: 0o755 });
    const script = `#!/bin/sh\ngrep CapEff /proc/self/status > ${home.folder}/rights\n`;
    await writeFile(join(folder, 'rights.sh'), script, { mode: 0o755 });
    const config = await readFile(home.config, 'utf8');
    const setting = `<scripts_folder>${folder}</scripts_folder></ar-exec>`;
    await writeFile(home.config, config.replace('</ar-exec>', setting));
    agent = await startAgent(home);
    expect(await agent.ask({ command: 'add', response: 'rights.sh' })).toMatchObject({ ok: true });
    const rightsIn = (text: string, name: string): bigint =>
      BigInt(`0x${new RegExp(`${name}:\\s+(\\w+)`).exec(text)?.[1]}`);
    const script1 = rightsIn(await readFile(join(home.folder, 'rights'), 'utf8'), 'CapEff');
    const bounding = rightsIn(await readFile(`/proc/${agent.pid}/status`, 'utf8'), 'CapBnd');
    for (const capability of [17n, 20n, 22n, 25n, 32n, 33n, 35n, 36n]) {
      expect((script1 >> capability) & 1n, `CapEff ${capability}`).toBe(0n);
      expect((bounding >> capability) & 1n, `CapBnd ${capability}`).toBe(0n);
    }
    // CAP_NET_ADMIN stays.
    expect((script1 >> 12n) & 1n).toBe(1n);
    expect(await agent.ask(block)).toMatchObject({ ok: true });
  });

  test('a state folder that others can write to is not used', async () => {
    await chmod(home.state, 0o777);
    const { status, stderr } = await home.run(['run']);
    expect(stderr).toContain('others can write there');
    expect(status).toBe(7);
  });

  test('a link in the place of the socket is not followed', async () => {
    const precious = join(home.folder, 'precious');
    await writeFile(precious, 'precious');
    await symlink(precious, home.socket);
    const { stderr } = await home.run(['run']);
    expect(stderr).toContain('[socket-unusable]');
    expect(await readFile(precious, 'utf8')).toBe('precious');
  });

  describe.each([
    ['a symbolic link', (to: string, from: string) => symlink(to, from)],
    ['a hard link', (to: string, from: string) => link(to, from)],
    ['a pipe', (_: string, from: string) => execa('mkfifo', [from])],
  ])('%s', (_, plant) => {
    const plantAt = async (path: string): Promise<string> => {
      const precious = join(home.folder, 'precious');
      await writeFile(precious, 'precious', { mode: 0o600 });
      await mkdir(dirname(path), { recursive: true });
      await plant(precious, path);
      return precious;
    };

    test('in the place of active-responses.log or the results is not written to', async () => {
      const precious = await plantAt(home.managerLog);
      await plant(precious, results());
      agent = await startAgent(home);
      const alert = { rule: { id: '1' }, data: { srcip: ip } };
      const message = {
        version: 1,
        origin: { name: 'n', module: 'm' },
        command: 'firewall-drop600',
        parameters: { extra_args: [], alert },
      };
      expect(await agent.ask(message)).toMatchObject({ ok: true });
      expect(await kernelTargets(hosts)).toEqual([ip]);
      await agent.logged('a log cannot be written');
      expect(await agent.end()).toBe(0);
      agent = undefined;
      expect(await readFile(precious, 'utf8')).toBe('precious');
    });

    test('in the place of a file of the block folder leads nowhere', async () => {
      const precious = await plantAt(join(home.folder, 'ipblock', ip));
      agent = await startAgent(home);
      await agent.ask({ ...block, response: 'ip-customblock' });
      await agent.ask({ command: 'delete', response: 'ip-customblock', srcip: ip });
      expect(await readFile(precious, 'utf8')).toBe('precious');
      expect((await stat(precious)).mode & 0o777).toBe(0o600);
    });

    test('beside hosts.deny, under the names that it could be rewritten by, leads nowhere', async () => {
      const precious = await plantAt(`${home.hostsDeny}.tmp`);
      agent = await startAgent(home);
      expect(await agent.ask({ ...block, response: 'host-deny' })).toMatchObject({ ok: true });
      expect(await readFile(home.hostsDeny, 'utf8')).toContain(ip);
      expect(await readFile(precious, 'utf8')).toBe('precious');
    });
  });
});
