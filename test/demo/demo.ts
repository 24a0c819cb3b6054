/**
 * `npm run demo`: the main job of ar-exec in a few seconds, on real network namespaces, with the real
 * executable. Ends with status 1 if anything is not as it should be, and cleans up however it ends.
 */
import { existsSync } from 'node:fs';
import { execa } from 'execa';
import { createHome, type Home } from '../e2e/agent.ts';
import { createHosts, type Hosts } from '../kernel/hosts.ts';
import { becomeRoot } from './become-root.ts';
import { tellStory } from './story.ts';
import { createTimeline, NotSo, type Timeline } from './timeline.ts';

const goneMs = 3_000;
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

// System tools live in folders that the PATH of an ordinary account often lacks.
process.env['PATH'] = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
process.exitCode = (await becomeRoot()) ?? (await play());

async function play(): Promise<number> {
  let interruptedBy: NodeJS.Signals | undefined;
  const interruption = new Promise<never>((_, reject) => {
    for (const signal of signals) {
      process.on(signal, () => {
        interruptedBy ??= signal;
        reject(new Error(`interrupted by ${signal}`));
      });
    }
  });
  const timeline = createTimeline(() => interruptedBy !== undefined);
  const making = createHosts();
  let home: Home | undefined;
  let failure: unknown;
  try {
    const hosts = await Promise.race([making, interruption]);
    timeline.tell('hosts', 'an endpoint and an attacker, in network namespaces of their own');
    home = await createHome(hosts.endpoint);
    await Promise.race([tellStory({ timeline, hosts, home }), interruption]);
  } catch (error) {
    failure = error;
  }
  const left = await cleanUp(await making.catch(() => undefined), home);
  if (interruptedBy !== undefined) return say(130, `interrupted; ${left ?? 'nothing is left'}`);
  return verdict(timeline, failure, left);
}

/** Removes everything that the demo made; says what is left of it, if anything. */
async function cleanUp(hosts: Hosts | undefined, home: Home | undefined) {
  const names = hosts === undefined ? [] : [hosts.endpoint, hosts.attacker];
  const pids = (await Promise.all(names.map(pidsIn))).flat();
  await hosts?.close();
  await home?.remove();
  const deadline = performance.now() + goneMs;
  while (pids.some(isAlive) && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { stdout } = await execa('ip', ['netns', 'list']);
  const left = [
    ...names.filter((name) => stdout.includes(name)).map((name) => `namespace ${name}`),
    ...pids.filter(isAlive).map((pid) => `process ${pid}`),
    ...(home !== undefined && existsSync(home.folder) ? [`folder ${home.folder}`] : []),
  ];
  return left.length === 0 ? undefined : `left behind: ${left.join(', ')}`;
}

function verdict(timeline: Timeline, failure: unknown, left: string | undefined): number {
  if (failure instanceof NotSo) return say(1, `this is not so: ${failure.message}`);
  if (failure !== undefined) {
    return say(1, failure instanceof Error ? (failure.stack ?? failure.message) : String(failure));
  }
  if (left !== undefined) return say(1, left);
  timeline.check(true, 'machine', 'no namespace, process or file of all this is left');
  return 0;
}

function say(status: number, text: string): number {
  process.stderr.write(`demo: ${text}\n`);
  return status;
}

async function pidsIn(namespace: string): Promise<number[]> {
  const { stdout } = await execa('ip', ['netns', 'pids', namespace], { reject: false });
  return stdout.split('\n').filter(Boolean).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
