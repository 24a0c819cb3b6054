/**
 * What disabling an account of this machine is, wherever it is: whom it must never be done to, what is
 * remembered, and what counts as disabled. How accounts are read and changed is the system's own.
 *
 * A disabled account is a disabled account: nothing on the machine says whose doing it is. What was
 * before is in the memory, and no more than what was ours is taken off.
 */
import type {
  Driver,
  Effect,
  Examined,
  Memory,
  Question,
  Reading,
  Settings,
  Usability,
} from '../driver.ts';
import type { Account, AccountSystem, Accounts, Step, StepResult } from '../step.ts';
import type { UserTarget } from '../target.ts';

/** How a system disables accounts. */
export interface AccountWays {
  readonly name: string;
  readonly settings: Settings;
  /** Absent: Linux. */
  readonly system?: AccountSystem | undefined;
  readonly probe: Question<Usability>;
  /** An expiry is set too, and remembered. */
  readonly expires: boolean;
  isDisabled(account: Account): boolean;
  /** Why the system itself needs an account, to be read behind its name. */
  whyProtected?(account: Account): string | undefined;
  /** Why an account could not be given back as it is now, to be read behind its name. */
  whyNotBack?(account: Account): string | undefined;
  /** Asks for the groups that an account is in. */
  readonly groups: {
    ask(name: string): Step;
    read(answer: StepResult | undefined, account: Account, accounts: Accounts): readonly string[];
    /** What is asked, for a complaint. */
    readonly source: string;
  };
  /** The one spelling of a name in the lists here; absent: names are as they are written. */
  spell?(name: string): string;
  /** The files that accounts are in, to be watched. */
  readonly files?: readonly string[];
  /** What there is to say of a name that is not found. */
  readonly absent: string;
}

export function accountDriver(ways: AccountWays): Driver<UserTarget> {
  const { name, settings, system, probe, expires } = ways;
  const endsSessions = settings['endSessions'] === 'yes';
  const spell = ways.spell ?? ((word: string) => word);
  const never = spell(settings['neverDisable'] ?? '')
    .split(' ')
    .filter((word) => word !== '');
  const readAccounts = readAccountsOf(system);
  return {
    name,
    settings,
    // One by one: the tools take one account, and what is remarked of it is remarked of that one.
    traits: { selfExpiring: false, prefixes: false, batchSize: 1, unmarked: true },
    probe,
    inspect: { steps: [readAccounts], read: ([answer]) => readDisabled(answer, ways) },
    examine: (target) => ({
      steps: [readAccounts, ways.groups.ask(target.text)],
      read: ([answer, groups]) => examine(target, { answer, groups, never }, ways),
    }),
    container: () => undefined,
    ...(ways.files && { watch: [{ kind: 'files' as const, paths: ways.files }] }),
    apply: (effects) =>
      effects.flatMap((effect) => disable(effect, { expires, system, endsSessions })),
    revert: (effects) => effects.map((effect) => giveBack(effect, system)),
  };
}

export function readAccountsOf(system: AccountSystem | undefined): Step {
  return { kind: 'read-accounts', ...(system && { system }) };
}

export function parseAccounts(answer: StepResult | undefined): Accounts | undefined {
  if (answer === undefined || answer.failure !== undefined) return undefined;
  try {
    const parsed = JSON.parse(answer.stdout) as Partial<Accounts>;
    if (typeof parsed.agent !== 'number' || !Array.isArray(parsed.accounts)) return undefined;
    return parsed as Accounts;
  } catch {
    return undefined;
  }
}

/** Groups of /etc/group, see group(5); the primary group has its members by their number only. */
export const groupFile: AccountWays['groups'] = {
  ask: () => ({ kind: 'read-file', path: '/etc/group' }),
  read: (answer, { name, gid }) =>
    (answer?.stdout ?? '').split('\n').flatMap((line) => {
      const [group = '', , number = '', members = ''] = line.split(':');
      const isIn = number === `${gid}` || members.split(',').includes(name);
      return isIn ? [group] : [];
    }),
  source: '/etc/group',
};

interface Doing {
  readonly expires: boolean;
  readonly endsSessions: boolean;
  readonly system: AccountSystem | undefined;
}

