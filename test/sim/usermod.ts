/**
 * usermod(8) and userinfo(8) of OpenBSD 7.6 and NetBSD 10, as far as locking, expiry, an empty password
 * and the shell go. From usr.sbin/user/user.c of each (usermod, moduser, userinfo, scantime, valid_login).
 * Switches: `busy` (the file is locked), `ptmp` (/etc/ptmp is there: vipw(8) runs, or has died).
 */
import { type Entry, findEntry, replaceEntry } from './master-passwd.ts';
import { type Answer, answer, type Call, type Simulator } from './simulator.ts';

const mark = '*LOCKED*';

export const simulate: Simulator = (call) => {
  const { system, tool, args } = call;
  if (system !== 'openbsd76' && system !== 'netbsd10') return unknown(call);
  if (tool === 'userinfo') {
    const [verb, name = '', ...more] = args;
    if (verb !== '-e' || more.length > 0) return unknown(call);
    return answer(findEntry(call, name) === undefined ? 1 : 0);
  }
  const asked = parse(args, system === 'openbsd76' ? 'ZUp:s:' : 'C:e:');
  if (asked === undefined) return unknown(call);
  return (system === 'openbsd76' ? openBsd : netBsd)(call, asked);
};

interface Asked {
  readonly options: ReadonlyMap<string, string>;
  readonly name: string;
}

/** getopt(3), of the options that are known here. */
function parse(args: readonly string[], known: string): Asked | undefined {
  const options = new Map<string, string>();
  const left = [...args];
  while (left[0]?.startsWith('-')) {
    const word = left.shift() ?? '';
    if (word === '--') break;
    const [, letter = ''] = /^-(.)$/.exec(word) ?? [];
    const at = letter === '' ? -1 : known.replaceAll(':', ' ').indexOf(letter);
    if (at === -1) return undefined;
    const takes = known[at + 1] === ':';
    const value = takes ? left.shift() : '';
    if (value === undefined) return undefined;
    options.set(letter, value);
  }
  const [name, ...more] = left;
  return name === undefined || more.length > 0 ? undefined : { options, name };
}

function openBsd(call: Call, { options, name }: Asked): Answer {
  const [locks, unlocks] = [options.has('Z'), options.has('U')];
  if (locks && unlocks) return fail("options 'U' and 'Z' are mutually exclusive");
  if (options.has('p') && (locks || unlocks)) {
    return fail("options 'U' or 'Z' with 'p' are mutually exclusive");
  }
  if (notRoot(call)) return fail('Program must be run as root');
  if (!/^[A-Za-z0-9._][A-Za-z0-9._-]*\$?$/.test(name) || name.length > 31) {
    return fail(`\`${name}' is not a valid login name`);
  }
  const entry = findEntry(call, name);
  if (entry === undefined) return fail(`No such user \`${name}'`);
  if ((locks || unlocks) && Number(entry.uid) < 1_000) {
    return fail(`(un)locking is not supported for the \`${name}' account`);
  }
  const busy = whyBusy(call);
  if (busy !== undefined) return fail(`can't ${busy}`);
  const said: string[] = [];
  const password = options.get('p');
  if (password !== undefined) entry.password = password;
  if (locks) lockShell(entry, said);
  if (unlocks) unlockShell(entry, said);
  const shell = options.get('s');
  if (shell !== undefined) entry.shell = shell;
  replaceEntry(call, entry);
  return answer(0, { err: said.map((line) => `usermod: ${line}`) });
}

/** "lock the account" in moduser(): one mark on each, and only where none stands. */
function lockShell(entry: Entry, said: string[]): void {
  const [shell, password] = [entry.shell.endsWith('-'), entry.password.startsWith('*')];
  if (!shell) entry.shell += '-';
  if (!password) entry.password = `*${entry.password}`;
  if (shell && password) said.push(`account \`${entry.name}' is already locked`);
}

/** "unlock the password", "unlock the account" in moduser(); exit status 0 whatever it does. */
function unlockShell(entry: Entry, said: string[]): void {
  let unlocked = 0;
  if (entry.password === '*' || entry.password === '*'.repeat(13)) {
    said.push(`account \`${entry.name}' has no password: cannot fully unlock`);
  } else if (entry.password.startsWith('*')) entry.password = entry.password.slice(1);
  else unlocked += 1;
  if (entry.shell.endsWith('-')) entry.shell = entry.shell.slice(0, -1);
  else unlocked += 1;
  if (unlocked > 1) said.push(`account \`${entry.name}' is not locked`);
}

function netBsd(call: Call, { options, name }: Asked): Answer {
  const closes = options.get('C')?.toLowerCase();
  if (closes !== undefined && closes !== 'yes' && closes !== 'no') {
    return fail("Please type 'yes' or 'no'");
  }
  if (notRoot(call)) return fail('Program must be run as root');
  const cannot = `Can't modify user \`${name}': `;
  // A `$` at the end needs -S.
  if (!/^[A-Za-z0-9._][A-Za-z0-9._-]*$/.test(name)) return fail(`${cannot}invalid login name`);
  const entry = findEntry(call, name);
  if (entry === undefined) return fail(`${cannot}no such user`);
  const busy = whyBusy(call);
  if (busy !== undefined) return fail(`${cannot}can't ${busy}`);
  const said: string[] = [];
  // strstr(3): the mark may stand anywhere, and all before it goes with it.
  const at = entry.password.indexOf(mark);
  if (closes === 'yes' && at !== -1) said.push('Account is already locked');
  if (closes === 'yes' && at === -1) entry.password = `${mark}${entry.password}`;
  if (closes === 'no' && at === -1) said.push(`${cannot}account is not locked`);
  if (closes === 'no' && at !== -1) entry.password = entry.password.slice(at + mark.length);
  const time = options.get('e');
  // scantime(): seconds; dates are known to it as well, and not here.
  if (time !== undefined && !/^\d+$/.test(time)) return unknown(call);
  if (time !== undefined) entry.expire = `${Number(time)}`;
  replaceEntry(call, entry);
  return answer(0, { err: said.map((line) => `usermod: ${line}`) });
}

/** flock(2) does not wait here; pw_lock() does, ten seconds (WAITSECS). */
function whyBusy({ switches }: Call): string | undefined {
  if (switches['busy'] === true) {
    return "lock `/etc/master.passwd': Resource temporarily unavailable";
  }
  return switches['ptmp'] === true ? 'obtain pw_lock: File exists' : undefined;
}

function notRoot({ switches }: Call): boolean {
  return (switches.euid ?? 0) !== 0;
}

function fail(why: string): Answer {
  return answer(1, { err: [`usermod: ${why}`] });
}

function unknown({ tool, args }: Call): Answer {
  return answer(99, { err: [`simulator: not known: ${tool} ${args.join(' ')}`] });
}
