import { once } from 'node:events';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { createHome, type Home, startAgent } from './agent.ts';

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('the socket', () => {
  let hosts: Hosts;
  let home: Home;

  beforeAll(async () => {
    hosts = await createHosts();
  });
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
  });
  afterEach(() => home.remove());
  afterAll(() => hosts?.close());

  const runOn = (socket: string) =>
    home.run(['run'], {
      env: { AR_EXEC_CONFIG: home.config, AR_EXEC_STATE: home.state, AR_EXEC_SOCKET: socket },
    });
  const modeOf = async (path: string): Promise<string> =>
    ((await stat(path)).mode & 0o777).toString(8);

  test('is for root alone, where the configured group does not exist', async () => {
    const agent = await startAgent(home);
    expect(await modeOf(home.socket)).toBe('600');
    expect(await agent.end()).toBe(0);
  });

  test('can be reached by the configured group, also in a folder made for it', async () => {
    const group = /^([^:]+):[^:]*:([1-9]\d*):/m.exec(await readFile('/etc/group', 'utf8'));
    const [, name = '', id] = group ?? [];
    const ours = await createHome(hosts.endpoint, `<socket_group>${name}</socket_group>`);
    const socket = join(ours.folder, 'made', 'socket');
    const agent = await startAgent({ ...ours, socket });
    expect((await stat(socket)).gid).toBe(Number(id));
    expect(await modeOf(socket)).toBe('660');
    expect(await modeOf(dirname(socket))).toBe('755');
    expect(await agent.end()).toBe(0);
    await ours.remove();
  });

  test('does not take the place of a file', async () => {
    await writeFile(home.socket, 'precious');
    const { status, stderr } = await runOn(home.socket);
    expect(stderr).toContain('[socket-unusable]');
    expect(status).toBe(8);
    expect(await readFile(home.socket, 'utf8')).toBe('precious');
  });

  test('does not take the place of a socket that another program listens on', async () => {
    const mute = createServer(() => {}).listen(home.socket);
    await once(mute, 'listening');
    const { status, stderr } = await runOn(home.socket);
    expect(stderr).toContain('[agent-running]');
    expect(status).toBe(4);
    expect((await stat(home.socket)).isSocket()).toBe(true);
    mute.close();
  });

  test.each([
    ['a path that is too long', (folder: string) => join(folder, 'x'.repeat(120))],
    ['a folder', (folder: string) => folder],
    ['a path below a file', (folder: string) => join(folder, 'ar-exec.conf', 'socket')],
  ])('cannot be %s', async (_, path) => {
    const { status, stderr } = await runOn(path(home.folder));
    expect(stderr).toContain('[socket-unusable]');
    expect(status).toBe(8);
  });

  test('leaves a folder as it is that was there before', async () => {
    const folder = join(home.folder, 'there');
    await mkdir(folder, { mode: 0o710 });
    const agent = await startAgent({ ...home, socket: join(folder, 'socket') });
    expect(await modeOf(folder)).toBe('710');
    expect(await agent.end()).toBe(0);
  });
});
