/** What is promised of a request, whoever sent it and whatever it says. */
import { BlockList } from 'node:net';
import { ArError, errorCodes } from '../../../agent/errors.ts';
import type { Message, Refused } from '../../../agent/intake/ask.ts';
import { type AlertHead, fromAlert, headOf } from '../../../agent/intake/dialects/alert.ts';
import { addedLines, removedLines } from '../../../agent/observe/manager-lines.ts';
import { decide } from '../../../agent/policy/decide.ts';
import { createGuard } from '../../../agent/policy/guard.ts';
import { findResponse, type ResponseDefinition } from '../../../agent/policy/responses.ts';
import { judge } from '../../../agent/policy/triggers.ts';
import { lineFor } from '../../../agent/script/plan-run.ts';
import { mannerOf } from '../../../agent/script/settings.ts';
import { wordsOf } from '../../../agent/script/words.ts';
import type { ActiveResponse, Commands, Request } from '../../../agent/words.ts';
import type { Facts } from '../../../platform/driver.ts';
import { isHost, parseTarget, parseUser, type Target } from '../../../platform/target.ts';
import { checkPlans } from './plans.ts';
import { claim } from './target.ts';

const gateway = '10.77.0.2';
const guard = createGuard({ neverBlock: [], widestPrefix: { 4: 16, 6: 32 } });
const essential = [gateway, 'fd77::2'].flatMap((text) => {
  const target = parseTarget(text);
  return target === undefined ? [] : [{ target, what: 'the default gateway' }];
});

/** The same by other means than the guard's. */
const neverBlocked = new BlockList();
neverBlocked.addSubnet('127.0.0.0', 8);
neverBlocked.addSubnet('0.0.0.0', 8);
neverBlocked.addSubnet('169.254.0.0', 16);
neverBlocked.addSubnet('224.0.0.0', 4);
neverBlocked.addAddress('255.255.255.255');
neverBlocked.addAddress(gateway);
neverBlocked.addAddress('::1', 'ipv6');
neverBlocked.addAddress('::', 'ipv6');
neverBlocked.addSubnet('fe80::', 10, 'ipv6');
neverBlocked.addSubnet('ff00::', 8, 'ipv6');
neverBlocked.addAddress('fd77::2', 'ipv6');

/** Names as a manager gives them, for those that ask by one. */
export const commands: Commands = {
  find: (name) =>
    ({
      block600: { executable: 'firewall-drop', timeoutSeconds: 600 },
      own0: { executable: 'own.sh' },
      lock300: { executable: 'disable-account', timeoutSeconds: 300 },
    })[name],
  longest: () => 660,
};

const activeResponses: readonly ActiveResponse[] = (
  ['firewall-drop', 'disable-account', 'quarantine-file', 'kill-process', 'own.sh'] as const
).map((executable) => ({
  command: {
    name: executable,
    executable,
    expect: [],
    timeoutAllowed: true,
    extraArgs: ['-x'],
  },
  disabled: false,
  location: 'all',
  agentIds: [],
  level: 3,
  timeoutSeconds: 600,
}));

export function checkError(error: unknown): void {
  if (!(error instanceof ArError)) throw error;
  claim(error.code in errorCodes && error.code !== 'internal', `the code ${error.code}`);
  claim(error.message.length < 600, `a message of ${error.message.length} characters`);
  claim(
    !/(?!\n)\p{Cc}/u.test(error.message),
    `control characters in ${JSON.stringify(error.message)}`,
  );
}

export function checkMessage(message: Message | Refused): void {
  if ('error' in message) {
    checkError(message.error);
    return;
  }
  const { ask } = message;
  if (ask.kind === 'act') checkRequest(ask.request);
  else if (ask.kind === 'alert') checkAlert(ask.alert);
}

function checkAlert(alert: object): void {
  const head: AlertHead = headOf(alert);
  const who = { id: '001', name: 'web-01', role: 'agent' } as const;
  for (const { activeResponse, why } of judge(head, activeResponses, who)) {
    if (why !== undefined) continue;
    const { command, timeoutSeconds } = activeResponse;
    checkRequest(fromAlert(alert, { command, timeoutSeconds }, who.name));
  }
}

export function checkRequest(request: Request): void {
  const { origin, verb, hostOnly, forceProtected, managerLine, response } = request;
  claim(verb === 'add' || verb === 'delete', `the verb ${verb}`);
  const trusted = origin.dialect === 'native';
  claim(trusted || forceProtected === undefined, 'a manager insists');
  claim(trusted || hostOnly === true || request.srcip === undefined, 'an alert may name a prefix');
  // It costs more than all the rest.
  if (managerLine !== undefined && managerLine.length % 4 === 0) checkLogged(managerLine);
  const built = findResponse(response);
  const definition = built ?? scriptNamed(response);
  for (const system of ['linux', 'win32'] as const) checkOn(system, request, definition);
}

