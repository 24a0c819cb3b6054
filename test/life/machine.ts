/**
 * A Debian of its own, booted with systemd as its first process: its files are a layer above a base that
 * build/prepare-life.mjs made, its network is a wire to a namespace of attackers.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import { baseFolder } from '../../build/prepare-life.mjs';
import { openPeer } from '../e2e/peer.ts';

export interface Machine {
  /** Runs a command in it; rejects when it fails. */
  run(...argv: readonly string[]): Promise<string>;
  /** The same, with its exit status and what it said, whatever came of it. */
  tries(...argv: readonly string[]): Promise<{ status: number | undefined; said: string }>;
  /** Sends lines to the agent's socket, and waits until each of them is answered with a yes. */
  asks(lines: readonly string[]): Promise<void>;
  /** Its root, seen from outside. */
  readonly root: string;
  /** Words that start a program of this machine's in the network of the Debian, or in that of the attackers. */
  inside(): readonly string[];
  outside(): readonly string[];
  /** Ends all that runs in it and starts it anew; rules of the kernel are gone with its network. */
  reboot(): Promise<void>;
  /** Files that were written since it was made, by their path. */
  written(): Promise<string[]>;
  close(): Promise<void>;
}

export const address = '10.79.0.1';
const gateway = '10.79.0.2';
/** All of it is the attackers'. */
const attackers = '198.18.0.0/16';
const bootMs = 120_000;

export async function bootMachine(release: string): Promise<Machine> {
  const tag = randomBytes(3).toString('hex');
  const peers = `ar-l-${tag}`;
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-life-'));
  const [root, layers] = [join(folder, 'root'), join(folder, 'layers')];
  const ip = (...args: string[]) => execa('ip', args);
  await Promise.all([mkdir(root), mkdir(layers)]);
  // A layer cannot lie on every file system; it can in memory.
  await execa('mount', ['-t', 'tmpfs', '-o', 'size=2g,mode=755', 'none', layers]);
  await Promise.all(['upper', 'work'].map((name) => mkdir(join(layers, name))));
  const lower = `lowerdir=${baseFolder(release)}`;
  const upper = `upperdir=${layers}/upper,workdir=${layers}/work`;
  await execa('mount', ['-t', 'overlay', '-o', `${lower},${upper}`, 'overlay', root]);
  await ip('netns', 'add', peers);
  await ip('-n', peers, 'link', 'set', 'lo', 'up');
  await ip('-n', peers, 'route', 'add', 'local', attackers, 'dev', 'lo');

  const options = ['--quiet', '-D', root, '--private-network', '--register=no', '--keep-unit'];
  // systemd 256 and later want the one hierarchy of cgroups, also where the kernel was started with both.
  const start = () =>
    execa('systemd-nspawn', [...options, '--console=pipe', '-b'], {
      env: { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1', SYSTEMD_LOG_TARGET: 'null' },
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
      reject: false,
    });
  let booted = start();
  let first = 0;

  const words = (argv: readonly string[]) => [
    '--target',
    String(first),
    ...['--mount', '--uts', '--ipc', '--net', '--pid', '--wdns=/'],
    // Nothing of this machine's environment is the other's.
    ...['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'DEBIAN_FRONTEND=noninteractive'],
    ...argv,
  ];
  const tries: Machine['tries'] = async (...argv) => {
    const options = { reject: false, all: true, stdin: 'ignore', timeout: 300_000 } as const;
    const { exitCode, all } = await execa('nsenter', words(argv), options);
    return { status: exitCode, said: all };
  };
  const run: Machine['run'] = async (...argv) =>
    (await execa('nsenter', words(argv), { stdin: 'ignore', timeout: 300_000 })).stdout;

  /** Until its systemd has done what is to be done at a start. */
  const up = async (): Promise<void> => {
    const before = first;
    const deadline = Date.now() + bootMs;
    for (;;) {
      const child = await execa('pgrep', ['--parent', String(booted.pid), '--exact', 'systemd'], {
        reject: false,
      });
      first = Number(child.stdout.split('\n').at(-1)) || before;
      const { said } =
        first === before ? { said: '' } : await tries('systemctl', 'is-system-running', '--wait');
      if (/^(?:running|degraded)$/m.test(said)) break;
      if (Date.now() > deadline) throw new Error(`${release} has not booted: ${said}`);
      await sleep(100);
    }
    const far = ['netns', String(first)];
    await ip('-n', peers, 'link', 'add', 'wire', 'type', 'veth', 'peer', 'name', 'wire', ...far);
    await ip('-n', peers, 'addr', 'add', `${gateway}/24`, 'dev', 'wire');
    await ip('-n', peers, 'link', 'set', 'wire', 'up');
    await run('ip', 'addr', 'add', `${address}/24`, 'dev', 'wire');
    await run('ip', 'link', 'set', 'wire', 'up');
    await run('ip', 'route', 'add', attackers, 'via', gateway);
  };

  const close = async (): Promise<void> => {
    booted.kill('SIGKILL');
    if (first !== 0) await execa('kill', ['-KILL', String(first)], { reject: false });
    await booted;
    await execa('umount', ['--lazy', root], { reject: false });
    await execa('umount', ['--lazy', layers], { reject: false });
    await execa('ip', ['netns', 'del', peers], { reject: false });
    await rm(folder, { recursive: true, force: true });
  };

  try {
    await up();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    run,
    tries,
    asks: async (lines) => {
      // Through its own view of /run, which is mounted in there alone.
      const peer = await openPeer(`/proc/${first}/root/run/ar-exec/ar-exec.sock`);
      try {
        for (const line of lines) peer.send(`${line}\n`);
        for (const line of lines) {
          const reply = await peer.next();
          if (reply['ok'] !== true) throw new Error(`${line}: ${JSON.stringify(reply)}`);
        }
      } finally {
        peer.close();
      }
    },
    root,
    inside: () => ['nsenter', '--target', String(first), '--net'],
    outside: () => ['ip', 'netns', 'exec', peers],
    reboot: async () => {
      // Its first process ends when all others have.
      await tries('systemctl', 'reboot');
      for (const deadline = Date.now() + bootMs; Date.now() < deadline; await sleep(100)) {
        if (!existsSync(`/proc/${first}`)) break;
      }
      // Some nspawns end where others start it anew: so it is always one of ours that does.
      booted.kill('SIGKILL');
      await booted;
      booted = start();
      await up();
    },
    written: async () => {
      const all = await readdir(join(layers, 'upper'), { recursive: true, withFileTypes: true });
      // What was taken away of the base is a device there.
      return all
        .filter((one) => !one.isCharacterDevice())
        .map((one) => join(one.parentPath, one.name).slice(join(layers, 'upper').length))
        .sort();
    },
    close,
  };
}
