import { setTimeout as pause } from 'node:timers/promises';
import type {
  Accounts,
  ChangeAccountStep,
  CommandStep,
  Runner,
  StepResult,
} from '../../platform/step.ts';
import { type LocalAccount, noLine, readLocalAccounts } from './account-files.ts';

/** How long another tool may be at work on the files. It has them for milliseconds, or it hangs. */
const patienceMs = 20_000;
const pauseMs = 200;
/** The tools themselves wait up to 15 s for .pwd.lock (lckpwdf(3)); never killed while they do. */
const deadlineMs = 40_000;
/** What usermod and passwd end with when they cannot have the files now, among other things. */
const busy: Readonly<Record<string, number>> = { usermod: 1, passwd: 5 };

/** The accounts of this machine, without what their passwords are. */
export async function readAccounts(run: Runner): Promise<StepResult> {
  const accounts = (await readLocalAccounts(run)).map(({ field: _secret, ...account }) => account);
  const agent = process.geteuid?.() ?? 0;
  return { stdout: JSON.stringify({ agent, accounts } satisfies Accounts), stderr: '' };
}

/**
 * Changes whether an account can be used. What is to be done follows from what is found; after every
 * tool it is looked at again, and it is done when nothing is left to do: usermod ends with 0 also
 * where it did not unlock anything (shadow 4.13).
 */
export async function changeAccount(
  step: ChangeAccountStep,
  run: Runner,
  limitMs: number = patienceMs,
): Promise<StepResult> {
  const until = performance.now() + limitMs;
  let last: string | undefined;
  for (;;) {
    const next = plan(step, await readLocalAccounts(run));
    if ('reached' in next) return { stdout: '', stderr: '', ...next.reached };
    if ('refused' in next) return { failure: 'exit', stdout: '', stderr: next.refused };
    const { tool, args } = next;
    const line = [tool, ...args].join(' ');
    if (line === last) {
      return { failure: 'exit', stdout: '', stderr: `${line} says it is done, and it is not` };
    }
    const result = await run(next);
    if (result.failure === undefined) last = line;
    else if (result.exitCode !== busy[tool] || performance.now() > until) return result;
    else await pause(pauseMs);
  }
}

type Next =
  | CommandStep
  | { readonly reached: { readonly remark?: string } }
  | { readonly refused: string };

const reached: Next = { reached: {} };

function plan(step: ChangeAccountStep, accounts: readonly LocalAccount[]): Next {
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
    ? disable(account, change.expire)
    : giveBack(account, change.password, change.expire);
}

function disable({ name, password, expire }: LocalAccount, wantsExpiry: boolean): Next {
  const args = [
    ...(password === 'locked' ? [] : ['-L']),
    ...(wantsExpiry && expire !== '1' ? ['-e', '1'] : []),
  ];
  return args.length === 0 ? reached : usermod(args, name);
}

/** Takes off what is still ours. The expiry goes last: as long as it stands nobody is let in. */
function giveBack(
  { name, field, expire: now }: LocalAccount,
  password: 'open' | 'locked' | 'none',
  expire: string | undefined,
): Next {
  // Two marks: somebody else locked it too.
  const isOurs = password !== 'locked' && /^![^!]/.test(field);
  const emptied = password !== 'locked' && field === '!';
  // No tool unlocks into an account without a password: that has to be said in so many words.
  if (emptied && password === 'none') return command('passwd', ['-d', '--', name]);
  const args = [
    ...(isOurs ? ['-U'] : []),
    ...(expire !== undefined && now === '1' && expire !== '1' ? ['-e', expire] : []),
  ];
  if (args.length > 0) return usermod(args, name);
  if (!emptied) return reached;
  return { reached: { remark: 'its password was taken away meanwhile: it stays locked' } };
}

function usermod(args: readonly string[], name: string): CommandStep {
  return command('usermod', [...args, '--', name]);
}

function command(tool: string, args: readonly string[]): CommandStep {
  return { kind: 'command', tool, args, deadlineMs };
}
