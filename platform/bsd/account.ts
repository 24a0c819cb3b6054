/**
 * Accounts of /etc/master.passwd, disabled by the tool that each system has for it:
 *
 * - FreeBSD and DragonFly: `pw lock` puts `*LOCKED*` before the password (pw(8)), which keeps nobody out
 *   who comes with a key; `pw usermod -e` lets the account expire, and pam_unix lets nobody in
 * - NetBSD: `usermod -C yes` does the same to the password, `-e` to the account
 * - OpenBSD: `usermod -Z` locks password and shell, and an expiry is not needed
 *
 * Expiry 1 is the first second of 1970 (passwd(5): 0 is never), which nobody else gives an account by
 * accident.
 */
import { accountDriver, groupFile, parseAccounts, readAccountsOf } from '../any/account-driver.ts';
import type { About, Driver, DriverKind, Settings, Usability } from '../driver.ts';
import type { Account, AccountSystem, CommandStep, StepResult } from '../step.ts';
import { systems } from '../system.ts';
import type { UserTarget } from '../target.ts';

const ourExpiry = '1';

type Bsd = Exclude<AccountSystem, 'darwin' | 'win32'>;

/** `tool` as people know it. */
const ways: Readonly<Record<Bsd, { readonly tool: string; readonly expires: boolean }>> = {
  freebsd: { tool: 'pw', expires: true },
  dragonfly: { tool: 'pw', expires: true },
  netbsd: { tool: 'usermod -C', expires: true },
  openbsd: { tool: 'usermod -Z', expires: false },
};

/** What uname(1) calls them. */
const names: Readonly<Record<string, Bsd>> = {
  FreeBSD: 'freebsd',
  DragonFly: 'dragonfly',
  NetBSD: 'netbsd',
  OpenBSD: 'openbsd',
};

export const accountBsd: DriverKind<UserTarget> = {
  name: 'account-bsd',
  // Which system it is, is found by the probe and recorded.
  defaults: { expire: 'yes', endSessions: 'no', neverDisable: '', system: '' },
  about: {
    systems: Object.keys(ways).map((one) => systems[one as Bsd]),
    add: '`pw` or `usermod`: locks the password and lets the account expire, or locks the shell',
    remove: '`pw` or `usermod`: gives back what was before',
    options: ['disable_account/expire', 'disable_account/end_sessions', 'never_disable'],
  } satisfies About,
  make: (settings: Settings): Driver<UserTarget> => {
    const system = isBsd(settings['system']) ? settings['system'] : 'freebsd';
    const expires = ways[system].expires && settings['expire'] !== 'no';
    return accountDriver({
      name: 'account-bsd',
      settings,
      system,
      probe: {
        steps: [
          command('uname', ['-s']),
          readAccountsOf(system),
          // Each of them only looks; both are there for what is to be done, or it is not.
          command('pw', ['usershow', '-n', 'root', '-7']),
          command('userinfo', ['-e', 'root']),
          // With `/.` it is true for a folder only; false on a read-only file system, for root too.
          command('test', ['-w', '/etc/.']),
        ],
        read: (results) => readProbe(results, settings),
      },
      expires,
      isDisabled: (account) => isDisabled(account, system, expires),
      whyNotBack: ({ password, shell }) =>
        system === 'openbsd' && password !== 'locked' && shell?.endsWith('-') === true
          ? 'has a locked shell and an open password, which usermod could not give back'
          : undefined,
      groups: groupFile,
      absent: 'is not in /etc/master.passwd; accounts from elsewhere have to be disabled there',
    });
  },
};

function isDisabled({ password, expire, shell }: Account, system: Bsd, expires: boolean): boolean {
  if (password !== 'locked') return false;
  if (system === 'openbsd') return shell?.endsWith('-') === true;
  return !expires || expire === ourExpiry;
}

function readProbe(
  [uname, accounts, pw, userinfo, folder]: readonly StepResult[],
  settings: Settings,
): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  const system = names[uname?.stdout.trim() ?? ''];
  if (system === undefined) return unusable('uname -s names none of the systems that it is for');
  if (parseAccounts(accounts) === undefined) {
    return unusable(accounts?.stderr || 'the accounts cannot be read');
  }
  const { tool, expires } = ways[system];
  const [program, answer] = tool === 'pw' ? ['pw', pw] : ['usermod', userinfo];
  if (answer?.failure === 'missing') return unusable(`${program} is not installed`);
  if (answer?.failure !== undefined) {
    return unusable(`${program} does not answer: ${answer.stderr.trim() || answer.failure}`);
  }
  if (folder?.failure !== undefined) return unusable('/etc can not be written to');
  const withExpiry = settings['expire'] === 'no' ? 'password only' : 'password and expiry';
  const how = expires ? withExpiry : 'password and shell';
  const settled = { ...settings, system };
  return { usable: true, why: `${tool}, ${how}`, families: [], settled };
}

function isBsd(name: string | undefined): name is Bsd {
  return name !== undefined && Object.hasOwn(ways, name);
}

function command(tool: string, args: readonly string[]): CommandStep {
  return { kind: 'command', tool, args };
}
