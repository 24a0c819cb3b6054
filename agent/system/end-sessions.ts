import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { EndSessionsStep, Runner, StepResult } from '../../platform/step.ts';
import { endProcessesOf } from './end-processes-of.ts';
import { endWindowsSessions } from './windows/end-sessions.ts';

const patienceMs = 3_000;
const pauseMs = 50;

/**
 * Ends what an account has running, as far as that can be done: never a failure, at most a remark.
 *
 * logind knows the sessions as a whole, with what others run in them (a root shell from sudo). Where
 * it is not, and for what runs outside of sessions (cron), every process of the account is killed.
 */
export async function endSessions(
  step: EndSessionsStep,
  run: Runner,
  limitMs: number = patienceMs,
): Promise<StepResult> {
  const { uid, system } = step;
  if (system === 'win32') return endWindowsSessions(step);
  if (uid === 0 || uid === process.geteuid?.()) {
    return { failure: 'exit', stdout: '', stderr: 'root and the agent are never ended' };
  }
  if (system !== undefined) return endProcessesOf(step, system, run, limitMs);
  await run({
    kind: 'command',
    tool: 'loginctl',
    args: ['terminate-user', `${uid}`],
    deadlineMs: 10_000,
  });
  const until = performance.now() + limitMs;
  for (;;) {
    const pids = await processesOf(uid);
    if (pids.length === 0) return { stdout: '', stderr: '' };
    if (performance.now() > until) {
      const remark = `its sessions did not end: processes ${pids.slice(0, 5).join(', ')} still run`;
      return { stdout: '', stderr: '', remark };
    }
    for (const pid of pids) kill(pid);
    await pause(pauseMs);
  }
}

/** SIGKILL: what an attacker runs would not listen to anything else. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

/**
 * By the real number, as pkill(1) has it: a service of root that acts for a user for a moment has only
 * the effective one. A number that is given out anew between this look and the signal is as unlikely
 * as it is for pkill: process numbers go around first.
 */
async function processesOf(uid: number): Promise<number[]> {
  const own = await Promise.all([namespaceOf('self', 'pid'), namespaceOf('self', 'user')]);
  const names = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    names.map(async (name) => {
      const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
      const isMine = new RegExp(`^Uid:\\s+${uid}\\s`, 'm').test(status);
      const isOver = /^State:\s+[ZX]/m.test(status);
      return isMine && !isOver && !(await isOfContainer(name, own)) ? Number(name) : [];
    }),
  );
  return found.flat();
}

/**
 * A container that root started has numbers of its own for its accounts, which only look like ours:
 * it has another pid namespace in the same user namespace. One that the account itself has made has a
 * user namespace of its own, and is no place to hide.
 */
async function isOfContainer(
  name: string,
  [ownPid, ownUser]: readonly [string, string],
): Promise<boolean> {
  const [pid, user] = await Promise.all([namespaceOf(name, 'pid'), namespaceOf(name, 'user')]);
  return pid !== ownPid && user === ownUser;
}

function namespaceOf(name: string, kind: 'pid' | 'user'): Promise<string> {
  return readlink(`/proc/${name}/ns/${kind}`).catch(() => '');
}
