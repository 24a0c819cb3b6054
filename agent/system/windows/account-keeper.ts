/**
 * Windows: local accounts, by net.exe. It sets the one flag and nothing else; whether it did is asked of
 * Windows itself (accounts.ts), by numbers.
 */
import type { Account, Accounts, StepResult } from '../../../platform/step.ts';
import { foldCase } from '../../../platform/windows/names.ts';
import type { LocalAccount } from '../account-files.ts';
import { type AccountKeeper, command, reached } from '../account-keeper.ts';
import { type LocalAccounts, readGroups, readLocalAccounts } from './accounts.ts';

export const windowsAccounts: AccountKeeper = {
  read: async (run) => accountsIn(await run({ kind: 'read-accounts', system: 'win32' })),
  disable: ({ name, password }) => (password === 'locked' ? reached : setActive(name, 'no')),
  giveBack: ({ name, password }, { password: was }) =>
    was === 'open' && password === 'locked' ? setActive(name, 'yes') : reached,
  isBusy: () => false,
};

function setActive(name: string, active: 'yes' | 'no') {
  return command('net', ['user', name, `/active:${active}`]);
}

function accountsIn({ failure, stdout, stderr }: StepResult): LocalAccount[] {
  if (failure !== undefined) throw new Error(stderr || 'the accounts cannot be read');
  const { accounts } = JSON.parse(stdout) as Accounts;
  return accounts.map((one) => ({ ...one, field: '' }));
}

/** Carries out `read-accounts` on Windows. */
export function readWindowsAccounts(): StepResult {
  return { stdout: JSON.stringify(toAccounts(readLocalAccounts())), stderr: '' };
}

/** The number of an account is the last part of its SID; -1 is nobody's. */
export function toAccounts({ machine, agent, accounts }: LocalAccounts): Accounts {
  return {
    agent: agent.startsWith(`${machine}-`) ? Number(agent.slice(machine.length + 1)) : -1,
    machine,
    accounts: accounts.map(
      ({ name, rid, isDisabled }): Account => ({
        name: foldCase(name),
        uid: rid,
        // DOMAIN_GROUP_RID_USERS: the primary group of every local account.
        gid: 513,
        password: isDisabled ? 'locked' : 'open',
        expire: '',
      }),
    ),
  };
}

/** Carries out `read-groups`. */
export function readWindowsGroups(user: string): StepResult {
  const groups = readGroups(user).flatMap(({ name, sid }) => [
    foldCase(name),
    ...(sid === undefined ? [] : [sid]),
  ]);
  return { stdout: JSON.stringify(groups), stderr: '' };
}
