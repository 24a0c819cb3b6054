import { realpath } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { EndProcessAnswer, EndProcessStep, StepResult } from '../../../platform/step.ts';
import { isBelow, isSamePath, parseWindowsPath } from '../../../platform/windows/names.ts';
import { NativeFailure, status } from './native.ts';
import { type ListedProcess, listProcesses, openProcess, type ProcessHandle } from './processes.ts';

/** How long Windows may take: a process that waits for a driver ends when that has answered. */
const endWaitMs = 5_000;
/** Windows tells the time in steps of up to 16 ms. */
const roundingMs = 50;
/** So often it is looked for what was started while others were being ended. */
const rounds = 100;
const earlyMs = 50;

/**
 * Ends one process of Windows if it is the one that is meant. It is held by its handle from the first
 * look on: as long as that is open, its number is nobody else's, and what is ended is what was looked at.
 */
export async function endWindowsProcess(step: EndProcessStep): Promise<StepResult> {
  let process: ProcessHandle | undefined;
  try {
    process = openProcess(step.pid);
    if (process === undefined || process.hasEnded()) return said({ outcome: 'gone' });
    return said((await refuse(process, step)) ?? (await end(process, step)));
  } catch (error) {
    if (!isDenied(error)) throw error;
    const why = `Windows does not let it be ended: ${error.message}`;
    return { failure: 'io', stdout: '', stderr: why };
  } finally {
    process?.close();
  }
}

async function refuse(
  process: ProcessHandle,
  step: EndProcessStep,
): Promise<EndProcessAnswer | undefined> {
  const why = whyProtected(process, step.never, listProcesses());
  if (why !== undefined) return { outcome: 'protected', why };
  const late = process.startedAt - (step.startedBefore ?? Date.now());
  if (late > roundingMs) {
    const seconds = Math.max(0.1, late / 1_000).toFixed(1);
    const text = `is the number of a process that started ${seconds} s too late to be meant`;
    return { outcome: 'recycled', why: text };
  }
  if (!(await namesOf(step.executable)).some((name) => isSamePath(name, process.image))) {
    return { outcome: 'changed', why: `runs ${process.image || 'no program of a file'} now` };
  }
  return undefined;
}

/** Why a process must not be ended, to be read behind its number; undefined where it may be. */
function whyProtected(
  process: ProcessHandle,
  never: readonly string[],
  all: readonly ListedProcess[],
): string | undefined {
  if (process.pid <= 4) return 'is Windows itself';
  if (process.isCritical) return 'is one without which Windows stops (marked critical)';
  if (ancestors(all).has(process.pid)) return 'is ar-exec itself, or ar-exec runs below it';
  const entry = never.find((one) => isBelow(process.image, one));
  return entry === undefined ? undefined : `runs a program that is never ended (${entry})`;
}

/** The agent, and the processes that started it, as long as they are older than what they started. */
function ancestors(all: readonly ListedProcess[]): Set<number> {
  const known = new Map(all.map((one) => [one.pid, one]));
  const found = new Set<number>();
  let one = known.get(globalThis.process.pid);
  while (one !== undefined && !found.has(one.pid)) {
    found.add(one.pid);
    const parent: ListedProcess | undefined = known.get(one.parent);
    one = parent !== undefined && parent.started <= one.started ? parent : undefined;
  }
  return found;
}

async function end(process: ProcessHandle, step: EndProcessStep): Promise<EndProcessAnswer> {
  const held = [process];
  try {
    endOne(process);
    if (step.family) await endFamily(held, step.never);
    const allEnded = (): boolean => held.every((one) => one.hasEnded());
    if (await within(endWaitMs, allEnded)) return { outcome: 'ended', others: held.length - 1 };
    const who = process.hasEnded() ? 'what it has started' : 'it';
    return { outcome: 'lives', why: `${who} did not end within ${endWaitMs / 1_000} s` };
  } finally {
    for (const one of held.slice(1)) one.close();
  }
}

function endOne(process: ProcessHandle): void {
  if (!process.mayEnd) throw new NativeFailure('NtOpenProcess', status.accessDenied);
  process.end();
}

/**
 * Ends what those in `held` have started, and adds it. What has ended starts nothing more, and its number
 * is not given away while it is held: so what is found below it is its own, until nothing is found.
 */
async function endFamily(held: ProcessHandle[], never: readonly string[]): Promise<void> {
  const spared = new Set<number>();
  for (let round = 0; round < rounds; round += 1) {
    const all = listProcesses();
    const found = all.filter((one) => isChild(one, held) && !spared.has(one.pid));
    if (found.length === 0) return;
    let isEarly = false;
    for (const one of found) {
      const child = openOrNot(one.pid);
      // It is not the one that was listed, or was not whole yet: it is looked for again.
      if (child === 'early' || (child !== undefined && child.started !== one.started)) {
        if (child !== 'early') child.close();
        isEarly = true;
        continue;
      }
      if (child === undefined || !endChild(child, all, never)) spared.add(one.pid);
      else held.push(child);
    }
    if (isEarly) await pause(earlyMs);
  }
}

/** `early`: it is being made, and has no program yet that could be asked for. */
function openOrNot(pid: number): ProcessHandle | 'early' | undefined {
  try {
    return openProcess(pid);
  } catch (error) {
    if (error instanceof NativeFailure && error.code !== status.accessDenied) return 'early';
    return undefined;
  }
}

/** False: it is left alone, and closed. */
function endChild(
  child: ProcessHandle,
  all: readonly ListedProcess[],
  never: readonly string[],
): boolean {
  const mayEnd = child.mayEnd && !child.hasEnded();
  if (mayEnd && whyProtected(child, never, all) === undefined) {
    child.end();
    return true;
  }
  child.close();
  return false;
}

function isChild(one: ListedProcess, held: readonly ProcessHandle[]): boolean {
  if (held.some(({ pid }) => pid === one.pid)) return false;
  return held.some(({ pid, started }) => pid === one.parent && started <= one.started);
}

/** Ends a process that we started, and what it has started, as far as Windows lets it. Never rejects. */
export async function endTree(pid: number): Promise<void> {
  const held: ProcessHandle[] = [];
  try {
    const process = openProcess(pid);
    if (process === undefined) return;
    held.push(process);
    endOne(process);
    await endFamily(held, []);
  } catch {
    // Its pipes are given up all the same.
  } finally {
    for (const one of held) one.close();
  }
}

/** As it is written, and as the disk has it: a name may be short (`PROGRA~1`) or lead over a link. */
async function namesOf(executable: string): Promise<string[]> {
  const real = await realpath(executable).catch(() => executable);
  return [executable, parseWindowsPath(real) ?? executable];
}

/** Asks again and again, less and less often. */
async function within(limitMs: number, isTrue: () => boolean): Promise<boolean> {
  const until = performance.now() + limitMs;
  for (let waitMs = 1; ; waitMs = Math.min(100, waitMs * 2)) {
    if (isTrue()) return true;
    if (performance.now() > until) return false;
    await pause(waitMs);
  }
}

function said(answer: EndProcessAnswer): StepResult {
  return { stdout: JSON.stringify(answer), stderr: '' };
}

function isDenied(error: unknown): error is NativeFailure {
  return error instanceof NativeFailure && error.code === status.accessDenied;
}
