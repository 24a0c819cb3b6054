import { readdir, readFile } from 'node:fs/promises';
import { openProcess, type ProcessLook, parseStat } from './process-handle.ts';
import { whyProtected } from './process-protection.ts';

/** So often it is looked for what was started while others were being stopped. */
const rounds = 100;

/** What descends from a process, and what is in a session or process group that it leads. */
export interface Family {
  /** Sends a signal to all of them. */
  signal(name: NodeJS.Signals): Promise<void>;
  /** Stops them, and those that they start meanwhile, until there is nobody left who could. */
  freeze(): Promise<void>;
  /** How many there are that have not ended. */
  living(): Promise<number>;
  /** How many were ever found. */
  size(): number;
}

/** `never`: programs that are left alone though they belong to the family, and what is below them. */
export function createFamily(root: ProcessLook, never: readonly string[]): Family {
  const members = new Map<string, ProcessLook>();

  const search = async (): Promise<ProcessLook[]> => {
    const all = await listProcesses();
    const inside = new Set([root.pid, ...[...members.values()].map(({ pid }) => pid)]);
    const found: ProcessLook[] = [];
    for (let before = -1; before < inside.size; ) {
      before = inside.size;
      for (const one of all) {
        if (inside.has(one.pid) || !belongs(one, root, inside)) continue;
        if (await isProtected(one, never)) continue;
        inside.add(one.pid);
        found.push(one);
      }
    }
    for (const one of found) members.set(keyOf(one), one);
    return found;
  };

  return {
    size: () => members.size,
    signal: async (name) => {
      await search();
      for (const one of members.values()) await signalOne(one, name);
    },
    freeze: async () => {
      for (const one of members.values()) await signalOne(one, 'SIGSTOP');
      for (let round = 0; round < rounds; round += 1) {
        const found = await search();
        if (found.length === 0) return;
        for (const one of found) await signalOne(one, 'SIGSTOP');
      }
    },
    living: async () => {
      const looks = await Promise.all([...members.values()].map(({ pid }) => lookAt(pid)));
      return looks.filter((one) => one !== undefined && !one.ended && members.has(keyOf(one)))
        .length;
    },
  };
}

/** A session and a group have the number of the process that made them. */
function belongs(one: ProcessLook, root: ProcessLook, inside: ReadonlySet<number>): boolean {
  if (one.ended || one.startedTicks < root.startedTicks) return false;
  return inside.has(one.parent) || one.session === root.pid || one.group === root.pid;
}

function keyOf({ pid, startedTicks }: ProcessLook): string {
  return `${pid} ${startedTicks}`;
}

async function listProcesses(): Promise<ProcessLook[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const looks: ProcessLook[] = [];
  for (const pid of pids) {
    const look = await lookAt(pid);
    if (look !== undefined) looks.push(look);
  }
  return looks;
}

async function lookAt(pid: number): Promise<ProcessLook | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
  return parseStat(pid, text);
}

async function isProtected(one: ProcessLook, never: readonly string[]): Promise<boolean> {
  const process = openProcess(one.pid);
  if (process === undefined) return false;
  try {
    return (await whyProtected(process, one, never)) !== undefined;
  } finally {
    process.close();
  }
}

async function signalOne(one: ProcessLook, name: NodeJS.Signals): Promise<void> {
  const process = openProcess(one.pid);
  try {
    const now = await process?.look();
    if (now !== undefined && keyOf(now) === keyOf(one)) process?.signal(name);
  } finally {
    process?.close();
  }
}
