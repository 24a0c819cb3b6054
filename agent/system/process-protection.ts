import { readFile, readlink, realpath, stat } from 'node:fs/promises';
import { type ProcessHandle, type ProcessLook, parseStat } from './process-handle.ts';

/**
 * Why a process must not be ended, to be read behind its number; undefined where it may be.
 * `never` are programs and folders of programs.
 */
export async function whyProtected(
  process: ProcessHandle,
  look: ProcessLook,
  never: readonly string[],
): Promise<string | undefined> {
  if (look.pid === 1) return 'is the first process of this machine';
  if (look.kernelThread) return 'is a thread of the kernel';
  if ((await ancestors()).includes(look.pid)) return 'is ar-exec itself, or ar-exec runs below it';
  const entry = await findEntry(process, never);
  return entry === undefined ? undefined : `runs a program that is never ended (${entry})`;
}

/** The program under a process as the kernel names it, and whether its file was deleted. */
export async function programOf(
  process: ProcessHandle,
): Promise<{ readonly path: string; readonly deleted: boolean } | undefined> {
  const link = await process.link('exe');
  if (link === undefined) return undefined;
  const path = link.replace(/ \(deleted\)$/, '');
  return { path, deleted: path !== link };
}

/** The agent, and the processes that started it, up to the first one. */
async function ancestors(): Promise<number[]> {
  const found: number[] = [];
  for (let pid = globalThis.process.pid; pid > 0 && !found.includes(pid); ) {
    found.push(pid);
    const text = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined);
    pid = parseStat(pid, text)?.parent ?? 0;
  }
  return found;
}

async function findEntry(
  process: ProcessHandle,
  never: readonly string[],
): Promise<string | undefined> {
  const program = await programOf(process);
  if (program === undefined) return undefined;
  for (const entry of never) {
    const names = [entry, await realpath(entry).catch(() => entry)];
    const named = names.some((name) => `${program.path}/`.startsWith(`${name}/`));
    if (named && (await isOurs(process, program))) return entry;
  }
  return undefined;
}

/**
 * Whether the name of a program is to be believed. In a mount namespace of its own anybody can put
 * anything in the place of /usr/sbin/sshd; there it has to be the very file that has this name here.
 * A service that is shut in by systemd has a mount namespace too, and an update deletes the file that
 * it runs: then it is enough that its user namespace is ours, which takes root.
 */
async function isOurs(
  process: ProcessHandle,
  { path, deleted }: { readonly path: string; readonly deleted: boolean },
): Promise<boolean> {
  if (await sharesNamespace(process, 'mnt')) return true;
  if (deleted) return sharesNamespace(process, 'user');
  const [theirs, ours] = await Promise.all(
    [process.path('exe'), path].map((file) => stat(file).catch(() => undefined)),
  );
  return theirs !== undefined && theirs.ino === ours?.ino && theirs.dev === ours.dev;
}

async function sharesNamespace(process: ProcessHandle, name: 'mnt' | 'user'): Promise<boolean> {
  const own = await readlink(`/proc/self/ns/${name}`).catch(() => undefined);
  return own !== undefined && own === (await process.link(`ns/${name}`));
}
