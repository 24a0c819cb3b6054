import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { readFile, readlink } from 'node:fs/promises';

/** What Linux says of a process at one moment; see proc(5). */
export interface ProcessLook {
  readonly pid: number;
  /** It has ended, and nobody has asked for its exit status yet. */
  readonly ended: boolean;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** When it started, in hundredths of a second since the machine did. */
  readonly startedTicks: number;
  readonly kernelThread: boolean;
}

/**
 * A process, held by its folder in /proc. The folder belongs to this one process: when it is gone
 * everything in it answers ESRCH, also after its number was given to another one.
 */
export interface ProcessHandle {
  readonly pid: number;
  /** Undefined: it is gone. */
  look(): Promise<ProcessLook | undefined>;
  /** The number of the process that it is a thread of, which is its own if it is a process. */
  leader(): Promise<number | undefined>;
  /** Where a file of its folder leads, such as `exe` or `ns/mnt`; undefined where it leads nowhere. */
  link(name: string): Promise<string | undefined>;
  /** For stat and the like; only good while the handle is open. */
  path(name: string): string;
  /** False: it is gone, or has ended. Throws where the kernel does not allow it. */
  signal(name: NodeJS.Signals): boolean;
  close(): void;
}

/** PF_KTHREAD (linux/sched.h). */
const kernelThreadFlag = 0x0020_0000;

/** Undefined: there is no such process. */
export function openProcess(pid: number): ProcessHandle | undefined {
  let handle: number;
  try {
    handle = openSync(`/proc/${pid}`, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
  const path = (name: string): string => `/proc/self/fd/${handle}/${name}`;
  const read = (name: string): Promise<string | undefined> =>
    readFile(path(name), 'utf8').catch(undefinedIfGone);
  return {
    pid,
    path,
    look: async () => parseStat(pid, await read('stat')),
    leader: async () => {
      const tgid = /^Tgid:\s+(\d+)$/m.exec((await read('status')) ?? '')?.[1];
      return tgid === undefined ? undefined : Number(tgid);
    },
    link: (name) => readlink(path(name)).catch(undefinedIfGone),
    signal: (name) => {
      // Node cannot signal by handle (pidfd_send_signal). So the last look and the signal are two
      // system calls next to each other, without a turn of the event loop in between.
      try {
        if (parseStat(pid, readFileSync(path('stat'), 'latin1'))?.ended !== false) return false;
        return process.kill(pid, name);
      } catch (error) {
        if (isGone(error)) return false;
        throw error;
      }
    },
    close: () => closeSync(handle),
  };
}

/**
 * The name in parentheses can hold anything, so what counts begins behind the last one. Ticks are
 * hundredths of a second on every architecture that Node runs on.
 */
export function parseStat(pid: number, text: string | undefined): ProcessLook | undefined {
  if (text === undefined) return undefined;
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const number = (place: number): number => Number(fields[place - 3]);
  const state = fields[0] ?? '';
  if (!/^[A-Za-z]$/.test(state) || !Number.isInteger(number(22))) return undefined;
  return {
    pid,
    ended: 'ZXx'.includes(state),
    parent: number(4),
    group: number(5),
    session: number(6),
    startedTicks: number(22),
    kernelThread: (number(9) & kernelThreadFlag) !== 0,
  };
}

function undefinedIfGone(error: unknown): undefined {
  if (isGone(error)) return undefined;
  throw error;
}

function isGone(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === 'ENOENT' || error.code === 'ESRCH';
}
