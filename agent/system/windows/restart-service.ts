import { setTimeout as pause } from 'node:timers/promises';
import { endText } from '../../../platform/exit-status.ts';
import type { RestartServiceStep, Runner, StepResult } from '../../../platform/step.ts';

/** SERVICE_STOPPED and SERVICE_RUNNING (winsvc.h). */
const stopped = 1;
const running = 4;
const pauseMs = 250;

/**
 * Restarts a service, by its state before and after each command: `net` ends with 2 for all that it does
 * not like, a service that is stopped already among it, and says what it is in the machine's language.
 */
export async function restartService(
  { service, deadlineMs }: RestartServiceStep,
  run: Runner,
): Promise<StepResult> {
  const until = performance.now() + deadlineMs;
  const net = (...args: string[]): Promise<StepResult> =>
    run({ kind: 'command', tool: 'net', args, deadlineMs });
  const found = await stateOf(service, run);
  if (found === undefined) return failed(`there is no service ${service}`);
  if (found !== stopped) {
    // /y: what depends on it is stopped as well, without a question.
    const said = await net('stop', service, '/y');
    if (!(await reaches(service, stopped, { run, until }))) {
      return failed(`${service} was not stopped, and goes on as it was: ${textOf(said)}`);
    }
  }
  const said = await net('start', service);
  if (await reaches(service, running, { run, until })) return { stdout: '', stderr: '' };
  return failed(`${service} was stopped, and does not start: ${textOf(said)}`);
}

/** `net` writes its complaints to either. */
function textOf(result: StepResult): string {
  const said = result.stderr.trim() || result.stdout.trim();
  if (said !== '') return said.replace(/\s+/g, ' ').slice(0, 500);
  return endText(result);
}

async function reaches(
  service: string,
  wanted: number,
  { run, until }: { readonly run: Runner; readonly until: number },
): Promise<boolean> {
  for (let before: number | undefined; ; ) {
    const state = await stateOf(service, run);
    if (state === wanted) return true;
    // What was on its way and came to stand elsewhere does not get there any more.
    const isAtRest = state === stopped || state === running;
    if ((isAtRest && before === state) || performance.now() > until) return false;
    before = state;
    await pause(pauseMs);
  }
}

/** Undefined: there is no such service, or nobody can say. */
async function stateOf(service: string, run: Runner): Promise<number | undefined> {
  const { failure, stdout } = await run({
    kind: 'command',
    tool: 'sc',
    args: ['query', service],
  });
  return failure === undefined ? parseState(stdout) : undefined;
}

/**
 * `sc query` prints a line each: the name, the type, the state. What stands before the colons is in the
 * machine's language, the numbers are not.
 */
export function parseState(text: string): number | undefined {
  const values = text
    .split(/\r?\n/)
    .map((line) => /:\s*(\S.*)$/.exec(line)?.[1])
    .filter((value) => value !== undefined);
  const state = /^(\d)\b/.exec(values[2] ?? '')?.[1];
  return state === undefined ? undefined : Number(state);
}

function failed(why: string): StepResult {
  return { failure: 'exit', stdout: '', stderr: why };
}
