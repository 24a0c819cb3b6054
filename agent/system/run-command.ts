import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { CommandStep, StepResult } from '../../platform/step.ts';
import { checkExecutable } from './check-executable.ts';
import { type Child, startChild, type ToolPlace } from './child.ts';
import { usualDeadlineMs } from './deadline.ts';
import { isOurselves } from './ourselves.ts';
import { createStandby } from './standby.ts';
import { toolPlace } from './tool-place.ts';
import type { OwnWork } from './watch/own-work.ts';
import { endTree } from './windows/end-process.ts';

const stderrLimitCharacters = 2_000;
/** How long the pipes of a killed tool may stay open before its result is given up. */
const pipeGraceMs = 500;

/**
 * Makes the function that runs commands: no shell, an environment of a few words, a working directory that
 * nobody else writes to, and a process group of its own that is killed as a whole when the deadline
 * passes; on Windows, the tool and all that it started.
 *
 * `folders` are the only places where tools are looked for; `started` is told of each process.
 */
export function createCommandRunner(
  folders: readonly string[],
  started: OwnWork['started'] = () => {},
): (step: CommandStep) => Promise<StepResult> {
  const place = toolPlace(folders);
  const found = new Map<string, string>();
  const standby = createStandby();

  return async (step) => {
    const located = await locate(step.tool, place, found);
    if (typeof located !== 'string') return located;
    const file = located;
    const begin = (): Child => {
      const child = startChild(file, step, place);
      started(child.pid, child);
      return child;
    };
    const key = [step.tool, ...step.args].join('\0');
    const child = (step.standby === true ? standby.take(key) : undefined) ?? begin();
    // A tool that ended without reading has a result that says so.
    child.stdin.on('error', () => {});
    child.stdin.end(step.stdin ?? '');
    const result = await withDeadline(child, step, place.groups ? killGroup : endTree);
    if (step.standby === true) standby.prepare(key, begin);
    return result;
  };
}

/** The file of a tool, or why there is none that may be run. */
async function locate(
  tool: string,
  { folders, ending }: ToolPlace,
  found: Map<string, string>,
): Promise<string | StepResult> {
  // Looked at each time: only the folders above are known to be root's for ever.
  if (isAbsolute(tool)) {
    const checked = await checkExecutable({ kind: 'check-executable', path: tool });
    return checked.failure === undefined ? checked.stdout : checked;
  }
  const known = found.get(tool);
  if (known !== undefined) return known;
  for (const folder of folders) {
    const file = join(folder, tool.endsWith(ending) ? tool : tool + ending);
    const usable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) {
      if (await isOurselves(file)) {
        return { failure: 'missing', stdout: '', stderr: `${file} is ar-exec, and not ${tool}` };
      }
      found.set(tool, file);
      return file;
    }
  }
  const stderr = `${tool} is not in ${folders.join(', ')}`;
  return { failure: 'missing', stdout: '', stderr };
}

async function withDeadline(
  child: Child,
  step: CommandStep,
  end: (pid: number) => unknown,
): Promise<StepResult> {
  const { deadlineMs = usualDeadlineMs, leavesDaemons = false } = step;
  let killed = false;
  let grace: NodeJS.Timeout | undefined;
  let giveUp: () => void = () => {};
  const givenUp = new Promise<void>((resolve) => {
    giveUp = resolve;
  });
  const deadline = setTimeout(() => {
    killed = true;
    if (child.pid !== undefined) void end(child.pid);
    // A process that left the group can hold the pipes open for ever.
    grace = setTimeout(() => {
      child.stdout.destroy();
      child.stderr.destroy();
      giveUp();
    }, pipeGraceMs);
  }, deadlineMs);
  const result = await Promise.race([
    child.then(toStepResult),
    givenUp,
    ...(leavesDaemons ? [withoutPipes(child)] : []),
  ]);
  clearTimeout(deadline);
  clearTimeout(grace);
  if (killed || result === undefined) {
    return { failure: 'timeout', stdout: '', stderr: `killed after ${deadlineMs} ms` };
  }
  return result;
}

/** The result of a tool whose pipes others hold open: a moment after its end, with what was said. */
async function withoutPipes(child: Child): Promise<StepResult> {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      said[name] = `${said[name]}${String(chunk)}`.slice(-stderrLimitCharacters);
    });
  }
  const [exitCode, signal] = await new Promise<[number | null, string | null]>((resolve) => {
    child.nodeChildProcess.once('exit', (code, by) => resolve([code, by]));
  });
  await new Promise((resolve) => setTimeout(resolve, pipeGraceMs));
  child.stdout.destroy();
  child.stderr.destroy();
  if (exitCode === 0) return { exitCode, ...said };
  if (exitCode !== null) return { failure: 'exit', exitCode, ...said };
  return { failure: 'signal', stdout: '', stderr: said.stderr || `ended by ${signal}` };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}

function toStepResult(result: Awaited<Child>): StepResult {
  const stdout = result.stdout ?? '';
  const stderr = (result.stderr ?? '').slice(0, stderrLimitCharacters);
  if (!result.failed) return { exitCode: 0, stdout, stderr };
  if (result.exitCode !== undefined && !result.isMaxBuffer) {
    return { failure: 'exit', exitCode: result.exitCode, stdout, stderr };
  }
  if (result.signal !== undefined && !result.isMaxBuffer) {
    return { failure: 'signal', stdout, stderr: stderr || `ended by ${result.signal}` };
  }
  return { failure: 'io', stdout: '', stderr: result.shortMessage ?? 'could not be started' };
}
