import { readdir, readFile, readlink } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { type ProcessLook, parseStat } from './process-handle.ts';

/** A run of a script: the mark in its environment, and the name that its file is run by. */
export interface ScriptRun {
  readonly run: string;
  readonly program: string;
  /** The process that led its session, if that was written down: whoever is in it belongs to it. */
  readonly leader?: number | undefined;
}

/** So long it is waited for what was killed, and for what is just becoming another program. */
const patienceMs = 5_000;
const lookEveryMs = 10;

/**
 * Ends what an agent before this one had started and left at work, with its process groups, and waits
 * until it is gone; returns how many groups there were. A service that such a script has started, in a
 * session of its own, carries the mark too, but not the script's name: it is left alone. What a script
 * has become (`exec`) has another name, too, and is in its session.
 *
 * Does nothing where there is no /proc.
 */
export async function endLeftovers(runs: readonly ScriptRun[]): Promise<number> {
  if (runs.length === 0) return 0;
  const marked = new Map(runs.map((one) => [`AR_EXEC_RUN=${one.run}`, one]));
  const ended = new Set<number>();
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const looks = await Promise.all((await processes()).map((pid) => look(pid, marked)));
    const groups = looks.filter((one) => typeof one === 'number');
    for (const group of groups) if (endGroup(group)) ended.add(group);
    // A signal is sent before it has arrived: who is told that it has ended may rely on it.
    const settled = groups.length === 0 && !looks.includes('becoming');
    if (settled || performance.now() > deadline) return ended.size;
    await pause(lookEveryMs);
  }
}

async function processes(): Promise<string[]> {
  const entries = await readdir('/proc').catch(() => []);
  return entries.filter((name) => /^\d+$/.test(name));
}

/**
 * The process group of one of a script's processes. `becoming`: the kernel has put another program in
 * its place, and not yet its words and its environment (fs/exec.c; they read as nothing until then).
 */
async function look(
  pid: string,
  marked: ReadonlyMap<string, ScriptRun>,
): Promise<number | 'becoming' | undefined> {
  const words = await wordsOf(pid, 'cmdline');
  const marks = await wordsOf(pid, 'environ');
  const [run] = marks.flatMap((word) => marked.get(word) ?? []);
  if (run === undefined && words.length > 0) return undefined;
  const process = await statOf(pid);
  if (process === undefined || process.ended) return undefined;
  if (run !== undefined) {
    const isOurs = words.includes(run.program) || process.session === run.leader;
    return isOurs ? process.group : undefined;
  }
  // Threads of the kernel have no words either, and no program.
  const isProgram = await readlink(`/proc/${pid}/exe`).then(
    () => true,
    () => false,
  );
  return isProgram ? 'becoming' : undefined;
}

async function wordsOf(pid: string, file: 'environ' | 'cmdline'): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  return text.split('\0').filter((word) => word !== '');
}

async function statOf(pid: string): Promise<ProcessLook | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return parseStat(Number(pid), text);
}

/** A script leads a group; what it has forked is in that one, or in one that it made for it. */
function endGroup(group: number): boolean {
  try {
    process.kill(-group, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
