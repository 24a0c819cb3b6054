import { appendFile, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { requires } from '../requirements.ts';
import { createHome, type Home, startAgent } from './agent.ts';
import { kernelHolds, kernelTargets } from './kernel-holds.ts';

const add = { command: 'add', response: 'firewall-drop' };

/** Ways in which a journal can be no journal, with the error that says so. */
const damages = {
  garbage: {
    code: 'journal-damaged',
    inflict: (file: string) => writeFile(file, 'this is no database\n'.repeat(500)),
  },
  'a hole in the middle': {
    code: 'journal-damaged',
    inflict: async (file: string) => {
      const bytes = await readFile(file);
      await writeFile(file, bytes.fill(0xff, 4_096, bytes.length));
    },
  },
  'the end missing': {
    code: 'journal-damaged',
    inflict: async (file: string) => truncate(file, (await stat(file)).size - 5_000),
  },
  "another application's database": {
    code: 'journal-damaged',
    inflict: async (file: string) => {
      await writeFile(file, '');
      const database = new DatabaseSync(file);
      database.exec('CREATE TABLE songs (name TEXT); PRAGMA user_version = 1');
      database.close();
    },
  },
  'a newer version': {
    code: 'journal-newer',
    inflict: async (file: string) => {
      const database = new DatabaseSync(file);
      database.exec('PRAGMA user_version = 9999; UPDATE life SET version = 9999');
      database.close();
    },
  },
} as const;

requires(
  'root',
  'namespaces',
  'ip',
  'nft',
)('the journal', () => {
  let hosts: Hosts;
  let home: Home;
  let file: string;

  beforeAll(async () => {
    hosts = await createHosts();
  });
  beforeEach(async () => {
    home = await createHome(hosts.endpoint);
    file = join(home.state, 'journal.db');
  });
  afterEach(async () => {
    await hosts.exec(['nft', 'flush', 'ruleset']);
    await home.remove();
  });
  afterAll(() => hosts?.close());

  /** A journal with two blocks in it, which the kernel holds; the agent is gone. */
  const leaveBlocks = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const agent = await startAgent(home);
    await agent.ask({ ...add, srcip: '203.0.113.7', timeoutSeconds: 600 });
    await agent.ask({ ...add, srcip: '2001:db8::/48' });
    await agent.end(signal);
  };

  describe.each(Object.entries(damages))('with %s', (name, { code, inflict }) => {
    const recovers = code === 'journal-damaged' && name !== "another application's database";
    test.each(['SIGTERM', 'SIGKILL'] as const)(
      'is left as it is after %s, and an agent goes on',
      async (signal) => {
        await leaveBlocks(signal);
        await inflict(file);
        const before = await contents(home.state);
        const commands = [
          ...(recovers ? [] : [home.run(['run'])]),
          home.run(['add', 'firewall-drop', '--srcip', '203.0.113.8', '--direct']),
          ...(code === 'journal-newer' ? [home.run(['journal', 'rebuild'])] : []),
        ];
        for (const { status, stderr } of await Promise.all(commands)) {
          expect(stderr).toContain(`[${code}]`);
          expect(stderr).toContain(file);
          expect(status).toBe(7);
        }
        expect(await contents(home.state)).toEqual(before);
        expect(await kernelTargets(hosts)).toEqual(['2001:db8::/48', '203.0.113.7']);
        if (!recovers) return;
        const agent = await startAgent(home);
        expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 2 });
        expect(await kernelTargets(hosts)).toEqual(['2001:db8::/48', '203.0.113.7']);
        expect(await agent.ask({ command: 'status' })).toMatchObject({
          journalMishaps: [{ kind: 'damaged', aside: expect.any(Array) }],
        });
        expect(await agent.end()).toBe(0);
        const aside = Object.entries(await contents(home.state)).filter(([name]) =>
          name.includes('.damaged-'),
        );
        expect(aside.map(([, bytes]) => bytes).sort()).toEqual(Object.values(before).sort());
        expect((await home.run(['doctor'])).stdout).toContain('damaged journals lie in');
      },
    );
  });

  test('of nothing is a new one', async () => {
    await writeFile(file, '');
    const agent = await startAgent(home);
    expect(await agent.ask({ ...add, srcip: '203.0.113.7' })).toMatchObject({ ok: true });
    expect(await agent.end()).toBe(0);
  });

  test('that can be read is not rebuilt, unless --force is said', async () => {
    await leaveBlocks();
    const before = await contents(home.state);
    const refused = await home.run(['journal', 'rebuild']);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('--force') });
    expect(await contents(home.state)).toEqual(before);
    expect(await home.run(['journal', 'rebuild', '--force'])).toMatchObject({ status: 0 });
    expect(await kernelTargets(hosts)).toEqual(['2001:db8::/48', '203.0.113.7']);
  });

  test('is not rebuilt while an agent uses it', async () => {
    const agent = await startAgent(home);
    await agent.ask({ ...add, srcip: '203.0.113.7' });
    for (const words of [
      ['journal', 'rebuild'],
      ['journal', 'rebuild', '--force'],
    ]) {
      const { status, stderr } = await home.run(words);
      expect(stderr).toContain('[journal-locked]');
      expect(status).toBe(7);
    }
    expect(await readdir(home.state)).toContain('journal.db');
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 1 });
    await agent.end('SIGKILL');
    const next = await startAgent(home);
    expect(await next.ask({ command: 'list' })).toMatchObject({ held: 1 });
    expect(await next.end()).toBe(0);
  });

  test('that is damaged can be rebuilt: what is blocked stays, and ends in its time', async () => {
    const first = await startAgent(home);
    await first.ask({ ...add, srcip: '203.0.113.7', timeoutSeconds: 15 });
    await first.ask({ ...add, srcip: '203.0.113.8', timeoutSeconds: 600 });
    await first.ask({ ...add, srcip: '2001:db8::/48' });
    const blockedAt = performance.now();
    await first.end('SIGKILL');
    const damaged = 'damaged'.repeat(2_000);
    await writeFile(file, damaged);
    // All three could be read from it.
    await rm(`${file}-wal`);

    const rebuilt = await home.run(['journal', 'rebuild']);
    expect(rebuilt).toMatchObject({ status: 0, stderr: '' });
    expect(rebuilt.stdout).toContain('3 effects');
    const aside = /put aside: (.*)/.exec(rebuilt.stdout)?.[1] ?? '';
    expect(await readFile(aside, 'utf8')).toBe(damaged);

    const agent = await startAgent(home);
    const listed = await agent.ask({ command: 'list' });
    expect(listed).toMatchObject({ held: 3 });
    expect(listed['actions']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ target: '203.0.113.7', dialect: 'recovered', state: 'active' }),
      ]),
    );
    const long = (await kernelHolds(hosts)).find(({ target }) => target === '203.0.113.8');
    expect(long?.expires).toBeGreaterThan(580);
    expect(long?.expires).toBeLessThanOrEqual(600);

    await agent.logged('expired');
    const seconds = (performance.now() - blockedAt) / 1_000;
    expect(seconds).toBeGreaterThan(13.5);
    expect(seconds).toBeLessThan(16.5);
    expect(await kernelTargets(hosts)).toEqual(['2001:db8::/48', '203.0.113.8']);
    const removal = { command: 'delete', response: 'firewall-drop', srcip: '2001:db8::/48' };
    expect(await agent.ask(removal)).toMatchObject({ state: 'reverted' });
    expect(await agent.end()).toBe(0);
  });

  test('that is gone is made anew from what the kernel holds', async () => {
    await leaveBlocks();
    await home.remove();
    const other = await createHome(hosts.endpoint);
    const agent = await startAgent(other);
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 2 });
    expect(await kernelTargets(hosts)).toEqual(['2001:db8::/48', '203.0.113.7']);
    expect(await agent.end()).toBe(0);
    await other.remove();
  });

  test('may have something behind its end', async () => {
    await leaveBlocks();
    await appendFile(file, 'x'.repeat(100));
    const agent = await startAgent(home);
    expect(await agent.ask({ command: 'list' })).toMatchObject({ held: 2 });
    expect(await agent.end()).toBe(0);
  });

  test('cannot be kept in a folder that others can write to', async () => {
    await hosts.exec(['chmod', '777', home.state]);
    const { status, stderr } = await home.run(['run']);
    expect(stderr).toContain('[state-unusable]');
    expect(status).toBe(7);
  });
});

/**
 * Every file of the folder that has something in it, with its bytes. SQLite makes an index (-shm) and
 * an empty log (-wal) for whoever only reads.
 */
async function contents(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => !name.endsWith('-shm')).sort();
  const files = names.map(async (name) => [name, await readFile(join(folder, name), 'base64')]);
  return Object.fromEntries((await Promise.all(files)).filter(([, bytes]) => bytes !== ''));
}
