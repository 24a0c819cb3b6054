import { readdir, readFile } from 'node:fs/promises';

/** A run of a script: the mark in its environment, and the name that its file is run by. */
export interface ScriptRun {
  readonly run: string;
  readonly program: string;
}

/**
 * Ends what an agent before this one had started and left at work, with its process group; returns how
 * many there were. A service that such a script has started carries the mark too, but not the script's
 * name: it is left alone.
 *
 * Does nothing where there is no /proc.
 */
export async function endLeftovers(runs: readonly ScriptRun[]): Promise<number> {
  if (runs.length === 0) return 0;
  const programs = new Map(runs.map(({ run, program }) => [`AR_EXEC_RUN=${run}`, program]));
  const entries = await readdir('/proc').catch(() => []);
  let ended = 0;
  for (const pid of entries) {
    if (!/^\d+$/.test(pid)) continue;
    const mark = (await wordsOf(pid, 'environ')).find((word) => programs.has(word));
    if (mark === undefined) continue;
    if (!(await wordsOf(pid, 'cmdline')).includes(programs.get(mark) ?? '')) continue;
    if (endGroup(Number(pid))) ended += 1;
  }
  return ended;
}

async function wordsOf(pid: string, file: 'environ' | 'cmdline'): Promise<string[]> {
  const text = await readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
  return text.split('\0');
}

/** The script itself leads its group; what it forked has the same command line and is in the same group. */
function endGroup(pid: number): boolean {
  try {
    process.kill(-pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