function checkOn(
  system: 'linux' | 'win32',
  request: Request,
  definition: ResponseDefinition | undefined,
): void {
  try {
    const { target, facts = {} } = decide(request, {
      definition,
      guard,
      essential,
      system,
      newName: () => 'a-new-name',
    });
    checkTarget(target, request, system);
    if (definition?.drivers[0] === 'script') checkScript(request, target);
    else checkPlansOnce(definition?.drivers ?? [], target, facts);
  } catch (error) {
    checkError(error);
  }
}

/** What a stranger wrote begins no line of its own in active-responses.log. */
function checkLogged(line: string): void {
  const at = new Date(0);
  const made = { key: '203.0.113.7', driver: 'nftables' };
  for (const text of [addedLines(line, made, at), removedLines(line, made, at)]) {
    for (const one of text.split('\n')) {
      const isOurs = one === '' || /^(?:1970\/01\/01|1969\/12\/31|\w{3} \w{3} )/.test(one);
      claim(
        isOurs && !one.includes('\r'),
        `a line of its own: ${JSON.stringify(one.slice(0, 200))}`,
      );
    }
  }
}

function checkTarget(
  target: Target,
  { verb, hostOnly, forceProtected }: Request,
  system: 'linux' | 'win32',
): void {
  const { text } = target;
  if (target.kind === 'address') {
    claim(/^[0-9a-f.:]+(?:\/\d{1,3})?$/.test(text), `the address ${text}`);
    claim(parseTarget(text)?.text === text, `${text} is not canonical`);
    claim(hostOnly !== true || isHost(target), `the prefix ${text} of an alert`);
    const family = target.family === 4 ? 'ipv4' : 'ipv6';
    const free = verb === 'delete' || forceProtected === true;
    claim(free || !neverBlocked.check(target.address, family), `${text} is protected`);
  }
  if (target.kind === 'user') claim(accounts[system].test(text), `the account ${text}`);
  if (target.kind === 'file' || target.kind === 'process') {
    const path = target.kind === 'file' ? text : target.executable;
    const odd = /\p{Cc}|(?:^|[\\/])\.\.?(?:[\\/]|$)/u;
    claim(paths[system].test(path) && !odd.test(path), `the path ${path}`);
  }
}

const accounts = {
  linux: /^[a-zA-Z0-9_][\w.$-]*$/,
  win32: /^(?! )[^\p{Cc}"/\\[\]:;|=,+*?<>@]{1,20}$/u,
} as const;
const paths = { linux: /^\//, win32: /^[A-Z]:\\/ } as const;

/** Most inputs are about what those before them were about. */
const planned = new Set<string>();

function checkPlansOnce(drivers: readonly string[], target: Target, facts: Facts): void {
  const key = `${drivers.join()} ${target.text} ${JSON.stringify(facts)}`;
  if (planned.has(key)) return;
  if (planned.size >= 10_000) planned.clear();
  planned.add(key);
  checkPlans(drivers, target, facts);
}

/** As agent/script/find.ts makes one, if there were such a file. */
function scriptNamed(name: string): ResponseDefinition | undefined {
  if (!/^[A-Za-z0-9_][A-Za-z0-9._+@-]{0,63}$/.test(name)) return undefined;
  return {
    name,
    target: 'named',
    stateful: true,
    drivers: ['script'],
    wantsFacts: true,
    summary: '',
    guardsAddress: true,
    nameOf: ({ srcip = '-' }) => srcip,
  };
}

/** A script gets one line, and no word that a tool could take for an option. */
function checkScript(request: Request, target: Target): void {
  const { origin, facts, managerLine, srcip, verb, forceProtected } = request;
  const address = srcip === undefined ? undefined : parseTarget(srcip);
  const free = verb === 'delete' || forceProtected === true;
  if (address !== undefined && target.kind === 'named' && !free) {
    claim(
      !neverBlocked.check(address.address, address.family === 4 ? 'ipv4' : 'ipv6'),
      'protected',
    );
  }
  const subject = { id: 1, createdAt: 0, deadlineAt: 1, origin, facts, managerLine };
  const own = { name: 'own.sh', folder: '/r', file: 'own.sh', log: 'yes' } as const;
  for (const dialect of ['json', 'wcs', 'argv'] as const) {
    const script = { ...own, dialect, stateful: 'yes', extraArgs: [] } as const;
    const line = lineFor(script, mannerOf(dialect, origin.dialect), subject, 'add');
    claim(line === undefined || !/[\r\n]/.test(line), `more than one line: ${line?.slice(0, 200)}`);
    if (dialect !== 'argv') continue;
    const words = wordsOf(script, { ...subject, facts: { ...facts, extraArgs: [] } }, 'add');
    for (const word of words) {
      claim(word === '-' || !/^-|[\s\p{Cc}]/u.test(word), `the word ${JSON.stringify(word)}`);
    }
    const [, user = '-', ip = '-'] = words;
    claim(user === '-' || parseUser(user)?.text === user, `the user ${user}`);
    claim(ip === '-' || parseTarget(ip)?.text === ip, `the address ${ip}`);
  }
}
