/** A simulated Windows with accounts and services. */
import { changeAccount } from '../../agent/system/change-account.ts';
import { toAccounts } from '../../agent/system/windows/account-keeper.ts';
import { restartService } from '../../agent/system/windows/restart-service.ts';
import type { Runner } from '../../platform/step.ts';
import { foldCase } from '../../platform/windows/names.ts';
import { accountsOf, simulate as net, type SimAccount, servicesOf } from './net.ts';
import { createQuickMachine, type QuickMachine } from './quick-machine.ts';
import { simulate as sc } from './sc-state.ts';

export const machineSid = 'S-1-5-21-1-2-3';

export interface WindowsAccounts extends QuickMachine {
  /** Another account; answers with its number. */
  add(name: string, state?: Partial<SimAccount>): number;
  account(name: string): SimAccount | undefined;
  remove(name: string): void;
  readonly services: Record<string, number>;
  /** Whom the agent runs as. */
  agent: string;
}

export function windowsAccounts(): WindowsAccounts {
  const quick = createQuickMachine('windows11', { net: net, sc: sc });
  let next = 1_001;
  const machine: WindowsAccounts = Object.assign(quick, {
    agent: 'S-1-5-18',
    services: servicesOf(quick.parts),
    account: (name: string) =>
      accountsOf(quick.parts).find((one) => foldCase(one.name) === foldCase(name)),
    remove: (name: string) => {
      quick.parts['accounts'] = accountsOf(quick.parts).filter((one) => one.name !== name);
    },
    add: (
      name: string,
      { rid = next++, disabled = false, groups = [] }: Partial<SimAccount> = {},
    ) => {
      accountsOf(quick.parts).push({ name, rid, disabled, groups });
      return rid;
    },
  });
  const tools = quick.run;
  const run: Runner = async (step) => {
    try {
      switch (step.kind) {
        case 'read-accounts': {
          const unreadable = machine.switches['unreadable'];
          if (typeof unreadable === 'string') throw new Error(unreadable);
          const accounts = accountsOf(quick.parts).map(({ name, rid, disabled }) => {
            return { name, rid, isDisabled: disabled };
          });
          const read = toAccounts({ machine: machineSid, agent: machine.agent, accounts });
          return { stdout: JSON.stringify(read), stderr: '' };
        }
        case 'read-groups': {
          if (machine.switches['nogroups'] === true) throw new Error('access is denied (5)');
          const groups = machine.account(step.user)?.groups ?? [];
          const names = groups.flatMap(({ name, sid }) => [foldCase(name), sid]);
          return { stdout: JSON.stringify(names), stderr: '' };
        }
        case 'change-account':
          return await changeAccount(step, run, 500);
        case 'restart-service':
          return await restartService(step, run);
        default:
          return await tools(step);
      }
    } catch (error) {
      return { failure: 'io', stdout: '', stderr: error instanceof Error ? error.message : '' };
    }
  };
  return Object.assign(machine, { run });
}

/** Each fact of an account on a line of its own, so that what is new is only added. */
export function dumpWindows({ parts }: Pick<WindowsAccounts, 'parts'>): string {
  return accountsOf(parts)
    .flatMap(({ name, rid, disabled }) => [
      `${name} ${rid}`,
      ...(disabled ? [`${name} is disabled`] : []),
    ])
    .join('\n');
}
