import type { ChangeAccountStep, CommandStep, Runner, StepResult } from '../../platform/step.ts';
import type { LocalAccount } from './account-files.ts';

/** How one system keeps its accounts: what there are, and what there is to do next. */
export interface AccountKeeper {
  /** Rejects when they cannot be read. */
  read(run: Runner): Promise<LocalAccount[]>;
  disable(account: LocalAccount, wantsExpiry: boolean): Next;
  /** Takes off what is still ours. */
  giveBack(account: LocalAccount, former: Former): Next;
  /** Whether a tool failed because another one has the files now. */
  isBusy(tool: string, result: StepResult): boolean;
}

export type Former = Extract<ChangeAccountStep['change'], { to: 'former' }>;

export type Next =
  | CommandStep
  | { readonly reached: { readonly remark?: string } }
  | { readonly refused: string };

export const reached: Next = { reached: {} };

/** The tools themselves wait for the files, up to 15 s (lckpwdf(3)); never killed while they do. */
const deadlineMs = 40_000;

export function command(tool: string, args: readonly string[]): CommandStep {
  return { kind: 'command', tool, args, deadlineMs };
}

/** The last word when nothing is left to do, and the password was taken away while it was locked. */
export const staysLocked: Next = {
  reached: { remark: 'its password was taken away meanwhile: it stays locked' },
};
