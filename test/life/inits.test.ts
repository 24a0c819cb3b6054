/**
 * `ar-exec service` on a Debian that has no systemd: the tools of OpenRC and of System V are the real ones.
 * Nothing boots, as their first process would be the machine's; they enter their runlevel, as at a start.
 */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { baseFolder, initFolder, releases } from '../../build/prepare-life.mjs';
import { requires } from '../requirements.ts';

const soon = { timeout: 60_000, interval: 200 };
const attacker = '203.0.113.7';
const logFile = '/var/log/ar-exec/ar-exec.log';

/** What a start of the machine comes to, and what says by which of them it was started. */
const start = {
  openrc: ['openrc sysinit', 'openrc boot', 'openrc default'],
  sysv: ['mkfifo /run/initctl', 'PREVLEVEL=N RUNLEVEL=2 /etc/init.d/rc 2'],
} as const;

type Init = keyof typeof start;

interface Machine {
  tries(...argv: readonly string[]): Promise<{ status: number | undefined; said: string }>;
  restart(): Promise<void>;
  close(): Promise<void>;
}

const mounts = [
  'mount -t proc proc /proc',
  'mount -t tmpfs none /run',
  'mount -t tmpfs none /dev',
  'mknod -m 666 /dev/null c 1 3',
  'mknod -m 444 /dev/random c 1 8',
  'mknod -m 444 /dev/urandom c 1 9',
  'ip link set lo up',
];

async function makeMachine(init: Init): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-init-'));
  const [root, layers] = [join(folder, 'root'), join(folder, 'layers')];
  await Promise.all([mkdir(root), mkdir(layers)]);
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=1g,mode=755', 'none', layers]);
  await Promise.all(['upper', 'work'].map((name) => mkdir(join(layers, name))));
  const lower = `lowerdir=${baseFolder(releases[0] ?? '')}`;
  const upper = `upperdir=${layers}/upper,workdir=${layers}/work`;
  await execa('mount', ['-t', 'overlay', '-o', `${lower},${upper}`, 'overlay', root]);
  // Not over the links of a merged /usr.
  const unpack =
    'for file in "$0"/*.deb; do dpkg-deb --fsys-tarfile "$file" | tar -xC "$1" --keep-directory-symlink || exit; done';
  await execa('sh', ['-c', unpack, initFolder(init), root]);
  await copyFile(resolve('build/out/ar-exec'), join(root, 'root/ar-exec'));
  await writeFile(join(root, 'etc/inittab'), '');
  await mkdir(join(root, 'etc/ar-exec'));
  const configuration = `<ar-exec><log_file>${logFile}</log_file></ar-exec>`;
  await writeFile(join(root, 'etc/ar-exec/ar-exec.conf'), configuration);

  const boot = () => {
    // It has to take note of the end of processes whose parents have ended, as a first process does.
    const idle = 'while :; do sleep 1; done';
    const first = [...mounts, ...start[init], 'echo up', idle].join(' && ');
    const spaces = ['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child'];
    return execa('unshare', [...spaces, 'chroot', root, 'sh', '-c', first], {
      reject: false,
      buffer: false,
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
      extendEnv: false,
      stdin: 'ignore',
      stderr: 'ignore',
    });
  };
  let shell = boot();
  let first = '';
  const up = async () => {
    for await (const line of createInterface({ input: shell.stdout })) {
      if (line === 'up') break;
    }
    first = (await execa('pgrep', ['--parent', String(shell.pid)])).stdout.trim();
  };
  const end = async () => {
    shell.kill('SIGKILL');
    await shell;
  };
  const close = async () => {
    await end();
    for (const place of [root, layers]) await execa('umount', ['--lazy', place], { reject: false });
    await rm(folder, { recursive: true, force: true });
  };
  await up();
  return {
    tries: async (...argv) => {
      const inside = ['--target', first, '--mount', '--pid', '--net', '--uts', '--ipc', '--root'];
      const path = 'PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
      const words = [...inside, '--wdns=/', 'env', '-i', path, ...argv];
      const options = { reject: false, all: true, stdin: 'ignore', timeout: 100_000 } as const;
      const { exitCode, all } = await execa('nsenter', words, options);
      return { status: exitCode, said: all };
    },
    restart: async () => {
      await end();
      shell = boot();
      await up();
    },
    close,
  };
}

