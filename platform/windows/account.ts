/**
 * Local accounts of Windows, disabled with net.exe: nobody logs on with one, by whatever means. How they
 * are read is in agent/system/windows/accounts.ts: by numbers, for texts are in the machine's language.
 */
import { accountDriver, parseAccounts, readAccountsOf } from '../any/account-driver.ts';
import type { Driver, DriverKind, Settings, Usability } from '../driver.ts';
import type { Account, Accounts, StepResult } from '../step.ts';
import type { UserTarget } from '../target.ts';
import { saidOf } from './answers.ts';
import { foldCase } from './names.ts';

/**
 * Accounts that Windows makes by itself, by the numbers that they have everywhere, whatever they are
 * called (Microsoft, "Well-known SIDs"). The guest, 501, is none of them: it is nobody's way in.
 */
const builtIn: Readonly<Record<number, string>> = {
  500: 'is the built-in administrator (number 500), who is never disabled',
  502: 'is the key distribution account (number 502), which belongs to Windows',
  503: 'is the default account (number 503), which belongs to Windows',
  504: 'is the account of Application Guard (number 504), which belongs to Windows',
};

export const accountWindows: DriverKind<UserTarget> = {
  name: 'account-windows',
  defaults: { endSessions: 'no', neverDisable: '' },
  about: {
    systems: ['Windows'],
    add: '`net user /active:no`',
    remove: '`net user /active:yes`, if it was active before',
    options: ['disable_account/end_sessions', 'never_disable'],
  },
  make: (settings: Settings): Driver<UserTarget> =>
    accountDriver({
      name: 'account-windows',
      settings,
      system: 'win32',
      probe: {
        steps: [readAccountsOf('win32'), { kind: 'command', tool: 'net', args: ['user', '/?'] }],
        read: ([accounts, net]) => readProbe(accounts, net),
      },
      expires: false,
      isDisabled: ({ password }) => password === 'locked',
      whyProtected: ({ uid }) => builtIn[uid],
      groups: {
        ask: (name) => ({ kind: 'read-groups', system: 'win32', user: name }),
        read: (answer, account, accounts) => [
          ...groupsIn(answer),
          ...sidsOf(account, accounts).map((sid) => sid.toLowerCase()),
        ],
        source: 'its groups',
      },
      spell: foldCase,
      absent: 'is no account of this machine; those of a domain have to be disabled there',
    }),
};

/** `net` ends with 0 or 1 when it explains itself; what counts is that it is there. */
function readProbe(accounts: StepResult | undefined, net: StepResult | undefined): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (parseAccounts(accounts) === undefined) {
    return unusable(accounts?.stderr || 'the accounts cannot be read');
  }
  if (net?.failure !== undefined && net.failure !== 'exit') {
    return unusable(`net does not answer: ${saidOf(net)}`);
  }
  return { usable: true, why: 'net user', families: [] };
}

function groupsIn(answer: StepResult | undefined): string[] {
  if (answer === undefined || answer.failure !== undefined) return [];
  try {
    const groups: unknown = JSON.parse(answer.stdout);
    return Array.isArray(groups) ? groups.map((one) => foldCase(`${one}`)) : [];
  } catch {
    return [];
  }
}

/** An account can be named by its SID too, where its name has a space in it. */
function sidsOf({ uid }: Account, { machine }: Accounts): string[] {
  return machine === undefined ? [] : [`${machine}-${uid}`];
}
