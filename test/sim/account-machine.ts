/** Simulated machines with accounts: a BSD with its /etc, and a Mac with its directory. */
import { changeAccount, readAccounts } from '../../agent/system/change-account.ts';
import { endSessions } from '../../agent/system/end-sessions.ts';
import type { Runner } from '../../platform/step.ts';
import type { UserTarget } from '../../platform/target.ts';
import { simulate as condition } from './condition.ts';
import { directoryOf, type SimDirectory } from './directory.ts';
import { simulate as dscl } from './dscl.ts';
import { simulate as id } from './id.ts';
import { type Entry, findEntry, formatEntry, path } from './master-passwd.ts';
import { simulate as pkill } from './pkill.ts';
import { simulate as pw } from './pw.ts';
import { simulate as pwpolicy } from './pwpolicy.ts';
import { createQuickMachine, type QuickMachine } from './quick-machine.ts';
import { answer, type SimSystem, type Simulator } from './simulator.ts';
import { simulate as uname } from './uname.ts';
import { simulate as usermod } from './usermod.ts';

export const hash = '$2b$10$saltsaltsaltsaltsaltsOldOldOldOldOldOldOldOldOldOldOldO';
export const otherHash = '$2b$10$saltsaltsaltsaltsaltsNewNewNewNewNewNewNewNewNewNewNewN';

export interface BsdAccounts extends QuickMachine {
  /** Another account; answers with its number. */
  add(name: string, state?: Partial<Entry>): number;
  entry(name: string): Entry | undefined;
  text(file: string): string;
  /** As an editor would change a file. */
  edit(file: string, change: (text: string) => string): void;
}

export interface MacAccounts extends QuickMachine {
  add(name: string, state?: { uid?: number; authority?: string[]; groups?: string[] }): number;
  readonly directory: SimDirectory;
}

/** Files of the machine, by tools that no driver plans. */
const cat: Simulator = ({ args: [file = ''], readFile }) => ({
  ...answer(0),
  stdout: readFile(file) ?? '',
});
const tee: Simulator = ({ args: [file = ''], stdin, writeFile }) => {
  writeFile(file, stdin);
  return answer(0);
};

export function bsdAccounts(system: SimSystem): BsdAccounts {
  const hasPw = system.startsWith('freebsd') || system === 'dragonfly6';
  const own = hasPw ? { pw } : { usermod, userinfo: usermod };
  const quick = createQuickMachine(system, { ...own, uname, test: condition, pkill, cat, tee });
  let next = 1_001;
  const text = (file: string): string => quick.call(['cat', file]).stdout;
  const put = (file: string, all: string): void => void quick.call(['tee', file], all);
  put(path, '# $BSD$\nroot:$2b$10$root:0:0:daemon:0:0:Charlie &:/root:/bin/sh\n');
  put('/etc/group', 'wheel:*:0:root\n');
  return extended(quick, {
    run: runner(quick, text),
    text,
    edit: (file: string, change: (all: string) => string) => put(file, change(text(file))),
    entry: (name: string) => findEntry({ readFile: text }, name),
    add: (name: string, state: Partial<Entry> = {}) => {
      const uid = state.uid ?? `${next++}`;
      const usual = { password: hash, class: '', change: '0', expire: '0', shell: '/bin/sh' };
      const rest = { gecos: name, home: `/home/${name}` };
      const entry = { ...usual, ...rest, ...state, name, uid, gid: state.gid ?? uid };
      put(path, `${text(path)}${formatEntry(entry)}\n`);
      return Number(uid);
    },
  });
}

export function macAccounts(): MacAccounts {
  const quick = createQuickMachine('macos14', { dscl, pwpolicy, id, pkill });
  const directory = directoryOf(quick.parts);
  directory.disabled = [];
  quick.parts['groups'] = {};
  let next = 501;
  const add: MacAccounts['add'] = (name, { uid = next++, authority, groups = ['staff'] } = {}) => {
    const usual = [
      ';ShadowHash;HASHLIST:<SALTED-SHA512-PBKDF2>',
      `;Kerberosv5;;${name}@LKDC:SHA1.00`,
    ];
    directory.users[name] = { uid, gid: 20, authority: authority ?? usual };
    (quick.parts['groups'] as Record<string, string[]>)[name] = groups;
    return uid;
  };
  add('root', { uid: 0, authority: [] });
  add('nobody', { uid: -2, authority: [] });
  return extended(quick, { run: runner(quick, () => ''), directory, add });
}

/** The agent's own work on accounts, with the tools and files of this machine. */
function runner({ run: tools }: QuickMachine, text: (file: string) => string): Runner {
  const run: Runner = async (step) => {
    try {
      switch (step.kind) {
        case 'read-file':
          return { stdout: text(step.path), stderr: '' };
        case 'read-accounts':
          return await readAccounts(run, step);
        case 'change-account':
          return await changeAccount(step, run, 500);
        case 'end-sessions':
          return await endSessions(step, run, 200);
        default:
          return await tools(step);
      }
    } catch (error) {
      return { failure: 'io', stdout: '', stderr: error instanceof Error ? error.message : '' };
    }
  };
  return run;
}

/** The same machine with more to it: what is set on it (its switches) is set on the first one, too. */
function extended<More extends object>(quick: QuickMachine, more: More): QuickMachine & More {
  return Object.assign(quick, more);
}

/** Each fact of an account on a line of its own, so that what is new is only added. */
export function dumpBsd({ text }: Pick<BsdAccounts, 'text'>): string {
  const facts = text(path)
    .split('\n')
    .flatMap((line) => {
      const [name, field, uid, gid, klass, change, expire = '', ...rest] = line.split(':');
      if (field === undefined) return [line];
      const [, mark = '', password] = /^(\*LOCKED\*|\*)?(.*)$/.exec(field) ?? [];
      const [gecos, home, shell = ''] = rest;
      const bare = shell.replace(/-$/, '');
      return [
        [name, password, uid, gid, klass, change, gecos, home, bare].join(':'),
        ...(mark === '' ? [] : [`${name} is locked by ${mark}`]),
        ...(shell === bare ? [] : [`${name} has a locked shell`]),
        ...(Number(expire) === 0 ? [] : [`${name} expires ${expire}`]),
      ];
    });
  return [...facts, text('/etc/group')].join('\n');
}

export function dumpMac({ directory }: Pick<MacAccounts, 'directory'>): string {
  const users = Object.entries(directory.users).map((one) => JSON.stringify(one));
  const disabled = (directory.disabled ?? []).map((name) => `${name} is disabled`);
  return [...users, ...disabled].join('\n');
}

export function users(names: readonly string[]): UserTarget[] {
  return names.map((text) => ({ kind: 'user', text }));
}

/** Has accounts with these names on the machine, in the state that most have. */
export function plantUsers(
  machine: Pick<BsdAccounts, 'add'> | Pick<MacAccounts, 'add'>,
  isThere: (name: string) => boolean,
  targets: readonly UserTarget[],
): void {
  for (const { text } of targets) if (!isThere(text)) machine.add(text);
}
