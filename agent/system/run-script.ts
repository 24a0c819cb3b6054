/**
 * Runs somebody's own executable: in a session of its own, with an environment of its own, bounded in
 * time and in what is kept of its output, and with the conversation about its keys where it has one
 * (Wazuh source: src/os_execd/execd.c, ExecdStart).
 */
import { access } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { execa } from 'execa';
import { statusText } from '../../platform/exit-status.ts';
import type { ScriptStep } from '../../platform/step.ts';
import { checkScriptFile } from './script-file.ts';
import { keepBeginning, readLines } from './script-output.ts';
import { endTree } from './windows/end-process.ts';
import { windowsEnvironment, windowsFolder } from './windows/environment.ts';
import { type ScriptCommand, scriptCommand } from './windows/script-command.ts';

export interface Conversation {
  /** Called as soon as it has been started, with the process that leads its session. Never throws. */
  started?(pid: number): void;
  /** The keys that a line of the script names, if it is such a line. */
  keysIn(line: string): readonly string[] | undefined;
  /**
   * Called once when it is known which keys it has, or that it names none (`undefined`); resolves with
   * the line to answer with, if any. Then the script's standard input ends.
   */
  answer(keys: readonly string[] | undefined): Promise<string | undefined>;
}

/** What came of a run. */
export interface ScriptEnd {
  /** Whether it was started at all; if not, nothing was done. */
  readonly started: boolean;
  /**
   * Absent when it ended with 0. `untrusted`: it may not be run; `silent`: it had to name its keys and
   * did not; the rest as in a StepResult.
   */
  readonly failure?: 'missing' | 'untrusted' | 'exit' | 'signal' | 'timeout' | 'io' | 'silent';
  readonly exitCode?: number;
  /** What went wrong, in words. */
  readonly why?: string;
  /** The beginnings of what it printed. */
  readonly stdout: string;
  readonly stderr: string;
}

export type ScriptRunner = (step: ScriptStep, conversation: Conversation) => Promise<ScriptEnd>;

/** The longest line with keys that upstream reads. */
const longestKeysLineBytes = 8_191;
/** Where naming keys is possible and not required, it is waited for so long. */
const keysWaitMs = 10_000;
/** Between SIGTERM and SIGKILL. */
const termGraceMs = 2_000;
/** How long the pipes of an ended script may stay open: a process that left it can hold them. */
const pipeGraceMs = 500;

export function createScriptRunner(
  folders: readonly string[],
  options: { readonly keysWaitMs?: number } = {},
): ScriptRunner {
  const environment = isWindows ? windowsEnvironment() : unixEnvironment(folders);
  const waitMs = options.keysWaitMs ?? keysWaitMs;
  return async (step, conversation) => {
    const file = await checkScriptFile(step.folder, step.file);
    if (!file.fit) {
      const failure = file.kind === 'absent' ? 'missing' : 'untrusted';
      return { started: false, failure, why: file.why, stdout: '', stderr: '' };
    }
    const words = step.wordsFor === 'shell' && !file.takesWords ? [] : step.words;
    const command = isWindows
      ? scriptCommand(file.path, words, windowsFolder())
      : { program: step.program, args: words, verbatim: false };
    if ('refused' in command) {
      return { started: false, failure: 'untrusted', why: command.refused, stdout: '', stderr: '' };
    }
    if (isWindows && !(await isThere(command.program))) {
      const why = `there is no ${command.program}`;
      return { started: false, failure: 'missing', why, stdout: '', stderr: '' };
    }
    const child = start(command, step.cwd, { ...environment, AR_EXEC_RUN: step.run });
    return converse(child, step, conversation, waitMs);
  };
}

/** Known by what it has not: numbers of users. */
const isWindows = process.getuid === undefined;

/** An interpreter that is not installed: Python's launcher comes with Python for all users. */
function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function unixEnvironment(folders: readonly string[]): Record<string, string> {
  const { username, homedir } = userInfo();
  return {
    PATH: folders.join(':'),
    LC_ALL: 'C',
    HOME: homedir,
    USER: username,
    LOGNAME: username,
    SHELL: '/bin/sh',
  };
}

function start(command: ScriptCommand, cwd: string, env: Record<string, string>) {
  return execa(command.program, command.args, {
    // Windows: without a window, and it ends when the agent does.
    detached: !isWindows,
    windowsHide: true,
    windowsVerbatimArguments: command.verbatim,
    cwd,
    env,
    extendEnv: false,
    reject: false,
    buffer: false,
    stdin: 'pipe',
  });
}

type Child = ReturnType<typeof start>;

