/**
 * Accounts of this machine's own files, disabled: the password is locked (no login with it) and, unless
 * that is switched off, the account has expired (no login at all, with a key neither).
 *
 * It is done with usermod(8), which is the same program wherever it is; of passwd there are three that
 * differ. Expiry 1 is the day after 1970-01-01 (shadow(5): 0 is read in two ways), which nobody else
 * gives an account by accident.
 *
 * A disabled account is a disabled account: nothing on the machine says whose doing it is. What was
 * before is in the memory, and no more than what was ours is taken off.
 */
import type {
  About,
  Driver,
  DriverKind,
  Effect,
  Examined,
  Memory,
  Reading,
  Settings,
  Usability,
} from '../driver.ts';
import type { Account, Accounts, Step, StepResult } from '../step.ts';
import type { UserTarget } from '../target.ts';

const readAccounts: Step = { kind: 'read-accounts' };
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
    const endsSessions = settings['endSessions'] === 'yes';
    const never = (settings['neverDisable'] ?? '').split(' ').filter((word) => word !== '');
    return {
      name: 'account',
      settings,
      // One by one: the tool takes one account, and what is remarked of it is remarked of that one.
      traits: { selfExpiring: false, prefixes: false, batchSize: 1, unmarked: true },
      probe: {
        steps: [
          readAccounts,
          { kind: 'command', tool: 'usermod', args: ['--help'] },
          // With `/.` it is true for a folder only; false on a read-only file system, for root too.
          { kind: 'command', tool: 'test', args: ['-w', '/etc/.'] },
        ],
        read: (results) => readProbe(results, expires),
      },
      inspect: { steps: [readAccounts], read: ([answer]) => readDisabled(answer, expires) },
      examine: (target) => ({
        steps: [readAccounts, { kind: 'read-file', path: '/etc/group' }],
        read: ([answer, groups]) => examine(target, { answer, groups, never, expires }),
      }),
      container: () => undefined,
      apply: (effects) => effects.flatMap((effect) => disable(effect, expires, endsSessions)),
      revert: (effects) => effects.map(giveBack),
    };
  },
};

function disable(
  { target, memory }: Effect<UserTarget>,
  expire: boolean,
  endsSessions: boolean,
): Step[] {
  const uid = uidOf(memory);
  return [
    { kind: 'change-account', user: target.text, uid, change: { to: 'disabled', expire } },
    // After the door is shut, so that nobody comes back in.
    ...(endsSessions ? [{ kind: 'end-sessions' as const, uid }] : []),
  ];
}

function giveBack({ target, memory }: Effect<UserTarget>): Step {
  const password = memory?.['password'];
  return {
    kind: 'change-account',
    user: target.text,
    uid: uidOf(memory),
    change: {
      to: 'former',
      // What is not known is left locked.
      password: password === 'open' || password === 'none' ? password : 'locked',
      expire: memory?.['expire'],
    },
  };
}

/** No account has the number -1: without a memory nothing is acted on. */
function uidOf(memory: Memory | undefined): number {
  return Number(memory?.['uid'] ?? -1);
}

function readProbe([accounts, tool, folder]: readonly StepResult[], expires: boolean): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  if (parse(accounts) === undefined) {
    return unusable(accounts?.stderr || 'the accounts cannot be read');
  }
  if (tool?.failure === 'missing') return unusable('usermod is not installed');
  if (tool?.failure !== undefined)
    return unusable(`usermod does not answer: ${tool.stderr.trim()}`);
  if (folder?.failure !== undefined) return unusable('/etc can not be written to');
  const how = expires ? 'password and expiry' : 'password only';
  return { usable: true, why: `usermod, ${how}`, families: [] };
}

function readDisabled(answer: StepResult | undefined, expires: boolean): Reading<UserTarget> {
  const found = parse(answer);
  if (found === undefined) {
    return { known: false, why: answer?.stderr || 'the accounts cannot be read' };
  }
  return {
    known: true,
    containers: [],
    effects: found.accounts
      .filter((one) => isDisabled(one, expires))
      .map(({ name }) => ({ target: { kind: 'user', text: name } })),
    foreign: [],
    setup: () => [],
    teardown: () => [],
  };
}

function isDisabled({ password, expire }: Account, expires: boolean): boolean {
  return password === 'locked' && (!expires || expire === ourExpiry);
}

interface Found {
  readonly answer: StepResult | undefined;
  readonly groups: StepResult | undefined;
  readonly never: readonly string[];
  readonly expires: boolean;
}

function examine({ text }: UserTarget, { answer, groups, never, expires }: Found): Examined {
  const found = parse(answer);
  if (found === undefined) {
    return { fit: 'unknown', why: answer?.stderr || 'the accounts cannot be read' };
  }
  const one = found.accounts.find(({ name }) => name === text);
  if (one === undefined) {
    const why = 'is not in /etc/passwd; accounts from elsewhere have to be disabled there';
    return { fit: false, refusal: 'absent', why };
  }
  const why = whyProtected(one, found, groups, never);
  if (why !== undefined) return { fit: false, refusal: 'protected', why };
  if (never.some(isGroup) && groups?.failure !== undefined) {
    return { fit: 'unknown', why: `/etc/group: ${groups.stderr || 'can not be read'}` };
  }
  if (one.fault !== undefined) return { fit: 'unknown', why: `${text} ${one.fault}` };
  const { uid, password, expire } = one;
  return {
    fit: true,
    memory: { uid: `${uid}`, password, ...(expires ? { expire } : {}) },
    preExisting: isDisabled(one, expires),
  };
}

/** Root by any name, the agent itself, and whom the configuration names. */
function whyProtected(
  { name, uid, gid }: Account,
  { agent, accounts }: Accounts,
  groups: StepResult | undefined,
  never: readonly string[],
): string | undefined {
  // A name that stands twice is all of those that it stands for.
  const uids = accounts.filter((one) => one.name === name).map((one) => one.uid);
  if (uids.includes(0)) return 'is root (number 0), which is never disabled';
  if (uid === agent || uids.includes(agent)) {
    return `is the account that ar-exec runs as (number ${agent})`;
  }
  if (never.includes(name)) return 'is on the list <never_disable>';
  const group = groupsOf(name, gid, groups?.stdout ?? '').find((one) => never.includes(`@${one}`));
  return group === undefined ? undefined : `is in the group ${group}, on the list <never_disable>`;
}

function isGroup(word: string): boolean {
  return word.startsWith('@');
}

/** See group(5); the primary group has its members by their number only. */
function groupsOf(name: string, gid: number, text: string): string[] {
  return text.split('\n').flatMap((line) => {
    const [group = '', , number = '', members = ''] = line.split(':');
    const isIn = number === `${gid}` || members.split(',').includes(name);
    return isIn ? [group] : [];
  });
}

function parse(answer: StepResult | undefined): Accounts | undefined {
  if (answer === undefined || answer.failure !== undefined) return undefined;
  try {
    const parsed = JSON.parse(answer.stdout) as Partial<Accounts>;
    if (typeof parsed.agent !== 'number' || !Array.isArray(parsed.accounts)) return undefined;
    return parsed as Accounts;
  } catch {
    return undefined;
  }
}
