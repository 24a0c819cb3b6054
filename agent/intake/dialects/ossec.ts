/**
 * What OSSEC, and Wazuh until 4.1, send to an agent for execd: one line of words with a space between
 * them; and the arguments that execd starts a script with, `add` or `delete` before them (OSSEC source:
 * src/analysisd/alerts/exec.c, src/os_execd/execd.c).
 *
 *     firewall-drop600 - 203.0.113.7 1609869.80794 554 (web) any->/var/log/auth.log - -
 *     name             user  ip      alert         rule location             file extra
 */
import type { Facts } from '../../../platform/driver.ts';
import { ArError } from '../../errors.ts';
import type { Commands, Origin, Request } from '../../words.ts';
import { splitCommand } from './wazuh4.ts';

/** OSSEC reads no more of a message (src/headers/defs.h: OS_MAXSTR). */
const longest = 6_144;
const folder = '/var/ossec/active-response/bin';

/** Throws `message-invalid`. */
export function fromManager(line: string, commands: Commands): Request {
  if (line.length > longest) throw invalid(`it is longer than ${longest} characters`);
  const [command = '', ...words] = line.split(' ');
  if (command === '') throw invalid('it begins with no name');
  const { executable, timeoutSeconds } = commands.find(command) ?? splitCommand(command);
  const custom = command.startsWith('!') || words.length === 0;
  return {
    ...common(words, custom),
    verb: 'add',
    response: executable,
    timeoutSeconds: timeoutSeconds === 0 ? undefined : timeoutSeconds,
    managerLine: [`${folder}/${executable}`, 'add', ...words].join(' '),
  };
}

/** The arguments that the script `name`, called by `path`, was started with. Throws `message-invalid`. */
export function fromExecd(
  [verb, ...words]: readonly string[],
  { name, path, commands }: { name: string; path: string; commands: Commands },
): Request {
  if (verb !== 'add' && verb !== 'delete') {
    throw invalid('the first argument has to be add or delete');
  }
  return {
    ...common(words, true),
    verb,
    response: name,
    timeoutSeconds: commands.longest(name),
    managerLine: [asWord(path), verb, ...words].join(' '),
  };
}

/** A line that begins with `{` is taken for JSON by whoever reads it later; the path is the same. */
function asWord(path: string): string {
  return path.startsWith('{') ? `./${path}` : path;
}

/** `lenient`: words may be missing, as upstream has it for custom commands. */
function common(words: readonly string[], lenient: boolean) {
  if (!lenient && words.length < 2) throw invalid('it has no user and no address');
  const [user, srcip, alertId, ruleId, ...rest] = words.map(given);
  const { location, file, extraArgs } = readRest(rest);
  const facts: Facts = { srcip, user, alertId, ruleId, location, file, extraArgs };
  const origin: Origin = { dialect: 'ossec', by: undefined, ruleId, alertId };
  return { srcip, user, file, facts, hostOnly: true, origin };
}

/** The location of an agent's event has a space in it: `(name) ip->/file`. */
function readRest(rest: readonly (string | undefined)[]) {
  const [first, second] = rest;
  const isTwo = first?.startsWith('(') === true && second?.includes('->') === true;
  const location = isTwo ? `${first} ${second}` : first;
  const [file, ...extra] = rest.slice(isTwo ? 2 : 1);
  const extraArgs = extra.filter((word) => word !== undefined).map(unescaped);
  return {
    location,
    file: file === undefined || file === '(null)' ? undefined : unescaped(file),
    extraArgs: extraArgs.length === 0 ? undefined : extraArgs,
  };
}

function given(word: string): string | undefined {
  return word === '-' || word === '' ? undefined : word.slice(0, 4_096);
}

/** File name and arguments have a backslash before whatever a shell could act on (os_shell_escape). */
function unescaped(word: string): string {
  return word.replace(/\\([\\"'\t;`><|#*[\]{}&$!:()])/g, '$1');
}

function invalid(what: string): ArError {
  return new ArError(
    'message-invalid',
    `OSSEC message: ${what}`,
    'A message is NAME USER ADDRESS ALERT RULE LOCATION FILE, "-" for what is not known.',
  );
}