async function converse(
  child: Child,
  step: ScriptStep,
  conversation: Conversation,
  waitMs: number,
): Promise<ScriptEnd> {
  const [out, err] = [keepBeginning(child.stdout), keepBeginning(child.stderr)];
  const { pid, stdin } = child;
  // A script that ends without reading has a result that says so.
  stdin.on('error', () => {});
  if (pid === undefined) {
    const { shortMessage } = await child;
    const why = shortMessage ?? 'it could not be started';
    return { started: false, failure: 'io', why, stdout: '', stderr: '' };
  }
  const limit = endAfter(child, pid, step.deadlineMs);
  conversation.started?.(pid);
  if (step.line !== undefined) stdin.write(`${step.line}\n`);
  const exited = new Promise<void>((resolve) =>
    child.nodeChildProcess.once('exit', () => resolve()),
  );
  let named: readonly string[] | undefined;
  let fault: unknown;
  if (step.handshake === 'none') stdin.end();
  else {
    const patienceMs = step.handshake === 'required' ? step.deadlineMs : waitMs;
    named = await readKeys(child, exited, conversation, patienceMs);
    const reply = await conversation.answer(named).catch((error: unknown) => {
      fault = error;
      return undefined;
    });
    stdin.end(reply === undefined ? '' : `${reply}\n`);
  }
  await exited;
  const result = await endOf(child, pipeGraceMs);
  limit.clear();
  if (fault !== undefined) throw fault;
  const silent = step.handshake === 'required' && named === undefined;
  return {
    started: true,
    ...judge(result, limit.passed(), step, silent),
    stdout: out.text(),
    stderr: err.text(),
  };
}

/** The first line with keys; `undefined` when it closes its output, ends, or lets the time pass. */
function readKeys(
  { stdout }: Child,
  exited: Promise<void>,
  { keysIn }: Conversation,
  patienceMs: number,
): Promise<readonly string[] | undefined> {
  return new Promise((resolve) => {
    const finish = (keys: readonly string[] | undefined): void => {
      clearTimeout(timer);
      resolve(keys);
    };
    const timer = setTimeout(() => finish(undefined), patienceMs);
    readLines(stdout, longestKeysLineBytes, (line) => {
      const keys = keysIn(line);
      if (keys === undefined) return 'more';
      finish(keys);
      return 'enough';
    });
    stdout.once('end', () => finish(undefined));
    stdout.once('close', () => finish(undefined));
    // What it printed last may still be on its way.
    void exited.then(() => setTimeout(() => finish(undefined), pipeGraceMs));
  });
}

/** Ends the script with all of its process group when its time is over. */
function endAfter(child: Child, pid: number, deadlineMs: number) {
  let passed = false;
  let kill: NodeJS.Timeout | undefined;
  const timer = setTimeout(() => {
    passed = true;
    signalGroup(pid, 'SIGTERM');
    kill = setTimeout(() => signalGroup(pid, 'SIGKILL'), termGraceMs);
  }, deadlineMs);
  // Whoever is left of a group that was told to end is not left at work; nor what a script that was
  // killed waited for, which would act after it is taken back.
  child.nodeChildProcess.once('exit', (_code, signal) => {
    clearTimeout(timer);
    clearTimeout(kill);
    if (passed || signal !== null) signalGroup(pid, 'SIGKILL');
  });
  return {
    passed: () => passed,
    clear: () => {
      clearTimeout(timer);
      clearTimeout(kill);
    },
  };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    if (isWindows) void endTree(pid);
    else process.kill(-pid, signal);
  } catch {
    // The group is gone already.
  }
}

/** The result of a script that has ended; its pipes are given up when somebody else keeps them open. */
async function endOf(child: Child, graceMs: number): Promise<Awaited<Child>> {
  const grace = setTimeout(() => {
    child.stdout.destroy();
    child.stderr.destroy();
    child.stdin.destroy();
  }, graceMs);
  const result = await child;
  clearTimeout(grace);
  return result;
}

function judge(
  { exitCode, signal, shortMessage }: Awaited<Child>,
  timedOut: boolean,
  { deadlineMs }: ScriptStep,
  silent: boolean,
): Pick<ScriptEnd, 'failure' | 'exitCode' | 'why'> {
  if (timedOut) {
    return { failure: 'timeout', why: `it was ended after its ${deadlineMs / 1_000} s` };
  }
  if (signal !== undefined) return { failure: 'signal', why: `it was ended by ${signal}` };
  if (exitCode === undefined) return { failure: 'io', why: shortMessage ?? 'its end is not known' };
  if (exitCode !== 0) {
    return { failure: 'exit', exitCode, why: `it ended with status ${statusText(exitCode)}` };
  }
  return silent ? { failure: 'silent', exitCode, why: 'it named no keys' } : { exitCode };
}
