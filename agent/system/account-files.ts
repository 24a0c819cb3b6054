import type { Account, Runner } from '../../platform/step.ts';

/** An account with what its password field holds: a secret, which never leaves this folder. */
export interface LocalAccount extends Account {
  readonly field: string;
}

const passwd = '/etc/passwd';
const shadow = '/etc/shadow';

/** What there is nothing of ours in. */
export const noLine = 'has no line in /etc/shadow';

/** The accounts of this machine's own files, see passwd(5) and shadow(5). Rejects when they cannot be read. */
export async function readLocalAccounts(run: Runner): Promise<LocalAccount[]> {
  const users = readLines(await textOf(run, passwd)).filter(({ length }) => length === 7);
  const secrets = Map.groupBy(readLines(await textOf(run, shadow)), ([name]) => name);
  const times = Map.groupBy(users, ([name]) => name);
  return users.flatMap(([name = '', password, uid = '', gid = '']) => {
    if (!/^\d{1,10}$/.test(uid) || !/^\d{1,10}$/.test(gid)) return [];
    const lines = secrets.get(name) ?? [];
    const [, field = '', , , , , , expire = ''] = lines[0] ?? [];
    const twice = times.get(name)?.length !== 1 || lines.length > 1;
    const fault = twice
      ? 'stands twice in /etc/passwd or /etc/shadow'
      : faultOf(password, lines[0]);
    return {
      name,
      uid: Number(uid),
      gid: Number(gid),
      password: field === '' ? ('none' as const) : isLocked(field) ? 'locked' : 'open',
      expire,
      ...(fault === undefined ? {} : { fault }),
      field,
    };
  });
}

/** passwd(1) and usermod(8) lock a password by a `!` before it. */
function isLocked(field: string): boolean {
  return field.startsWith('!');
}

/** What the tools would not change as it is meant. */
function faultOf(password: string | undefined, line: readonly string[] | undefined) {
  // usermod would change the field in /etc/passwd besides.
  if (password !== 'x') return 'does not have its password in /etc/shadow';
  if (line === undefined) return noLine;
  // usermod does not know such a line (a -1 is enough), and makes a second one (shadow 4.13).
  const isClear = line.length === 9 && line.slice(2).every((field) => /^\d{0,10}$/.test(field));
  return isClear ? undefined : 'has a line in /etc/shadow that cannot be understood';
}

async function textOf(run: Runner, path: string): Promise<string> {
  const { failure, stdout, stderr } = await run({ kind: 'read-file', path });
  if (failure !== undefined) throw new Error(`${path}: ${stderr || 'can not be read'}`);
  if (stdout === '') throw new Error(`${path} is not there, or empty`);
  return stdout;
}

/** Comments and the `+` and `-` of NIS are nobody's account. */
function readLines(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !/^[#+-]/.test(line))
    .map((line) => line.split(':'));
}
