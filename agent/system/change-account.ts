import { setTimeout as pause } from 'node:timers/promises';
import type {
  AccountSystem,
  Accounts,
  ChangeAccountStep,
  ReadAccountsStep,
  Runner,
  StepResult,
} from '../../platform/step.ts';
import { type LocalAccount, noLine } from './account-files.ts';
import { type AccountKeeper, type Next, reached } from './account-keeper.ts';
import { bsdAccounts } from './bsd-accounts.ts';
import { directoryAccounts } from './directory-accounts.ts';
import { shadowAccounts } from './shadow-accounts.ts';
import { readWindowsAccounts, windowsAccounts } from './windows/account-keeper.ts';

/** How long another tool may be at work on the files. It has them for milliseconds, or it hangs. */
const patienceMs = 20_000;
const pauseMs = 200;

const keepers: Readonly<Record<AccountSystem, AccountKeeper>> = {
  ...bsdAccounts,
  darwin: directoryAccounts,
  win32: windowsAccounts,
};

const keeperOf = (system: AccountSystem | undefined): AccountKeeper =>
  system === undefined ? shadowAccounts : keepers[system];

/** The accounts of this machine, without what their passwords are. */
export async function readAccounts(
  run: Runner,
  { system }: Pick<ReadAccountsStep, 'system'> = {},
): Promise<StepResult> {
  if (system === 'win32') return readWindowsAccounts();
  const all = await keeperOf(system).read(run);
  const accounts = all.map(({ field: _secret, ...account }) => account);
  const agent = process.geteuid?.() ?? 0;
  return { stdout: JSON.stringify({ agent, accounts } satisfies Accounts), stderr: '' };
}

/**
 * Changes whether an account can be used. What is to be done follows from what is found; after every
 * tool it is looked at again, and it is done when nothing is left to do: usermod ends with 0 also
 * where it did not unlock anything (shadow 4.13, NetBSD, OpenBSD).
 */
export async function changeAccount(
  step: ChangeAccountStep,
  run: Runner,
  limitMs: number = patienceMs,
): Promise<StepResult> {
  const keeper = keeperOf(step.system);
  const until = performance.now() + limitMs;
  let last: string | undefined;
  for (;;) {
    const next = plan(step, keeper, await keeper.read(run));
    if ('reached' in next) return { stdout: '', stderr: '', ...next.reached };
    if ('refused' in next) return { failure: 'exit', stdout: '', stderr: next.refused };
    const { tool, args } = next;
    const line = [tool, ...args].join(' ');
    if (line === last) {
      return { failure: 'exit', stdout: '', stderr: `${line} says it is done, and it is not` };
    }
    const result = await run(next);
    if (result.failure === undefined) last = line;
    else if (!keeper.isBusy(tool, result) || performance.now() > until) return result;
    else await pause(pauseMs);
  }
}

function plan(
  step: ChangeAccountStep,
  keeper: AccountKeeper,
  accounts: readonly LocalAccount[],
): Next {
  const account = accounts.find(({ name }) => name === step.user);
  const { change } = step;
  // A name that was given to somebody else meanwhile is nothing of ours.
  const isSame = account?.uid === step.uid;
  if (account === undefined || !isSame) {
    if (change.to === 'former') return reached;
    return { refused: account === undefined ? 'is gone' : `is not number ${step.uid} any more` };
  }
  if (account.fault === noLine && change.to === 'former') return reached;
  if (account.fault !== undefined) return { refused: account.fault };
  return change.to === 'disabled'
    ? keeper.disable(account, change.expire)
    : keeper.giveBack(account, change);
}