requires(
  'root',
  'namespaces',
  'debootstrap',
  'pgrep',
)('a service where there is no systemd', () => {
  describe.each(['openrc', 'sysv'] as const)('%s', (init) => {
    let machine: Machine;
    beforeAll(async () => {
      machine = await makeMachine(init);
    });
    afterAll(() => machine?.close());

    const service = (what: string) => machine.tries('/root/ar-exec', 'service', what);
    const held = async (): Promise<unknown> => {
      const { status, said } = await machine.tries('ar-exec', 'list', '--json');
      return status === 0
        ? JSON.parse(said).actions.map((one: { target: string }) => one.target)
        : said;
    };
    const pid = async (): Promise<number> =>
      JSON.parse((await machine.tries('ar-exec', 'status', '--json')).said).pid;

    test('installed, it runs; again, nothing is changed', async () => {
      expect(await service('status')).toEqual({
        status: 10,
        said: 'ar-exec is no service of this machine.',
      });
      expect(await service('install')).toMatchObject({ status: 0 });
      expect(await service('status')).toEqual({
        status: 0,
        said: 'ar-exec is a service of this machine, and runs.',
      });
      await expect.poll(held, soon).toEqual([]);
      const before = await pid();
      expect(await service('install')).toMatchObject({ status: 0 });
      expect(await pid()).toBe(before);
    });

    test('killed, it is back with what it holds', async () => {
      const add = ['ar-exec', 'add', 'firewall-drop', '--srcip', attacker];
      expect(await machine.tries(...add)).toMatchObject({ status: 0 });
      const before = await pid();
      await machine.tries('sh', '-c', `kill -KILL ${before}`);
      await expect.poll(held, soon).toEqual([attacker]);
      expect(await pid()).not.toBe(before);
    });

    test('when its logs are rotated, it goes on in new ones', async () => {
      const rotation = (await machine.tries('cat', '/etc/logrotate.d/ar-exec')).said;
      const [, after = ''] = /postrotate\n([\s\S]*)endscript/.exec(rotation) ?? [];
      const rotate = `mv ${logFile} ${logFile}.1; ${after}`;
      expect(await machine.tries('sh', '-c', rotate)).toEqual({ status: 0, said: '' });
      await expect
        .poll(async () => (await machine.tries('cat', logFile)).said, soon)
        .toContain('"msg":');
    });

    test('after a restart of the machine it is started with it', async () => {
      await machine.restart();
      await expect.poll(held, soon).toEqual([attacker]);
      expect((await machine.tries('nft', 'list', 'ruleset')).said).toContain(attacker);
    });

    test('stopped by hand, it is told, and is started by what installs it', async () => {
      await machine.tries('/etc/init.d/ar-exec', 'stop');
      expect(await service('status')).toEqual({
        status: 10,
        said: 'ar-exec is a service of this machine, and does not run.',
      });
      expect(await service('install')).toMatchObject({ status: 0 });
      await expect.poll(held, soon).toEqual([attacker]);
    });

    test('uninstalled, it is ended, is not started any more, and its journal is kept', async () => {
      expect(await service('uninstall')).toMatchObject({ status: 0 });
      const programs = 'for one in /proc/[0-9]*/exe; do readlink "$one"; done; true';
      expect((await machine.tries('sh', '-c', programs)).said).not.toContain('ar-exec');
      const ours =
        'ls /etc/init.d /etc/rc?.d /etc/runlevels/* /usr/local/bin /etc/logrotate.d; true';
      expect((await machine.tries('sh', '-c', ours)).said).not.toContain('ar-exec');
      const journal = ['test', '-s', '/var/lib/ar-exec/journal.db'];
      expect(await machine.tries(...journal)).toMatchObject({ status: 0 });
      expect(await service('status')).toMatchObject({ status: 10 });
    });
  });
});
