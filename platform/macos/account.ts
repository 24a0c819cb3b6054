/**
 * Accounts of the local node of Open Directory, disabled by pwpolicy(8): it makes them members of
 * com.apple.access_disabled, and from then on no login is let in, with a password or with a key
 * (pam_opendirectory asks for the policy, od_record_check_pwpolicy).
 */
import { accountDriver, parseAccounts, readAccountsOf } from '../any/account-driver.ts';
import type { About, Driver, DriverKind, Settings, Usability } from '../driver.ts';
import type { StepResult } from '../step.ts';
import type { UserTarget } from '../target.ts';

export const accountMacos: DriverKind<UserTarget> = {
  name: 'account-macos',
  defaults: { endSessions: 'no', neverDisable: '' },
  about: {
    systems: ['macOS'],
    add: '`pwpolicy`: disables the account',
    remove: '`pwpolicy`: enables it again',
    options: ['disable_account/end_sessions', 'never_disable'],
  } satisfies About,
  make: (settings: Settings): Driver<UserTarget> =>
    accountDriver({
      name: 'account-macos',
      settings,
      system: 'darwin',
      probe: {
        steps: [
          readAccountsOf('darwin'),
          { kind: 'command', tool: 'pwpolicy', args: ['-h'] },
          { kind: 'command', tool: 'id', args: ['-u'] },
        ],
        read: readProbe,
      },
      expires: false,
      isDisabled: ({ password }) => password === 'locked',
      // With the groups that have others for members, and with those that have accounts by their number.
      groups: {
        ask: (name) => ({ kind: 'command', tool: 'id', args: ['-Gn', name] }),
        read: (answer) => (answer?.stdout ?? '').trim().split(/\s+/),
        source: 'id',
      },
      absent:
        'is no local account (dscl . -list /Users); accounts from elsewhere have to be disabled there',
    }),
};

function readProbe([accounts, tool, id]: readonly StepResult[]): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (parseAccounts(accounts) === undefined) {
    return unusable(accounts?.stderr || 'the accounts cannot be read');
  }
  // What it ends with after its help is not said anywhere.
  const none = tool === undefined || (tool.failure !== undefined && tool.failure !== 'exit');
  if (none) return unusable(`pwpolicy does not answer: ${tool?.stderr.trim() ?? ''}`);
  // To anybody else it would ask for an administrator's password.
  if (id?.stdout.trim() !== '0') return unusable('pwpolicy needs root');
  return { usable: true, why: 'pwpolicy', families: [] };
}
