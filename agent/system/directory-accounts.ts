/**
 * macOS: the local node of Open Directory. Who is disabled is a member of a group; pwpolicy(8) puts
 * accounts in and takes them out, and knows what else belongs to it.
 *
 * `;DisabledUser;` in an account's AuthenticationAuthority disables it as well, in the old way. It is
 * seen, and never made: appended by dscl it stands behind the other values, and for who comes with a
 * key PAM looks at the first one only (od_record_check_authauthority in Apple's pam_modules).
 */
import type { Runner, StepResult } from '../../platform/step.ts';
import type { LocalAccount } from './account-files.ts';
import { type AccountKeeper, command, type Next, reached } from './account-keeper.ts';

const group = '/Groups/com.apple.access_disabled';

/** What dscl ends with when there is no such record (eDSRecordNotFound, -14136). */
const noRecord = 56;

export const directoryAccounts: AccountKeeper = {
  read,
  disable: ({ name, password }) =>
    password === 'locked' ? reached : pwpolicy('-disableuser', name),
  // Disabled in another way by now, it is somebody else's doing.
  giveBack: ({ name, field }, { password }) =>
    password === 'open' && field === inGroup ? pwpolicy('-enableuser', name) : reached,
  isBusy: () => false,
};

/** Stands where others have the field of a password: by what an account is disabled. */
const inGroup = 'group';

/** In the local node only: accounts of a directory have their like elsewhere. */
function pwpolicy(verb: string, name: string): Next {
  return command('pwpolicy', ['-n', '/Local/Default', '-u', name, verb]);
}

async function read(run: Runner): Promise<LocalAccount[]> {
  const numbers = await ask(run, ['-list', '/Users', 'UniqueID']);
  const groups = valuesOf(await ask(run, ['-list', '/Users', 'PrimaryGroupID']));
  const authorities = valuesOf(await ask(run, ['-list', '/Users', 'AuthenticationAuthority']));
  const disabled = members(await run(dscl(['-read', group, 'GroupMembership'])));
  const users = [...valuesOf(numbers)];
  if (users.length === 0) throw new Error('dscl lists no accounts');
  return users.flatMap(([name, uid]) => {
    const gid = groups.get(name) ?? '';
    if (!/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid)) return [];
    const isMember = disabled.has(name);
    const isTagged = authorities.get(name)?.includes(';DisabledUser;') === true;
    return {
      name,
      uid: Number(uid),
      gid: Number(gid),
      password: isMember || isTagged ? ('locked' as const) : ('open' as const),
      expire: '',
      field: isMember ? inGroup : '',
    };
  });
}

/** Lines of a name and what is asked for, with spaces between them. */
function valuesOf(listing: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of listing.split('\n')) {
    const [, name, value] = /^(\S+)\s+(\S.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) found.set(name, value);
  }
  return found;
}

/** On one line, or each on a line of its own; a group without members has no such key. */
function members({ failure, exitCode, stdout, stderr }: StepResult): Set<string> {
  if (failure === 'exit' && exitCode === noRecord) return new Set();
  if (failure !== undefined) throw complaint(stderr);
  if (/^No such key: GroupMembership/m.test(`${stdout}\n${stderr}`)) return new Set();
  const [, list] = /^GroupMembership:\s+(\S[\s\S]*)$/.exec(stdout) ?? [];
  if (list === undefined) throw complaint(`${group} cannot be understood`);
  return new Set(list.trim().split(/\s+/));
}

async function ask(run: Runner, args: readonly string[]): Promise<string> {
  const { failure, stdout, stderr } = await run(dscl(args));
  if (failure !== undefined) throw complaint(stderr);
  return stdout;
}

function dscl(args: readonly string[]) {
  return { kind: 'command', tool: 'dscl', args: ['.', ...args], deadlineMs: 10_000 } as const;
}

function complaint(stderr: string): Error {
  return new Error(`dscl: ${stderr.trim() || 'the accounts cannot be read'}`);
}
