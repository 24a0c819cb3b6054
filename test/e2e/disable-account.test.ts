/** disable-account from the command line and by a manager, on a machine with an /etc of its own. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import {
  type AccountMachine,
  accountMachine,
  fingerprint,
  hash,
  insideEtc,
  otherHash,
} from '../kernel/account-machine.ts';
import { requires } from '../requirements.ts';
import { type Agent, createHome, type Home, startAgent } from './agent.ts';

const before = fingerprint();
afterAll(() => expect(fingerprint(), 'this machine keeps its own accounts').toBe(before));

requires(
  'root',
  'namespaces',
  'ip',
  'unshare',
  'usermod',
)('disable-account', () => {
  const namespace = `ar-u-${process.pid}`;
  let machine: AccountMachine;
  let home: Home;
  let agent: Agent | undefined;

  beforeEach(async () => {
    machine = await accountMachine();
    machine.add('alice', { expire: '40000' });
    machine.add('bob');
    await execa('ip', ['netns', 'add', namespace]);
    const settings = '<reconcile_every>5s</reconcile_every><never_disable>bob</never_disable>';
    home = await createHome(namespace, settings, insideEtc(machine.etc, []));
  });
  afterEach(async () => {
    await agent?.end();
    agent = undefined;
    await home.remove();
    await execa('ip', ['netns', 'del', namespace]);
    await machine.close();
  });

  const user = (verb: string, name: string, ...words: string[]) =>
    home.run([verb, 'disable-account', '--user', name, ...words]);
  const former = { field: hash, expire: '40000' };
  const disabled = { field: `!${hash}`, expire: '1' };

  test('an account is disabled, listed, kept so and given back; no hash is ever written', async () => {
    agent = await startAgent(home);
    const said: string[] = [];
    const keep = <T extends { stdout: string; stderr: string }>(ended: T): T => {
      said.push(ended.stdout, ended.stderr);
      return ended;
    };
    const plan = keep(await user('add', 'alice', '--timeout', '10m', '--dry-run'));
    expect(plan.stdout).toContain('usermod -L -e 1 -- alice');
    expect(machine.line('alice')).toMatchObject(former);

    const added = keep(await user('add', 'alice', '--timeout', '10m'));
    expect(added).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^disable-account alice is in force by account, held until/),
    });
    expect(machine.line('alice')).toMatchObject(disabled);
    expect(keep(await home.run(['list'])).stdout).toMatch(/disable-account +alice +active/);
    keep(await home.run(['list', '--json']));
    keep(await home.run(['status']));
    keep(await user('delete', 'alice', '--dry-run'));

    // What the administrator undoes is done again: so the journal says.
    await machine.exec(['usermod', '-U', 'alice']);
    await expect.poll(() => machine.line('alice'), { timeout: 20_000 }).toMatchObject(disabled);
    machine.edit('shadow', (text) => text.replace(`alice:!${hash}`, () => `alice:${otherHash}`));

    expect(keep(await user('delete', 'alice'))).toMatchObject({
      status: 0,
      stdout: 'disable-account alice is no longer in force',
    });
    expect(machine.line('alice')).toMatchObject({ field: otherHash, expire: '40000' });
    keep(await home.run(['list', '--history', '--json']));
    await agent.end();
    said.push(JSON.stringify(agent.log));
    agent = undefined;
    for (const file of await readdir(home.folder, { recursive: true, withFileTypes: true })) {
      if (file.isFile()) said.push(await readFile(join(file.parentPath, file.name), 'latin1'));
    }
    expect(said.join('\n')).toContain('alice');
    for (const secret of [hash, otherHash]) {
      for (const part of ['$6$', ...secret.split('$').filter(({ length }) => length > 8)]) {
        expect(said.filter((text) => text.includes(part))).toEqual([]);
      }
    }
  });

  test('is given back when its time is over, after a restart too', async () => {
    agent = await startAgent(home);
    await user('add', 'alice', '--timeout', '2s');
    expect(machine.line('alice')).toMatchObject(disabled);
    await agent.end('SIGKILL');
    agent = await startAgent(home);
    await expect.poll(() => machine.line('alice'), { timeout: 20_000 }).toMatchObject(former);
  });

  test('what was changed half-way while no agent ran is given back all the same', async () => {
    agent = await startAgent(home);
    await user('add', 'alice', '--timeout', '1s');
    await agent.end('SIGKILL');
    // It does not look disabled any more, but the mark before the password is ours.
    machine.edit('shadow', (text) => text.replace(/^(alice:.*:)(1|40000):$/m, '$141000:'));
    machine.edit('shadow', (text) => text.replace(/^alice:(?!!)/m, 'alice:!'));
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    agent = await startAgent(home);
    await expect
      .poll(() => machine.line('alice'), { timeout: 20_000 })
      .toMatchObject({ field: hash, expire: '41000' });
  });

  test('what a person took over is theirs: asked for again, it was there before', async () => {
    agent = await startAgent(home);
    await user('add', 'alice');
    await user('delete', 'alice', '--forget');
    expect(machine.line('alice')).toMatchObject(disabled);
    const again = await user('add', 'alice');
    expect(again.stdout).toContain('was in force before ar-exec');
    expect((await user('delete', 'alice')).status).toBe(0);
    expect(machine.line('alice')).toMatchObject(disabled);
  });

  test.each([
    ['root', 'target-protected', 4],
    ['bob', 'target-protected', 4],
    ['nobody-here', 'target-absent', 4],
    ['-q', 'target-invalid', 2],
    ['../root', 'target-invalid', 2],
    ['0', 'target-invalid', 2],
  ])('%s is refused', async (name, code, status) => {
    agent = await startAgent(home);
    const shadow = await readFile(join(machine.etc, 'shadow'), 'utf8');
    const words = ['add', 'disable-account', `--user=${name}`];
    const ended = await home.run([...words, '--json']);
    expect(ended.status).toBe(status);
    expect(ended.stdout + ended.stderr).toContain(code);
    expect(await home.run([...words, '--dry-run'])).toMatchObject({
      stdout: expect.not.stringContaining('usermod'),
    });
    expect(await readFile(join(machine.etc, 'shadow'), 'utf8')).toBe(shadow);
  });

  test('a manager names the account in its alert', async () => {
    agent = await startAgent(home);
    const message = (data: object) => ({
      version: 1,
      origin: { name: 'node01', module: 'wazuh-analysisd' },
      command: 'disable-account600',
      parameters: { extra_args: [], alert: { rule: { level: 10, id: '5551' }, data } },
    });
    expect(await agent.ask(message({ dstuser: 'alice', srcip: '203.0.113.7' }))).toMatchObject({
      ok: true,
      target: 'alice',
      state: 'active',
    });
    expect(machine.line('alice')).toMatchObject(disabled);
    // Upstream leaves the second alone while the first is held, where both come without an address.
    machine.add('carol');
    expect(await agent.ask(message({ dstuser: 'carol' }))).toMatchObject({ ok: true });
    expect(machine.line('carol')).toMatchObject({ field: `!${hash}`, expire: '1' });
    expect(await agent.ask(message({ srcip: '203.0.113.7' }))).toMatchObject({
      code: 'target-missing',
    });
    await expect
      .poll(() => readFile(home.managerLog, 'utf8').catch(() => ''), { timeout: 10_000 })
      .toContain('"command":"check_keys","parameters":{"keys":["carol"]}');
  });

  test('sessions end with it, where that is configured', async () => {
    await home.remove();
    const settings = '<disable_account><end_sessions>yes</end_sessions></disable_account>';
    home = await createHome(namespace, settings, insideEtc(machine.etc, []));
    agent = await startAgent(home);
    const uid = Number(/^alice:x:(\d+)/m.exec(await passwd())?.[1]);
    const [tool = '', ...args] = ['setpriv', `--reuid=${uid}`, '--clear-groups', 'sleep', '600'];
    const session = execa(tool, args, { reject: false });
    await user('add', 'alice');
    expect(await session).toMatchObject({ signal: 'SIGKILL' });
  });
  const passwd = () => readFile(join(machine.etc, 'passwd'), 'utf8');
});
