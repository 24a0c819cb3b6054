/**
 * The life of an installation, on a Debian that has booted: each test goes on where the one before has
 * left the machine.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { releases } from '../../build/prepare-life.mjs';
import { requires } from '../requirements.ts';
import { startBarrage } from './barrage.ts';
import { bootMachine, type Machine } from './machine.ts';
import { writeDeb } from './packages.ts';

const soon = { timeout: 30_000, interval: 100 };
const attacker = '198.18.255.1';
const bystander = '198.18.255.2';
const thousand = Array.from(
  { length: 1_000 },
  (_, index) => `198.18.${Math.floor(index / 250)}.${(index % 250) + 1}`,
);

interface Held {
  readonly response: string;
  readonly target: string;
  readonly until: string | null;
}

requires(
  'root',
  'namespaces',
  'systemd-nspawn',
  'debootstrap',
  'pgrep',
)('life of an installation', () => {
  describe.each(releases)('on Debian %s', (release) => {
    let machine: Machine;
    let packages: readonly string[];

    beforeAll(async () => {
      machine = await bootMachine(release);
      await mkdir(join(machine.root, 'srv/packages'));
      const folder = join(machine.root, 'srv/packages');
      packages = [await writeDeb(folder, '0.1.0'), await writeDeb(folder, '0.1.1')];
    }, 300_000);
    afterAll(() => machine?.close(), 60_000);

    const arExec = (...words: string[]) => machine.run('ar-exec', ...words);
    const unit = async (property: string) =>
      machine.run('systemctl', 'show', '--value', '--property', property, 'ar-exec.service');
    const held = async (): Promise<readonly Held[]> =>
      JSON.parse(await arExec('list', '--json', '--limit', '10000')).actions;
    /** Addresses that the kernel drops, whoever put them there. */
    const inKernel = async (): Promise<string[]> => {
      const { said } = await machine.tries(
        'nft',
        '--json',
        'list',
        'set',
        'inet',
        'ar-exec',
        'hosts4',
      );
      if (!said.startsWith('{')) return [];
      const [set] = JSON.parse(said).nftables.flatMap((one: object) =>
        'set' in one ? [one.set] : [],
      );
      return (set.elem ?? []).map((one: string | { elem: { val: string } }) =>
        typeof one === 'string' ? one : one.elem.val,
      );
    };
    const ready = () => expect.poll(() => unit('StatusText'), soon).toMatch(/^ready; /);
    /** What comes through from one address, when packets have come through from another. */
    const through = async (from: string): Promise<number> => {
      const barrage = await startBarrage(machine, [from], bystander);
      try {
        await expect.poll(async () => (await barrage.count()).open, soon).toBeGreaterThan(50);
        return (await barrage.count()).blocked;
      } finally {
        await barrage.stop();
      }
    };

    test('installed, it is up and ready, and starts with the machine', async () => {
      const { status, said } = await machine.tries('dpkg', '-i', `/srv/packages/${packages[0]}`);
      expect({ status, said }).toMatchObject({ status: 0 });
      expect(said).not.toMatch(/warning|error|failed/i);
      // With Type=notify systemctl start has waited for it.
      expect(await unit('StatusText')).toMatch(/^ready; 0 held/);
      expect(await unit('ActiveState')).toBe('active');
      expect(await machine.run('systemctl', 'is-enabled', 'ar-exec.service')).toBe('enabled');
      expect(JSON.parse(await arExec('status', '--json'))).toMatchObject({ healthy: true });
      expect(await machine.run('stat', '-c', '%U:%G %a', '/var/lib/ar-exec')).toBe('root:root 700');
      // The group of the package may ask.
      expect(await machine.run('stat', '-c', '%G %a', '/run/ar-exec/ar-exec.sock')).toBe(
        'ar-exec 660',
      );
      expect(await machine.run('dpkg', '--verify', 'ar-exec')).toBe('');
    });

    test('what is asked for through the socket, the kernel holds', async () => {
      expect(await through(attacker)).toBeGreaterThan(0);
      await arExec('add', 'firewall-drop', '--srcip', attacker, '--timeout', '1h');
      expect(await inKernel()).toEqual([attacker]);
      expect(await through(attacker)).toBe(0);
    });

    test('killed, it is back, and nothing is lost', async () => {
      const before = await held();
      const pid = await unit('MainPID');
      await machine.run('systemctl', 'kill', '--kill-who=main', '-s', 'KILL', 'ar-exec.service');
      await expect.poll(() => unit('NRestarts'), soon).toBe('1');
      await ready();
      expect(await unit('MainPID')).not.toBe(pid);
      expect(await held()).toEqual(before);
      expect(await inKernel()).toEqual([attacker]);
    });

    test('one that hangs is started anew by the watchdog', async () => {
      await machine.run('mkdir', '-p', '/run/systemd/system/ar-exec.service.d');
      const impatient =
        "printf '[Service]\\nWatchdogSec=3\\n' >/run/systemd/system/ar-exec.service.d/test.conf";
      await machine.run('sh', '-c', impatient);
      await machine.run('systemctl', 'daemon-reload');
      await machine.run('systemctl', 'restart', 'ar-exec.service');
      const pid = await unit('MainPID');
      // Signs of life come: it is not ended while it lives.
      const asked = Number(await unit('WatchdogTimestampMonotonic'));
      await expect
        .poll(async () => Number(await unit('WatchdogTimestampMonotonic')) - asked, soon)
        .toBeGreaterThan(4_000_000);
      expect(await unit('MainPID')).toBe(pid);
      await machine.run('sh', '-c', `kill -STOP ${pid}`);
      await expect.poll(() => unit('MainPID'), soon).not.toMatch(new RegExp(`^(0|${pid})$`));
      await ready();
      await machine.run('rm', '-r', '/run/systemd/system/ar-exec.service.d');
      await machine.run('systemctl', 'daemon-reload');
      await machine.run('systemctl', 'restart', 'ar-exec.service');
      expect((await held()).map(({ target }) => target)).toEqual([attacker]);
    });

    test.each(['restart', 'reload'])(
      'a %s of nftables, which flushes all, is repaired',
      async (verb) => {
        await machine.run('systemctl', 'start', 'nftables.service');
        await expect.poll(inKernel, soon).toEqual([attacker]);
        await machine.run('systemctl', verb, 'nftables.service');
        await expect.poll(inKernel, soon).toEqual([attacker]);
        expect(await through(attacker)).toBe(0);
        expect(await unit('ActiveState')).toBe('active');
      },
    );

    test('so is a restart of firewalld', async () => {
      await machine.run('systemctl', 'stop', 'nftables.service');
      await machine.run('systemctl', 'start', 'firewalld.service');
      await machine.run('systemctl', 'restart', 'firewalld.service');
      await expect.poll(inKernel, soon).toEqual([attacker]);
      await machine.run('systemctl', 'stop', 'firewalld.service');
      await expect.poll(inKernel, soon).toEqual([attacker]);
      expect(await unit('ActiveState')).toBe('active');
      expect(await through(attacker)).toBe(0);
    });

    test('after a restart of the machine it is held again, with the time that is left', async () => {
      const before = await held();
      await machine.reboot();
      await ready();
      expect(await held()).toEqual(before);
      const list = await machine.run('nft', '--json', 'list', 'set', 'inet', 'ar-exec', 'hosts4');
      const [, expires = ''] = /"expires": (\d+)/.exec(list) ?? [];
      const left = (Date.parse(before[0]?.until ?? '') - Date.now()) / 1_000;
      expect(Number(expires)).toBeGreaterThan(left - 30);
      expect(Number(expires)).toBeLessThan(left + 5);
      expect(await through(attacker)).toBe(0);
    });

    test('an upgrade with 1,000 blocks lets no packet through', async () => {
      await arExec('delete', 'firewall-drop', '--srcip', attacker);
      const requests = thousand.map((srcip, id) =>
        JSON.stringify({
          id,
          command: 'add',
          response: 'firewall-drop',
          srcip,
          timeoutSeconds: 3_600,
        }),
      );
      await machine.asks(requests);
      expect((await inKernel()).length).toBe(1_000);
      const pid = await unit('MainPID');
      const barrage = await startBarrage(machine, thousand, bystander);
      try {
        await expect.poll(async () => (await barrage.count()).open, soon).toBeGreaterThan(100);
        const upgraded = await machine.tries('dpkg', '-i', `/srv/packages/${packages[1]}`);
        expect(upgraded).toMatchObject({ status: 0 });
        expect(await unit('MainPID')).not.toBe(pid);
        expect(await unit('StatusText')).toBe('ready; 1000 held at the start');
        const { open } = await barrage.count();
        await expect
          .poll(async () => (await barrage.count()).open, soon)
          .toBeGreaterThan(open + 100);
        const { blocked, examples } = await barrage.count();
        expect({ blocked, examples }).toEqual({ blocked: 0, examples: [] });
        // The barrage would have shown it.
        await arExec('delete', 'firewall-drop', '--srcip', thousand[500] ?? '');
        await expect
          .poll(async () => (await barrage.count()).examples, soon)
          .toEqual([thousand[500]]);
      } finally {
        await barrage.stop();
      }
      expect(await machine.run('dpkg-query', '-W', 'ar-exec')).toMatch(/\t0\.1\.1$/);
    });

    test('removed, all is taken back, the service is gone, and the journal is kept', async () => {
      expect(await machine.tries('dpkg', '-r', 'ar-exec')).toMatchObject({ status: 0 });
      expect(await machine.run('nft', 'list', 'ruleset')).not.toContain('ar-exec');
      expect(await through(thousand[0] ?? '')).toBeGreaterThan(0);
      expect(await machine.tries('systemctl', 'is-active', 'ar-exec.service')).toMatchObject({
        said: 'inactive',
      });
      const programs = 'for one in /proc/[0-9]*/exe; do readlink "$one"; done; true';
      expect(await machine.run('sh', '-c', programs)).not.toContain('ar-exec');
      expect(existsSync(join(machine.root, 'var/lib/ar-exec/journal.db'))).toBe(true);
      expect(existsSync(join(machine.root, 'etc/ar-exec/ar-exec.conf'))).toBe(true);
      expect(existsSync(join(machine.root, 'usr/bin/ar-exec'))).toBe(false);
    });

    test('purged, nothing is left', async () => {
      expect(await machine.tries('dpkg', '-P', 'ar-exec')).toMatchObject({ status: 0 });
      const ours = (await machine.written()).filter((path) => /ar[-_]exec/.test(path));
      expect(ours.filter((path) => !path.startsWith('/srv/packages/'))).toEqual([]);
      expect(await machine.tries('getent', 'group', 'ar-exec')).toMatchObject({ status: 2 });
    });
  });
});
