/**
 * BSD: /etc/master.passwd, see passwd(5) there, changed by the tool that each system has for it. All of
 * them write the file and what is made of it (pwd_mkdb(8)).
 */
import type { Account, AccountSystem, Runner, StepResult } from '../../platform/step.ts';
import type { LocalAccount } from './account-files.ts';
import {
  type AccountKeeper,
  command,
  type Former,
  type Next,
  reached,
  staysLocked,
} from './account-keeper.ts';

const path = '/etc/master.passwd';
const ourExpiry = '1';

/** pw(8) and NetBSD's usermod(8) lock a password by this before it; it is in no hash. */
const mark = '*LOCKED*';

/** `pw: the password db file is busy`; usermod says which of the two locks it could not have. */
const isBusy = (_tool: string, { stderr }: StepResult): boolean =>
  /is busy|can't (lock|obtain)/.test(stderr);

export const bsdAccounts: Readonly<
  Record<Exclude<AccountSystem, 'darwin' | 'win32'>, AccountKeeper>
> = {
  freebsd: keeper('freebsd', pw),
  dragonfly: keeper('dragonfly', pw),
  netbsd: keeper('netbsd', (name, { lock, expire }) =>
    usermod([...(lock === undefined ? [] : ['-C', lock]), ...(expire ? ['-e', expire] : [])], name),
  ),
  openbsd: {
    read: (run) => read(run, 'openbsd'),
    disable: disableShell,
    giveBack: giveBackShell,
    isBusy,
  },
};

/** What is to be done of an account: its password locked or unlocked, its expiry set. */
interface Wanted {
  readonly lock?: 'yes' | 'no' | undefined;
  readonly expire?: string | undefined;
}

/** FreeBSD and DragonFly need two commands: what is left is done when the first has been. */
function pw(name: string, { lock, expire }: Wanted): Next {
  if (lock !== undefined) return command('pw', [lock === 'yes' ? 'lock' : 'unlock', name]);
  return command('pw', ['usermod', '-n', name, '-e', expire ?? '0']);
}

function usermod(args: readonly string[], name: string): Next {
  return command('usermod', [...args, '--', name]);
}

/** Systems that lock the password alone, and where an expiry keeps out those who come with a key. */
function keeper(
  system: Exclude<AccountSystem, 'darwin' | 'win32'>,
  tool: (name: string, wanted: Wanted) => Next,
): AccountKeeper {
  return {
    read: (run) => read(run, system),
    disable: ({ name, password, expire: now }, wantsExpiry) => {
      const lock = password === 'locked' ? undefined : 'yes';
      const expire = wantsExpiry && now !== ourExpiry ? ourExpiry : undefined;
      return lock === undefined && expire === undefined ? reached : tool(name, { lock, expire });
    },
    // The expiry goes last: as long as it stands nobody is let in.
    giveBack: ({ name, field, expire: now }, { password, expire: former }) => {
      const rest = field.startsWith(mark) ? field.slice(mark.length) : undefined;
      // Two marks: somebody else locked it too. No rest: it had no password, or has none any more.
      const isOurs = password !== 'locked' && rest !== undefined && !rest.startsWith(mark);
      const emptied = isOurs && rest === '' && password !== 'none';
      const lock = isOurs && !emptied ? 'no' : undefined;
      const isLeft = former !== undefined && now === ourExpiry && former !== ourExpiry;
      const expire = isLeft ? former : undefined;
      if (lock !== undefined || expire !== undefined) return tool(name, { lock, expire });
      return emptied ? staysLocked : reached;
    },
    isBusy,
  };
}

/**
 * OpenBSD's `usermod -Z` puts a `*` before the password, unless one stands there, and a `-` behind the
 * shell, which is then no program: sshd lets nobody in with a key either (sshd: allowed_user).
 */
function disableShell({ name, password, shell = '' }: LocalAccount): Next {
  return password === 'locked' && shell.endsWith('-') ? reached : usermod(['-Z'], name);
}

/**
 * `usermod -U` takes both off. It is asked only where both were put on: a `*` that stood before would
 * be taken off too, and a password that is nothing but the mark would stay.
 */
function giveBackShell({ name, field, shell = '' }: LocalAccount, { password }: Former): Next {
  if (password === 'open' && /^\*[^*]/.test(field)) return usermod(['-U'], name);
  const opens = password === 'none' && field === '*' ? ['-p', ''] : [];
  const shells = shell.endsWith('-') ? ['-s', shell.slice(0, -1)] : [];
  if (opens.length + shells.length > 0) return usermod([...opens, ...shells], name);
  return password === 'open' && field === '*' ? staysLocked : reached;
}

async function read(run: Runner, system: AccountSystem): Promise<LocalAccount[]> {
  const { failure, stdout, stderr } = await run({ kind: 'read-file', path });
  if (failure !== undefined) throw new Error(`${path}: ${stderr || 'can not be read'}`);
  if (stdout === '') throw new Error(`${path} is not there, or empty`);
  // Comments, and the `+` and `-` of YP, are nobody's account.
  const lines = stdout.split('\n').filter((line) => line !== '' && !/^[#+-]/.test(line));
  const fields = lines.map((line) => line.split(':'));
  const times = Map.groupBy(fields, ([name]) => name);
  return fields.flatMap((line) => {
    const [name = '', field = '', uid = '', gid = '', , , expire = '', , , shell = ''] = line;
    if (!/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid)) return [];
    const account = { name, uid: Number(uid), gid: Number(gid), shell };
    const fault =
      times.get(name)?.length === 1 ? faultOf(system, account, line) : `stands twice in ${path}`;
    return {
      name,
      uid: account.uid,
      gid: account.gid,
      password: passwordOf(system, field),
      expire: expire === '' ? '0' : expire,
      ...(system === 'openbsd' ? { shell } : {}),
      ...(fault === undefined ? {} : { fault }),
      field,
    };
  });
}

function passwordOf(system: AccountSystem, field: string): Account['password'] {
  if (field === '') return 'none';
  return field.startsWith(system === 'openbsd' ? '*' : mark) ? 'locked' : 'open';
}

/** What the tools would not change, or not as it is meant. */
function faultOf(
  system: AccountSystem,
  { name, uid, shell }: { name: string; uid: number; shell: string },
  line: readonly string[],
): string | undefined {
  if (line.length !== 10 || !/^\d*$/.test(line[6] ?? '')) {
    return `has a line in ${path} that cannot be understood`;
  }
  switch (system) {
    case 'openbsd':
      // moduser() in usr.sbin/user/user.c.
      if (uid < 1_000)
        return 'is an account of the system (below 1000), which usermod does not lock';
      return shell === ''
        ? 'has no shell, which usermod could not give back'
        : nameFault(name, /^[^$]+\$?$/);
    case 'netbsd':
      // Names with a `$` need an option that not every usermod has.
      return nameFault(name, /^[^$]+$/);
    default:
      // pw_checkname(); `pw lock help` shows how it is used.
      return name === 'help'
        ? 'has a name that pw takes for a word of its own'
        : nameFault(name, /^[^$]+\$?$/);
  }
}

function nameFault(name: string, fits: RegExp): string | undefined {
  return fits.test(name) ? undefined : 'has a name that the tools of this system do not take';
}
