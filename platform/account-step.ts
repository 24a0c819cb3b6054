/** The steps of disabling accounts. agent/system/ carries them out. */

import type { System } from './system.ts';

/** A system that keeps accounts in its own way; where a step names none, they are as on Linux. */
export type AccountSystem = Exclude<System, 'linux'>;

/** Reads the accounts of this machine's own files; `stdout` is an Accounts as JSON, without any hash. */
export interface ReadAccountsStep {
  readonly kind: 'read-accounts';
  readonly system?: AccountSystem;
}

/** Reads the groups of this machine that a local account of Windows is in; names and SIDs, as JSON. */
export interface ReadGroupsStep {
  readonly kind: 'read-groups';
  readonly system: 'win32';
  readonly user: string;
}

export interface Accounts {
  /** The number of the account that the agent runs as. */
  readonly agent: number;
  /** Windows: what stands before the numbers of its accounts in their SIDs. */
  readonly machine?: string;
  readonly accounts: readonly Account[];
}

export interface Account {
  readonly name: string;
  readonly uid: number;
  /** Of its primary group. */
  readonly gid: number;
  /**
   * `locked`: the system's mark stands before it (shadow: `!`); `none`: it needs none; `open`: all
   * others, `*` among them.
   */
  readonly password: 'open' | 'locked' | 'none';
  /**
   * When the account expires. Linux: in days since 1970, empty: never. BSD: in seconds since 1970, 0:
   * never.
   */
  readonly expire: string;
  /** Its login shell, where locking changes that (OpenBSD). */
  readonly shell?: string;
  /** Why it cannot be changed, to be read behind its name. */
  readonly fault?: string;
}

/**
 * Changes whether an account can be used, looks again, and fails if it is not so. A name that belongs
 * to another number meanwhile is left alone.
 *
 * - `disabled`: the password is locked; with `expire` the account has expired, too
 * - `former`: as far as it is still so, the password is `password` again and the expiry is `expire`
 *   (absent: it was never touched). What somebody else has changed since stays.
 */
export interface ChangeAccountStep {
  readonly kind: 'change-account';
  readonly system?: AccountSystem;
  readonly user: string;
  readonly uid: number;
  readonly change:
    | { readonly to: 'disabled'; readonly expire: boolean }
    | {
        readonly to: 'former';
        readonly password: Account['password'];
        readonly expire?: string | undefined;
        readonly shell?: string | undefined;
      };
}

/** Ends what an account has running, as far as that can be done; what is left is a remark. */
export interface EndSessionsStep {
  readonly kind: 'end-sessions';
  readonly system?: AccountSystem;
  readonly uid: number;
}
