/**
 * A machine with accounts of its own: a folder that stands for /etc in a private mount namespace. The
 * files of the machine that the tests run on are never touched.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { changeAccount, readAccounts } from '../../agent/system/change-account.ts';
import { endSessions } from '../../agent/system/end-sessions.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { Runner } from '../../platform/step.ts';
import type { UserTarget } from '../../platform/target.ts';
import type { Machine } from '../contract/driver-contract.ts';

/** Far from the numbers of real accounts: what runs under one of these was started by a test. */
const firstNumber = 3_000_000 + 1_000 * (process.pid % 1_000);

/** sha512crypt of `password`. */
export const password = 'open sesame';
export const hash =
  '$6$saltsalt$e/5XKibXPLqVcfjpD.ouauaJrAOL5V0uo80Lt7n7EbRdRiCx3HbQ90yjOHr.G0T.mx79PEMRy8nmtr0qSYhQp1';
export const otherHash =
  '$6$saltsalt$BgqlndsCSksBI1IivqEJ6Hhr7WGv2IB8vd70Yhz8HtM4XmK.o4vRF7xcgS2M5CLMgjxrSxQinUEA25BCqSIr5/';

export interface AccountMachine extends Machine {
  /** What stands for /etc. */
  readonly etc: string;
  /** A command line that runs in this machine. */
  inside(argv: readonly string[]): string[];
  add(name: string, state?: { field?: string; expire?: string; uid?: number }): number;
  /** The line of an account in its /etc/shadow: password, expiry, and all else. */
  line(name: string): { field: string; expire: string; rest: string } | undefined;
  /** Changes fields by hand, as an editor would. */
  edit(file: 'passwd' | 'shadow', change: (text: string) => string): void;
}

/** Takes its own mounts along when the last process of it ends. */
const enter = 'mount --bind "$1" /etc && mount -t tmpfs none /run && shift && exec "$@"';

export function insideEtc(etc: string, argv: readonly string[]): string[] {
  return ['unshare', '--mount', '--', 'sh', '-c', enter, 'sh', etc, ...argv];
}

export async function accountMachine(folder?: string): Promise<AccountMachine> {
  const home = folder ?? (await mkdtemp(join(tmpdir(), 'ar-accounts-')));
  const etc = join(home, 'etc');
  plantEtc(etc);
  let next = firstNumber;
  const inside = (argv: readonly string[]): string[] => insideEtc(etc, argv);
  const add: AccountMachine['add'] = (name, { field = hash, expire = '', uid } = {}) => {
    const number = uid ?? next++;
    appendTo(etc, 'passwd', `${name}:x:${number}:${number}:${name}:/:/bin/sh`);
    appendTo(etc, 'shadow', `${name}:${field}:19000:0:99999:7::${expire}:`);
    appendTo(etc, 'group', `${name}:x:${number}:`);
    return number;
  };
  add('root', { field: '*', uid: 0 });
  return {
    etc,
    inside,
    add,
    line: (name) => lineOf(etc, name),
    edit: (file, change) => {
      const path = join(etc, file);
      writeFileSync(path, change(readFileSync(path, 'utf8')));
    },
    run: runnerInside(etc),
    exec: async (argv, input = '') => {
      const [tool = '', ...args] = inside(argv);
      return (await execa(tool, args, { input })).stdout;
    },
    close: () => rm(home, { recursive: true, force: true }),
  };
}

/** Lines of all accounts, each fact of it on a line of its own, so that what is new is only added. */
export async function dumpAccounts({ etc }: Pick<AccountMachine, 'etc'>): Promise<string> {
  const [passwd, shadow, group] = await Promise.all(
    ['passwd', 'shadow', 'group'].map((file) => readFile(join(etc, file), 'utf8')),
  );
  const facts = (shadow ?? '').split('\n').flatMap((line) => {
    const [name, field = '', ...rest] = line.split(':');
    const bare = field.replace(/^!/, '');
    const [expire] = rest.splice(5, 1);
    return [
      `${name}:${bare}:${rest.join(':')}`,
      ...(field === bare ? [] : [`${name} is locked`]),
      ...(expire ? [`${name} expires ${expire}`] : []),
    ];
  });
  return [passwd, ...facts, group].join('\n');
}

export function users(names: readonly string[]): UserTarget[] {
  return names.map((text) => ({ kind: 'user', text }));
}

/** What the machine that the tests run on has, to be compared before and after; only root may ask. */
export function fingerprint(): string {
  if (process.getuid?.() !== 0) return '';
  return ['passwd', 'shadow', 'group', 'gshadow']
    .map((file) => {
      const { ino, mtimeMs, mode } = statSync(`/etc/${file}`);
      const sum = createHash('sha256')
        .update(readFileSync(`/etc/${file}`))
        .digest('hex');
      return [file, ino, mtimeMs, mode, sum].join(' ');
    })
    .join('\n');
}

function plantEtc(etc: string): void {
  mkdirSync(join(etc, 'pam.d'), { recursive: true });
  for (const file of ['passwd', 'group']) writeFileSync(join(etc, file), '', { mode: 0o644 });
  for (const file of ['shadow', 'gshadow']) writeFileSync(join(etc, file), '', { mode: 0o640 });
  writeFileSync(join(etc, 'nsswitch.conf'), 'passwd: files\ngroup: files\nshadow: files\n');
  const rules = ['auth required pam_unix.so nullok', 'account required pam_unix.so'];
  writeFileSync(join(etc, 'pam.d', 'ar-login'), `${rules.join('\n')}\n`);
}

function appendTo(etc: string, file: string, line: string): void {
  const path = join(etc, file);
  writeFileSync(path, `${readFileSync(path, 'utf8')}${line}\n`);
}

function lineOf(etc: string, wanted: string): ReturnType<AccountMachine['line']> {
  for (const line of readFileSync(join(etc, 'shadow'), 'utf8').split('\n')) {
    const [name, field = '', ...rest] = line.split(':');
    const [expire = ''] = rest.splice(5, 1);
    if (name === wanted) return { field, expire, rest: rest.join(':') };
  }
  return undefined;
}

/** The agent's own runner, with files and tools of this machine. */
export function runnerInside(etc: string): Runner {
  const outer = createRunner();
  const run: Runner = async (step) => {
    try {
      switch (step.kind) {
        case 'command': {
          const [tool = '', ...args] = insideEtc(etc, [step.tool, ...step.args]);
          return await outer({ ...step, tool, args });
        }
        case 'read-file':
          return await outer({ ...step, path: step.path.replace(/^\/etc\//, `${etc}/`) });
        case 'read-accounts':
          return await readAccounts(run);
        case 'change-account':
          return await changeAccount(step, run);
        case 'end-sessions':
          return await endSessions(step, run);
        default:
          throw new Error(`no driver of accounts plans a step ${step.kind}`);
      }
    } catch (error) {
      return { failure: 'io', stdout: '', stderr: error instanceof Error ? error.message : '' };
    }
  };
  return run;
}

/** Accounts with these names, in the state that most have. */
export async function plantUsers(
  machine: AccountMachine,
  targets: readonly UserTarget[],
): Promise<void> {
  const known = new Set(
    readFileSync(join(machine.etc, 'passwd'), 'utf8')
      .split('\n')
      .map((line) => line.split(':')[0]),
  );
  for (const { text } of targets) if (!known.has(text)) machine.add(text);
}
