/** Has ar-exec do what was recorded of Wazuh's executables, and looks at what came of it. */
import { readFile, writeFile } from 'node:fs/promises';
import { expect } from 'vitest';
import { type Agent, createHome, type Home, startAgent } from '../e2e/agent.ts';
import { kernelTargets } from '../e2e/kernel-holds.ts';
import { type AccountMachine, accountMachine, insideEtc } from '../kernel/account-machine.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { type RecordedCase, rule, type Standing } from './cases.ts';

export interface Replayed {
  /** What stands afterwards. */
  readonly effect: Required<Standing>;
  readonly outcome: 'done' | 'refused';
  /** The lines of active-responses.log, their time left out. */
  readonly log: readonly string[];
}

/** A machine of its own with an agent, for one case. */
export async function replay(one: RecordedCase): Promise<Replayed> {
  const hosts = await createHosts();
  const accounts = await accountMachine();
  accounts.add('arok');
  const home = await createHome(hosts.endpoint, '', machineOf(accounts, one));
  let agent: Agent | undefined;
  try {
    await writeFile(home.hostsDeny, linesToText(one.before?.hostsDeny ?? []));
    agent = await startAgent(home);
    await prepare(one, agent);
    if (one.log !== undefined) await agentQuiet(agent, home);
    const seen = (await readLog(home)).length;
    const outcome = await perform(one, agent);
    // What is written down follows the reply: after this one nothing of it is left.
    await agent.end();
    agent = undefined;
    const log = (await readLog(home)).slice(seen);
    return { outcome, log, effect: await look(hosts, home, accounts) };
  } finally {
    await agent?.end('SIGKILL');
    await home.remove();
    await accounts.close();
    await hosts.close();
  }
}

/** The lines of a log, spelled out as Wazuh's executable writes them. */
export function spelledOut(one: RecordedCase, log: NonNullable<RecordedCase['log']>): string[] {
  const program = `active-response/bin/${one.response}`;
  const line = (command: string) => one.line ?? JSON.stringify(messageOf(one, command, program));
  const keys = {
    version: 1,
    origin: { name: one.response, module: 'active-response' },
    command: 'check_keys',
    parameters: { keys: keysOf(one) },
  };
  const words: Record<string, string[]> = {
    received: [line(one.verb), ''],
    keys: [JSON.stringify(keys)],
    continue: [line('continue'), ''],
    abort: [line('abort'), ''],
  };
  return log.flatMap((word) => {
    const [first = '', ...rest] = words[word] ?? [word];
    return [`${program}: ${first}`, ...rest];
  });
}

function keysOf({ data }: RecordedCase): string[] {
  const { srcip, dstuser, win } = data as {
    srcip?: string;
    dstuser?: string;
    win?: { eventdata: { ipAddress: string } };
  };
  return [win?.eventdata.ipAddress ?? srcip ?? dstuser ?? ''];
}

function messageOf(
  { data }: Pick<RecordedCase, 'data'>,
  command: string,
  program?: string,
): object {
  const module = program === undefined ? 'wazuh-analysisd' : 'wazuh-execd';
  return {
    version: 1,
    origin: { name: 'node01', module },
    command,
    parameters: {
      extra_args: [],
      alert: { rule, data },
      ...(program === undefined ? {} : { program }),
    },
  };
}

/** /etc of its own, and where the case wants that, no tool of a packet filter. */
function machineOf(accounts: AccountMachine, { withoutTools }: RecordedCase): string[] {
  const tools = ['nft', 'iptables', 'ip6tables', 'iptables-save', 'iptables-restore'];
  const hide = tools
    .map((tool) => `/usr/sbin/${tool}`)
    .map((file) => `{ [ ! -e ${file} ] || mount --bind /dev/null ${file}; }`)
    .join(' && ');
  const script = withoutTools === true ? `${hide} && exec "$@"` : 'exec "$@"';
  return insideEtc(accounts.etc, ['sh', '-c', script, 'sh']);
}

/** Makes what stood before stand by the same way: ar-exec takes back what it made itself. */
async function prepare(one: RecordedCase, agent: Agent): Promise<void> {
  const { before = {} } = one;
  const data = [
    ...new Set(before.dropped ?? []).values().map((srcip) => ({ srcip })),
    ...(before.locked ?? []).map((dstuser) => ({ dstuser })),
  ];
  for (const each of data) {
    expect(await agent.ask(wishOf({ ...one, verb: 'add', data: each }))).toMatchObject({
      ok: true,
    });
  }
}

async function perform(one: RecordedCase, agent: Agent): Promise<'done' | 'refused'> {
  const text = one.line ?? JSON.stringify(wishOf(one));
  const reply = await agent.ask(`${text}${one.crlf === true ? '\r' : ''}\n`);
  return reply['ok'] === true ? 'done' : 'refused';
}

/**
 * As a manager asks, where that can be: it sends no deletions, its agent takes back by itself; and the
 * messages of 5.0 are not taken.
 */
function wishOf(one: RecordedCase): object {
  const { response, verb, data, live, version } = one;
  const seconds = live === true ? 600 : 0;
  if (verb === 'add' && version !== '5.0') return messageOf(one, `${response}${seconds}`);
  const { srcip, dstuser } = data as { srcip?: string; dstuser?: string };
  const timeout = verb === 'add' && seconds > 0 ? { timeoutSeconds: seconds } : {};
  return { command: verb, response, srcip, user: dstuser, ...timeout };
}

/** The logs follow the replies within a moment. */
async function agentQuiet(agent: Agent, home: Home): Promise<void> {
  let before = '';
  for (;;) {
    const { actions } = (await agent.ask({ command: 'list' })) as unknown as { actions: object[] };
    const log = await readFile(home.managerLog, 'utf8').catch(() => '');
    if (log.split(': Ended\n').length > actions.length && log === before) return;
    before = log;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function readLog({ managerLog }: Home): Promise<string[]> {
  const text = await readFile(managerLog, 'utf8').catch(() => '');
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, ''));
}

async function look(
  hosts: Hosts,
  home: Home,
  accounts: AccountMachine,
): Promise<Required<Standing>> {
  const denied = await readFile(home.hostsDeny, 'utf8');
  const { field = '', expire = '' } = accounts.line('arok') ?? {};
  return {
    dropped: await kernelTargets(hosts),
    hostsDeny: denied.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    locked: field.startsWith('!') ? ['arok'] : [],
    expired: expire === '' ? [] : ['arok'],
  };
}

function linesToText(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
