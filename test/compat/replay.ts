/** Has the executable do what was recorded of Wazuh's own ones, and looks at what came of it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type Agent, createHome, type Home, startAgent } from '../e2e/agent.ts';
import { createManagerHome, type ManagerHome, startExecutable } from '../e2e/execd.ts';
import { kernelTargets } from '../e2e/kernel-holds.ts';
import { type AccountMachine, accountMachine, hash, insideEtc } from '../kernel/account-machine.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import type { Recorded, Standing } from './recorded.ts';

/** What a run can differ in. */
export const aspects = ['stdout', 'exit', 'log', 'effect'] as const;

export interface Replayed {
  readonly stdout: string;
  readonly exit: number | null;
  readonly log: string;
  readonly effect: Standing;
}

export interface Machine {
  replay(one: Recorded): Promise<Replayed>;
  close(): Promise<void>;
}

/** Accounts as the recorded machine had them: an open one, one that was locked before, one without a password. */
const accountStates = { arok: hash, arlocked: `!${hash}`, arnopw: '!' };

/** A machine of its own, its agent, and a folder of a manager's agent with links to the executable. */
export async function createMachine(names: readonly string[], tools: boolean): Promise<Machine> {
  const hosts = await createHosts();
  const accounts = await accountMachine();
  for (const [name, field] of Object.entries(accountStates)) accounts.add(name, { field });
  const home = await createHome(hosts.endpoint, '', machineOf(accounts, tools));
  await writeFile(home.hostsDeny, '');
  const manager = await createManagerHome(home.folder, names, {
    AR_EXEC_SOCKET: home.socket,
    AR_EXEC_CONFIG: home.config,
    AR_EXEC_STATE: home.state,
    // The agent writes to the one that is configured, of what ends without an executable.
    AR_EXEC_ACTIVE_RESPONSES_LOG: logOf(home),
  });
  const agent = await startAgent(home);
  const machine = { hosts, accounts, home, manager, agent };
  return {
    replay: (one) => replay(one, machine),
    close: async () => {
      await agent.end('SIGKILL');
      await home.remove();
      await accounts.close();
      await hosts.close();
    },
  };
}

function logOf({ folder }: Home): string {
  return join(folder, 'logs', 'called.log');
}

interface Parts {
  readonly hosts: Hosts;
  readonly accounts: AccountMachine;
  readonly home: Home;
  readonly manager: ManagerHome;
  readonly agent: Agent;
}

async function replay(one: Recorded, parts: Parts): Promise<Replayed> {
  const { home, manager, agent } = parts;
  await writeFile(home.hostsDeny, one.before.hostsDeny.map((line) => `${line}\n`).join(''));
  for (const wish of wishesFor(one)) {
    expect(await agent.ask({ command: 'add', ...wish })).toMatchObject({ ok: true });
  }
  await writeFile(logOf(home), '');
  const { status, stdout } = await run(one, manager);
  const log = (await readFile(logOf(home), 'utf8'))
    .replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /gm, 'TS ')
    // The recording was read as text, where both are one end of a line.
    .replaceAll('\r\n', '\n');
  const effect = await look(parts);
  await clear(agent);
  return { stdout, exit: status, log, effect };
}

/** As execd speaks to it, or all at once where the recording was made so. */
async function run({ name, bin, lines }: Recorded, manager: ManagerHome) {
  const executable = startExecutable(manager, bin);
  const [first = '', ...rest] = lines.map((line) => (line.endsWith('\n') ? line : `${line}\n`));
  executable.send(first);
  if (!name.includes('at once')) await executable.keys();
  for (const line of rest) executable.send(line);
  executable.endInput();
  return executable.ended;
}

/** What stood before is made by the agent: it takes back what it made itself. */
function wishesFor({ bin, before, after }: Recorded): object[] {
  const ended = before.locked.filter((name) => !after.locked.includes(name));
  return [
    ...new Set(before.dropped).values().map((srcip) => ({ response: bin, srcip })),
    ...ended.map((user) => ({ response: bin, user })),
  ];
}

async function look({ hosts, home, accounts }: Parts): Promise<Standing> {
  const denied = await readFile(home.hostsDeny, 'utf8');
  const changed = Object.entries(accountStates).map(([name, field]) => {
    const line = accounts.line(name);
    return { name, locked: line?.field !== field, expired: line?.expire !== '' };
  });
  return {
    dropped: await kernelTargets(hosts),
    hostsDeny: denied.split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    locked: changed.flatMap(({ name, locked }) => (locked ? name : [])),
    expired: changed.flatMap(({ name, expired }) => (expired ? name : [])),
  };
}

async function clear(agent: Agent): Promise<void> {
  const { actions } = (await agent.ask({ command: 'list' })) as unknown as {
    actions: { response: string; target: string }[];
  };
  for (const { response, target } of actions) {
    const about = response === 'disable-account' ? { user: target } : { srcip: target };
    expect(await agent.ask({ command: 'delete', response, ...about })).toMatchObject({ ok: true });
  }
}

/** /etc of its own, and without tools none of a packet filter. */
function machineOf(accounts: AccountMachine, tools: boolean): string[] {
  const hide = ['nft', 'iptables', 'ip6tables', 'iptables-save', 'iptables-restore']
    .map((tool) => `/usr/sbin/${tool}`)
    .map((file) => `{ [ ! -e ${file} ] || mount --bind /dev/null ${file}; }`)
    .join(' && ');
  const script = tools ? 'exec "$@"' : `${hide} && exec "$@"`;
  return insideEtc(accounts.etc, ['sh', '-c', script, 'sh']);
}