function disable({ target, memory }: Effect<UserTarget>, doing: Doing): Step[] {
  const { expires: expire, endsSessions, system } = doing;
  const uid = uidOf(memory);
  const change = { to: 'disabled', expire } as const;
  const where = system === undefined ? {} : { system };
  return [
    { kind: 'change-account', user: target.text, uid, change, ...where },
    // After the door is shut, so that nobody comes back in.
    ...(endsSessions ? [{ kind: 'end-sessions' as const, uid, ...where }] : []),
  ];
}

function giveBack({ target, memory }: Effect<UserTarget>, system: AccountSystem | undefined): Step {
  const password = memory?.['password'];
  const shell = memory?.['shell'];
  return {
    kind: 'change-account',
    user: target.text,
    uid: uidOf(memory),
    change: {
      to: 'former',
      // What is not known is left locked.
      password: password === 'open' || password === 'none' ? password : 'locked',
      expire: memory?.['expire'],
      ...(shell === undefined ? {} : { shell }),
    },
    ...(system && { system }),
  };
}

/** No account has the number -1: without a memory nothing is acted on. */
function uidOf(memory: Memory | undefined): number {
  return Number(memory?.['uid'] ?? -1);
}

function readDisabled(
  answer: StepResult | undefined,
  { isDisabled }: AccountWays,
): Reading<UserTarget> {
  const found = parseAccounts(answer);
  if (found === undefined) {
    return { known: false, why: answer?.stderr || 'the accounts cannot be read' };
  }
  return {
    known: true,
    containers: [],
    effects: found.accounts
      .filter(isDisabled)
      .map(({ name }) => ({ target: { kind: 'user', text: name } })),
    foreign: [],
    setup: () => [],
    teardown: () => [],
  };
}

interface Found {
  readonly answer: StepResult | undefined;
  readonly groups: StepResult | undefined;
  readonly never: readonly string[];
}

function examine({ text }: UserTarget, found: Found, ways: AccountWays): Examined {
  const { answer, groups, never } = found;
  const accounts = parseAccounts(answer);
  if (accounts === undefined) {
    return { fit: 'unknown', why: answer?.stderr || 'the accounts cannot be read' };
  }
  const one = accounts.accounts.find(({ name }) => name === text);
  if (one === undefined) return { fit: false, refusal: 'absent', why: ways.absent };
  const isIn = ways.groups.read(groups, one, accounts);
  const why = ways.whyProtected?.(one) ?? whyProtected(one, accounts, isIn, never);
  if (why !== undefined) return { fit: false, refusal: 'protected', why };
  if (never.some(isGroup) && groups?.failure !== undefined) {
    return { fit: 'unknown', why: `${ways.groups.source}: ${groups.stderr || 'can not be read'}` };
  }
  const fault = one.fault ?? ways.whyNotBack?.(one);
  if (fault !== undefined) return { fit: 'unknown', why: `${text} ${fault}` };
  const { uid, password, expire, shell } = one;
  return {
    fit: true,
    memory: {
      uid: `${uid}`,
      password,
      ...(ways.expires ? { expire } : {}),
      ...(shell === undefined ? {} : { shell }),
    },
    preExisting: ways.isDisabled(one),
  };
}

/** Root by any name, the agent itself, and whom the configuration names. */
function whyProtected(
  { name, uid }: Account,
  { agent, accounts }: Accounts,
  groups: readonly string[],
  never: readonly string[],
): string | undefined {
  // A name that stands twice is all of those that it stands for.
  const uids = accounts.filter((one) => one.name === name).map((one) => one.uid);
  if (uids.includes(0)) return 'is root (number 0), which is never disabled';
  if (uid === agent || uids.includes(agent)) {
    return `is the account that ar-exec runs as (number ${agent})`;
  }
  if (never.includes(name)) return 'is on the list <never_disable>';
  const group = groups.find((one) => never.includes(`@${one}`));
  return group === undefined ? undefined : `is in the group ${group}, on the list <never_disable>`;
}

function isGroup(word: string): boolean {
  return word.startsWith('@');
}
