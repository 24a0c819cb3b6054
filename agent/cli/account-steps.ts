import type { AccountSystem, ChangeAccountStep, EndSessionsStep } from '../../platform/step.ts';

type Quote = (word: string) => string;

/** Which of it is done depends on how the account is found then. */
export function changeAccountText(step: ChangeAccountStep, quote: Quote): string {
  const { user, uid, change } = step;
  const left = change.to === 'disabled' ? 'not so yet' : 'still ours';
  const lines = commands(step).map((words) => words.map(quote).join(' '));
  return [`# if ${user} is still number ${uid}, what of this is ${left}:`, ...lines].join('\n');
}

export function endSessionsText({ uid, system }: EndSessionsStep): string {
  switch (system) {
    case undefined:
      return [
        `loginctl terminate-user ${uid}  # and, whether that did or not:`,
        `pkill -KILL -U ${uid}  # outside of containers`,
      ].join('\n');
    case 'win32':
      return `logoff of each session of account number ${uid}  # and its processes are ended`;
    case 'freebsd':
      return `pkill -KILL -j none -U ${uid}`;
    default:
      return `pkill -KILL -U ${uid}`;
  }
}

export function readAccountsText(system: AccountSystem | undefined): string {
  const from = {
    linux: '/etc/passwd and /etc/shadow',
    bsd: '/etc/master.passwd',
    darwin: 'the local node of Open Directory',
    win32: 'this machine',
  };
  const named = system === 'darwin' || system === 'win32';
  const kind = system === undefined ? 'linux' : named ? system : 'bsd';
  return `# read the accounts of ${from[kind]}`;
}

function commands({ user, system, change }: ChangeAccountStep): readonly (readonly string[])[] {
  if (system === 'openbsd') return shells(user, change);
  const plans = { freebsd: pw, dragonfly: pw, netbsd: closing, darwin: policy, win32: net };
  const plan = system === undefined ? shadow : plans[system];
  return plan(user, wantedOf(change));
}

interface Wanted {
  /** `none`: it had no password. */
  readonly password: 'lock' | 'open' | 'none' | 'keep';
  readonly expire?: string | undefined;
}

function wantedOf(change: ChangeAccountStep['change']): Wanted {
  if (change.to === 'disabled') return { password: 'lock', ...(change.expire && { expire: '1' }) };
  const { password, expire } = change;
  return { password: password === 'locked' ? 'keep' : password, expire };
}

function shadow(user: string, { password, expire }: Wanted): string[][] {
  const args = [
    ...{ lock: ['-L'], open: ['-U'], none: [], keep: [] }[password],
    ...(expire === undefined ? [] : ['-e', expire]),
  ];
  return [
    ...(password === 'none' ? [['passwd', '-d', '--', user]] : []),
    ...(args.length === 0 ? [] : [['usermod', ...args, '--', user]]),
  ];
}

function pw(user: string, { password, expire }: Wanted): string[][] {
  const verb = { lock: 'lock', open: 'unlock', none: 'unlock', keep: undefined }[password];
  return [
    ...(verb === undefined ? [] : [['pw', verb, user]]),
    ...(expire === undefined ? [] : [['pw', 'usermod', '-n', user, '-e', expire]]),
  ];
}

function closing(user: string, { password, expire }: Wanted): string[][] {
  const closed = { lock: ['-C', 'yes'], open: ['-C', 'no'], none: ['-C', 'no'], keep: [] };
  const args = [...closed[password], ...(expire === undefined ? [] : ['-e', expire])];
  return args.length === 0 ? [] : [['usermod', ...args, '--', user]];
}

function shells(user: string, change: ChangeAccountStep['change']): string[][] {
  if (change.to === 'disabled') return [['usermod', '-Z', '--', user]];
  if (change.password === 'open') return [['usermod', '-U', '--', user]];
  const opens = change.password === 'none' ? ['-p', ''] : [];
  const back = change.shell === undefined ? [] : ['-s', change.shell];
  return opens.length + back.length === 0 ? [] : [['usermod', ...opens, ...back, '--', user]];
}

function policy(user: string, { password }: Wanted): string[][] {
  const verb = password === 'lock' ? '-disableuser' : password === 'open' ? '-enableuser' : '';
  return verb === '' ? [] : [['pwpolicy', '-n', '/Local/Default', '-u', user, verb]];
}

function net(user: string, { password }: Wanted): string[][] {
  const active = password === 'lock' ? 'no' : password === 'open' ? 'yes' : undefined;
  return active === undefined ? [] : [['net', 'user', user, `/active:${active}`]];
}
