/**
 * Accounts of this machine's own files, disabled: the password is locked (no login with it) and, unless
 * that is switched off, the account has expired (no login at all, with a key neither).
 *
 * It is done with usermod(8), which is the same program wherever it is; of passwd there are three that
 * differ. Expiry 1 is the day after 1970-01-01 (shadow(5): 0 is read in two ways), which nobody else
 * gives an account by accident.
 */
import { accountDriver, groupFile, parseAccounts, readAccountsOf } from '../any/account-driver.ts';
import type { About, Driver, DriverKind, Settings, Usability } from '../driver.ts';
import type { StepResult } from '../step.ts';
import type { UserTarget } from '../target.ts';

const ourExpiry = '1';

export const account: DriverKind<UserTarget> = {
  name: 'account',
  defaults: { expire: 'yes', endSessions: 'no', neverDisable: '' },
  about: {
    systems: ['Linux'],
    add: '`usermod`: locks the password and lets the account expire',
    remove: '`usermod`: gives back what was before',
    options: ['disable_account/expire', 'disable_account/end_sessions', 'never_disable'],
  } satisfies About,
  make: (settings: Settings): Driver<UserTarget> => {
    const expires = settings['expire'] !== 'no';
    return accountDriver({
      name: 'account',
      settings,
      probe: {
        steps: [
          readAccountsOf(undefined),
          { kind: 'command', tool: 'usermod', args: ['--help'] },
          // With `/.` it is true for a folder only; false on a read-only file system, for root too.
          { kind: 'command', tool: 'test', args: ['-w', '/etc/.'] },
        ],
        read: (results) => readProbe(results, expires),
      },
      expires,
      isDisabled: ({ password, expire }) =>
        password === 'locked' && (!expires || expire === ourExpiry),
      files: ['/etc/passwd', '/etc/shadow'],
      groups: groupFile,
      absent: 'is not in /etc/passwd; accounts from elsewhere have to be disabled there',
    });
  },
};

function readProbe([accounts, tool, folder]: readonly StepResult[], expires: boolean): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (parseAccounts(accounts) === undefined) {
    return unusable(accounts?.stderr || 'the accounts cannot be read');
  }
  if (tool?.failure === 'missing') return unusable('usermod is not installed');
  if (tool?.failure !== undefined)
    return unusable(`usermod does not answer: ${tool.stderr.trim()}`);
  if (folder?.failure !== undefined) return unusable('/etc can not be written to');
  const how = expires ? 'password and expiry' : 'password only';
  return { usable: true, why: `usermod, ${how}`, families: [] };
}
