/** The main job, from the alert to the end of the block, with a crash in between. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { type Agent, type Home, startAgent } from '../e2e/agent.ts';
import { bruteForceMessage } from '../e2e/brute-force.ts';
import { attacker4, endpoint4, type Hosts } from '../kernel/hosts.ts';
import type { Timeline } from './timeline.ts';

const port = 22;
const [attacker, , neighbour] = attacker4;
const shortestSeconds = 6;
/** A block outlasts the crash in it, and a second start, on slow machines too: so many starts. */
const starts = 4;
const rulesetGoneMs = 3_000;

export interface Stage {
  readonly timeline: Timeline;
  readonly hosts: Hosts;
  readonly home: Home;
}

export async function tellStory(stage: Stage): Promise<void> {
  const agent = await start(stage, 'started');
  const connection = await openBefore(stage);
  const timeoutSeconds = Math.max(
    shortestSeconds,
    Math.ceil((starts * agent.readyAfterMs) / 1_000),
  );
  const blockedAt = await raiseAlert(stage, agent, timeoutSeconds);
  await showBlock(stage, connection);
  connection.close();
  const next = await crash(stage, agent);
  await waitForEnd(stage, next, { blockedAt, timeoutSeconds });
  await showManagerLog(stage);
  await leaveNothing(stage, next);
}

async function start({ timeline, home }: Stage, how: string): Promise<Agent> {
  const agent = await startAgent(home);
  timeline.check(true, 'agent', `${how}, ready after ${agent.readyAfterMs} ms (pid ${agent.pid})`);
  return agent;
}

async function openBefore({ timeline, hosts }: Stage) {
  await hosts.serve(port);
  const connection = await hosts.open(attacker, port);
  timeline.check(
    await connection.alive(),
    'attacker',
    `${attacker} opens a TCP connection to ${endpoint4}:${port} and talks`,
  );
  return connection;
}

async function raiseAlert(
  { timeline }: Stage,
  agent: Agent,
  timeoutSeconds: number,
): Promise<number> {
  const message = bruteForceMessage({ srcip: attacker, timeoutSeconds });
  const line = JSON.stringify(message);
  timeline.tell(
    'manager',
    `alert: rule 5763, sshd brute force from ${attacker}; it asks for firewall-drop${timeoutSeconds}`,
  );
  timeline.show(line);
  const peer = await agent.connect();
  const sentAt = performance.now();
  const reply = await peer.ask(`${line}\n`);
  const repliedAt = performance.now();
  peer.close();
  timeline.check(
    reply['state'] === 'active',
    'agent',
    `blocked after ${(repliedAt - sentAt).toFixed(1)} ms by ${reply['driver']}: in the kernel, and written down on disk`,
  );
  return repliedAt;
}

async function showBlock(
  { timeline, hosts, home }: Stage,
  connection: { alive(): Promise<boolean> },
): Promise<void> {
  const set = await hosts.exec(['nft', 'list', 'set', 'inet', 'ar-exec', 'hosts4']);
  timeline.check(set.includes(attacker), 'kernel', 'has the address, with an end of its own');
  timeline.show(/elements = .*/.exec(set)?.[0] ?? set);
  const list = await home.run(['list']);
  timeline.check(list.stdout.includes(attacker), 'journal', '$ ar-exec list');
  timeline.show(list.stdout);
  const [open, again, other] = await Promise.all([
    connection.alive(),
    hosts.connects(attacker, port),
    hosts.connects(neighbour, port),
  ]);
  timeline.check(!open, 'attacker', 'its open connection is dead');
  timeline.check(!again, 'attacker', 'it cannot connect again');
  timeline.check(other, 'neighbour', `${neighbour}, which is not blocked, still connects`);
}

async function crash(stage: Stage, agent: Agent): Promise<Agent> {
  const { timeline, hosts } = stage;
  await agent.end('SIGKILL');
  timeline.tell('agent', 'killed with SIGKILL');
  const next = await start(stage, 'started again');
  timeline.check(
    !(await hosts.connects(attacker, port)),
    'attacker',
    'still blocked, though the agent that blocked it is gone',
  );
  return next;
}

async function waitForEnd(
  { timeline, hosts, home }: Stage,
  agent: Agent,
  { blockedAt, timeoutSeconds }: { blockedAt: number; timeoutSeconds: number },
) {
  await agent.logged('expired');
  const seconds = (performance.now() - blockedAt) / 1_000;
  timeline.check(
    Math.abs(seconds - timeoutSeconds) < 1,
    'agent',
    `timeout: taken back ${seconds.toFixed(2)} s after the block`,
  );
  timeline.check(await hosts.connects(attacker, port), 'attacker', 'connects again');
  const { stdout } = await home.run(['list']);
  timeline.check(stdout === 'Nothing is held.', 'journal', `$ ar-exec list: ${stdout}`);
}

async function showManagerLog({ timeline, home }: Stage): Promise<void> {
  const text = await readFile(home.managerLog, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => line !== '');
  const has = (command: string): boolean =>
    lines.some((line) => line.includes(`"command":"${command}"`));
  timeline.check(
    has('add') && has('delete'),
    'manager',
    "active-responses.log, which its agent sends it (alerts' bodies cut out):",
  );
  timeline.show(lines.map(shortened).join('\n'));
}

function shortened(line: string): string {
  return line
    .replace(/"origin":\{[^}]*\}/, '"origin":{…}')
    .replace(/"parameters":\{"extra_args".*\}\}$/, '"parameters":{…}}');
}

async function leaveNothing({ timeline, hosts, home }: Stage, agent: Agent): Promise<void> {
  const ruleset = await emptyRuleset(hosts);
  timeline.check(ruleset === '', 'kernel', 'nothing left behind: "nft list ruleset" is empty');
  const status = await agent.end('SIGTERM');
  timeline.check(
    status === 0 && !existsSync(home.socket),
    'agent',
    'stopped with SIGTERM: exit status 0, its socket removed',
  );
}

/** An empty table is kept for a second, as it is often needed again at once. */
async function emptyRuleset(hosts: Hosts): Promise<string> {
  const deadline = performance.now() + rulesetGoneMs;
  for (;;) {
    const ruleset = await hosts.exec(['nft', 'list', 'ruleset']);
    if (ruleset === '' || performance.now() > deadline) return ruleset;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
