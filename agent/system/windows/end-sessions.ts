import { setTimeout as pause } from 'node:timers/promises';
import type { EndSessionsStep, StepResult } from '../../../platform/step.ts';
import { readLocalAccounts } from './accounts.ts';
import { listProcesses, openProcess, type ProcessHandle } from './processes.ts';
import { logOff, sessionsOf } from './sessions.ts';

/** Windows gives the programs of a session five seconds before it ends them (HungAppTimeout). */
const patienceMs = 8_000;
const pauseMs = 100;

/**
 * Logs a local account off, and ends what runs as it besides: services, scheduled tasks, what came by
 * SSH or runas, all of which stand in sessions of others. Never a failure, at most a remark.
 */
export async function endWindowsSessions(
  { uid: rid }: EndSessionsStep,
  limitMs: number = patienceMs,
): Promise<StepResult> {
  const { accounts, machine, agent } = readLocalAccounts();
  const account = accounts.find((one) => one.rid === rid);
  const sid = `${machine}-${rid}`;
  if (account === undefined) return { stdout: '', stderr: '' };
  if (sid === agent) {
    return { failure: 'exit', stdout: '', stderr: 'the agent is never logged off' };
  }
  for (const session of sessionsOf(account.name)) logOff(session);
  const until = performance.now() + limitMs;
  for (;;) {
    // What a session still has to end well is left to it, at first.
    const isLate = performance.now() > until - limitMs / 2;
    const sessions = sessionsOf(account.name);
    const left = isLate || sessions.length === 0 ? endProcessesOf(sid) : [];
    if (sessions.length === 0 && left.length === 0) return { stdout: '', stderr: '' };
    if (performance.now() > until) {
      const what = [
        ...sessions.slice(0, 5).map((session) => `session ${session}`),
        ...left.slice(0, 5).map((pid) => `process ${pid}`),
      ];
      return { stdout: '', stderr: '', remark: `it is not all ended: ${what.join(', ')}` };
    }
    await pause(pauseMs);
  }
}

/** The numbers of those that were found, and ended as far as they could be. */
function endProcessesOf(sid: string): number[] {
  return listProcesses().flatMap(({ pid }) => {
    if (pid <= 4 || pid === process.pid) return [];
    const one = openOrNot(pid);
    if (one === undefined) return [];
    try {
      if (one.hasEnded() || ownerOf(one) !== sid) return [];
      if (one.mayEnd) one.end();
      return [pid];
    } catch {
      // It is told as one that still runs.
      return [pid];
    } finally {
      one.close();
    }
  });
}

/** What we may not even look at belongs to Windows, not to an account. */
function openOrNot(pid: number): ProcessHandle | undefined {
  try {
    return openProcess(pid);
  } catch {
    return undefined;
  }
}

function ownerOf(one: ProcessHandle): string | undefined {
  try {
    return one.owner();
  } catch {
    return undefined;
  }
}
