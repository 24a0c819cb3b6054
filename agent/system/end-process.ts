import { readFile, realpath } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { EndProcessAnswer, EndProcessStep, StepResult } from '../../platform/step.ts';
import { createFamily, type Family } from './process-family.ts';
import { openProcess, type ProcessHandle, type ProcessLook } from './process-handle.ts';
import { programOf, whyProtected } from './process-protection.ts';

/** How long SIGKILL may take: a process that waits for a disk dies when the disk has answered. */
const killWaitMs = 5_000;
/** The start of a process and the uptime are told in hundredths of a second, each cut off. */
const roundingMs = 50;
/** Folders that are links to others where /usr is merged: the kernel names a program by the other. */
const mergedFolders = ['/bin', '/sbin', '/usr/sbin'] as const;

/**
 * Ends one process if it is the one that is meant. Everything is asked of the folder of the process
 * in /proc, opened once, so that all answers are about the same process.
 */
export async function endProcess(step: EndProcessStep): Promise<StepResult> {
  const process = openProcess(step.pid);
  const look = await process?.look();
  try {
    if (process === undefined || look === undefined || look.ended) return said({ outcome: 'gone' });
    const refused = await refuse(process, look, step);
    return said(refused ?? (await end(process, look, step)));
  } catch (error) {
    if (isDenied(error)) return { failure: 'io', stdout: '', stderr: `${error.message}` };
    throw error;
  } finally {
    process?.close();
  }
}

async function refuse(
  process: ProcessHandle,
  look: ProcessLook,
  step: EndProcessStep,
): Promise<EndProcessAnswer | undefined> {
  const leader = await process.leader();
  if (leader === undefined) return { outcome: 'gone' };
  if (leader !== step.pid) {
    return { outcome: 'changed', why: `is no process but a thread of process ${leader}` };
  }
  const why = await whyProtected(process, look, step.never);
  if (why !== undefined) return { outcome: 'protected', why };
  const late = (await startedAt(look)) - (step.startedBefore ?? Date.now());
  if (late > roundingMs) {
    const seconds = Math.max(0.1, late / 1_000).toFixed(1);
    const why = `is the number of a process that started ${seconds} s too late to be meant`;
    return { outcome: 'recycled', why };
  }
  const program = await programOf(process);
  if (program === undefined) return { outcome: 'gone' };
  if (!(await namesOf(step.executable)).includes(program.path)) {
    return { outcome: 'changed', why: `runs ${program.path} now` };
  }
  return undefined;
}

async function end(
  process: ProcessHandle,
  look: ProcessLook,
  { graceMs, family: wanted, never }: EndProcessStep,
): Promise<EndProcessAnswer> {
  const family = wanted ? createFamily(look, never) : undefined;
  const allEnded = async (): Promise<boolean> =>
    (await hasEnded(process)) && ((await family?.living()) ?? 0) === 0;
  // Who has nobody to warn is killed at once: whatever it did on SIGTERM would be its own business.
  if (graceMs > 0) {
    await family?.signal('SIGTERM');
    process.signal('SIGTERM');
    if (await within(graceMs, allEnded)) return ended(family);
  }
  if (family !== undefined) {
    process.signal('SIGSTOP');
    await family.freeze();
    await family.signal('SIGKILL');
  }
  process.signal('SIGKILL');
  if (await within(killWaitMs, allEnded)) return ended(family);
  const who = (await hasEnded(process)) ? `${await family?.living()} of its family` : 'it';
  return { outcome: 'lives', why: `${who} did not end within ${killWaitMs / 1_000} s of SIGKILL` };
}

function ended(family: Family | undefined): EndProcessAnswer {
  return { outcome: 'ended', others: family?.size() ?? 0 };
}

async function hasEnded(process: ProcessHandle): Promise<boolean> {
  return (await process.look())?.ended ?? true;
}

/** Asks again and again, less and less often. */
async function within(limitMs: number, isTrue: () => Promise<boolean>): Promise<boolean> {
  const until = performance.now() + limitMs;
  for (let waitMs = 1; ; waitMs = Math.min(100, waitMs * 2)) {
    if (await isTrue()) return true;
    const leftMs = until - performance.now();
    if (leftMs <= 0) return false;
    await pause(Math.min(waitMs, leftMs));
  }
}

/** By its age, not by when the machine started: the clock may have been set since. Milliseconds. */
async function startedAt({ startedTicks }: ProcessLook): Promise<number> {
  const [uptime = ''] = (await readFile('/proc/uptime', 'latin1')).split(' ');
  return Date.now() - (Number(uptime) * 1_000 - startedTicks * 10);
}

/** How the kernel may name the program that a request names. */
async function namesOf(executable: string): Promise<string[]> {
  const names = [executable];
  for (const folder of mergedFolders) {
    if (!executable.startsWith(`${folder}/`)) continue;
    const real = await realpath(folder).catch(() => folder);
    names.push(`${real}${executable.slice(folder.length)}`);
  }
  return names;
}

function said(answer: EndProcessAnswer): StepResult {
  return { stdout: JSON.stringify(answer), stderr: '' };
}

function isDenied(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && ['EPERM', 'EACCES'].includes(`${error.code}`);
}
