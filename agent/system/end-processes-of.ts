import { setTimeout as pause } from 'node:timers/promises';
import type {
  AccountSystem,
  CommandStep,
  EndSessionsStep,
  Runner,
  StepResult,
} from '../../platform/step.ts';

const pauseMs = 50;

/** What pkill and pgrep end with: some process matched, none did. See pkill(1). */
const none = 1;

/** SIGKILL to all that an account has running, by its real number, until there is nothing any more. */
export async function endProcessesOf(
  { uid }: EndSessionsStep,
  system: AccountSystem,
  run: Runner,
  limitMs: number,
): Promise<StepResult> {
  const until = performance.now() + limitMs;
  for (;;) {
    const { failure, exitCode, stderr } = await run(pkill(uid, system));
    if (failure !== undefined && exitCode === none) return { stdout: '', stderr: '' };
    if (failure !== undefined) {
      const remark = `its sessions were not ended: pkill: ${stderr.trim() || failure}`;
      return { stdout: '', stderr: '', remark };
    }
    if (performance.now() > until) {
      const remark = 'its sessions did not end: some of its processes still run';
      return { stdout: '', stderr: '', remark };
    }
    await pause(pauseMs);
  }
}

/** A jail has numbers of its own for its accounts; FreeBSD's pkill can leave them alone. */
function pkill(uid: number, system: AccountSystem): CommandStep {
  const outside = system === 'freebsd' ? ['-j', 'none'] : [];
  const args = ['-KILL', ...outside, '-U', `${uid}`];
  return { kind: 'command', tool: 'pkill', args, deadlineMs: 10_000 };
}
