/**
 * pw(8) of FreeBSD 13 and 15, and of DragonFly 6, as far as locking and the expiry of an account go.
 * From usr.sbin/pw/{pw.c,pw_user.c} of FreeBSD (stable/13: pw_userlock, pw_user_mod, pw_checkname) and
 * of DragonFly, which has an older one, and lib/libutil/pw_util.c (pw_lock). Switches: `busy`.
 */
import { findEntry, replaceEntry } from './master-passwd.ts';
import { type Answer, answer, type Call, type Simulator } from './simulator.ts';

/** sysexits(3). */
const noUser = 67;
const noPermission = 77;
const dataError = 65;
const mark = '*LOCKED*';

export const simulate: Simulator = (call) => {
  const { args } = call;
  const [verb = '', ...rest] = args;
  if ((verb === 'lock' || verb === 'unlock') && rest.length === 1) {
    return lockOrUnlock(call, verb, rest[0] ?? '');
  }
  if (verb === 'usermod' && rest.length === 4 && rest[0] === '-n' && rest[2] === '-e') {
    return expire(call, rest[1] ?? '', rest[3] ?? '');
  }
  if (verb === 'usershow' && rest.length === 3 && rest[0] === '-n' && rest[2] === '-7') {
    return show(call, rest[1] ?? '');
  }
  return unknown(call);
};

function lockOrUnlock(call: Call, verb: 'lock' | 'unlock', name: string): Answer {
  // main(): a last word `help` is no name; a number is that of an account.
  if (name === 'help' || /^[0-9]+$/.test(name)) return unknown(call);
  const refused = notRoot(call) ?? badName(name);
  if (refused !== undefined) return refused;
  const entry = findEntry(call, name);
  if (entry === undefined) {
    // FreeBSD names the number that was looked for, which is none: (uid_t)-1.
    const isOld = call.system === 'dragonfly6';
    return fail(noUser, isOld ? `no such user \`${name}'` : "no such name or uid `4294967295'");
  }
  const isLocked = entry.password.startsWith(mark);
  if (verb === 'lock' && isLocked) return fail(dataError, `user '${name}' is already locked`);
  if (verb === 'unlock' && !isLocked) return fail(dataError, `user '${name}' is not locked`);
  const password = isLocked ? entry.password.slice(mark.length) : `${mark}${entry.password}`;
  return write(call, () => replaceEntry(call, { ...entry, password }));
}

/** parse_date(): a number is a time in seconds; with a 0 before it, it would be octal. */
function expire(call: Call, name: string, date: string): Answer {
  if (!/^(0|[1-9][0-9]*)$/.test(date)) return unknown(call);
  const refused = notRoot(call) ?? badName(name);
  if (refused !== undefined) return refused;
  const entry = findEntry(call, name);
  if (entry === undefined) return fail(noUser, `no such user \`${name}'`);
  // Written only where something changes: `edited`.
  if (Number(entry.expire) === Number(date)) return answer(0);
  return write(call, () => replaceEntry(call, { ...entry, expire: date }));
}

/** pw_make_v7(): for everybody, without the password. */
function show(call: Call, name: string): Answer {
  const entry = findEntry(call, name);
  if (entry === undefined) return fail(noUser, `no such user \`${name}'`);
  const { uid, gid, gecos, home, shell } = entry;
  return answer(0, { out: [[name, '*', uid, gid, gecos, home, shell].join(':')] });
}

/** pw_lock() waits for nobody on FreeBSD; DragonFly's pw waits until it has the file. */
function write({ system, switches }: Call, change: () => void): Answer {
  if (switches['busy'] === true) {
    return system === 'dragonfly6'
      ? { ...answer(0), hangs: true }
      : fail(1, 'the password db file is busy');
  }
  change();
  return answer(0);
}

function notRoot({ switches, system }: Call): Answer | undefined {
  if ((switches.euid ?? 0) === 0) return undefined;
  const whole = system === 'dragonfly6' ? ' to run this program' : '';
  return fail(noPermission, `you must be root${whole}`);
}

/** pw_checkname(): a `$` may be the last character, for Samba. */
function badName(name: string): Answer | undefined {
  const at = [...name].findIndex((one, index) =>
    one === '$' ? index !== name.length - 1 : ' ,\t:+&#%^()!@~*?<>=|\\/"'.includes(one),
  );
  if (at === -1) return undefined;
  return fail(dataError, `invalid character \`${name[at]}' at position ${at} in userid/group name`);
}

function fail(exitCode: number, why: string): Answer {
  return answer(exitCode, { err: [`pw: ${why}`] });
}

function unknown({ args }: Call): Answer {
  return answer(99, { err: [`simulator: not known: pw ${args.join(' ')}`] });
}
