import { randomBytes } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import {
  type FileHandle,
  link,
  lstat,
  open,
  readdir,
  rename,
  rm,
  stat,
  unlink,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** A larger file is not one that lines are edited in. */
const largestFileBytes = 16 * 1024 * 1024;
/** A process number is given out again some day: a temporary file this old is nobody's. */
const staleMs = 3_600_000;

/** A file as it was read, still open. A file that is not there has neither bytes nor handle. */
export interface Snapshot {
  readonly path: string;
  readonly bytes: Buffer | undefined;
  readonly stat: BigIntStats | undefined;
  readonly handle: FileHandle | undefined;
}

/** Carries over what Node has no call for: access lists, security labels, extended attributes. */
export type CopyAttributes = (from: string, to: string) => Promise<void>;

/** Opens and reads a file. Rejects for what is not a plain file of a sensible size. */
export async function takeSnapshot(path: string): Promise<Snapshot> {
  // Looked at first: to open a device or a pipe can already do something, or wait for ever.
  const before = await statOf(path);
  if (before === undefined) return { path, bytes: undefined, stat: undefined, handle: undefined };
  refuseUnfit(path, before);
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  try {
    const opened = await handle.stat({ bigint: true });
    refuseUnfit(path, opened);
    return { path, stat: opened, bytes: await handle.readFile(), handle };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** True while the path still leads to the very file that was read, untouched. */
export async function isUnchanged(old: Snapshot): Promise<boolean> {
  const now = await statOf(old.path);
  if (now === undefined || old.stat === undefined) return now === old.stat;
  const parts = ['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const;
  return parts.every((part) => now[part] === old.stat?.[part]);
}

/**
 * Puts `bytes` in the place of what was read (`undefined` takes the file away), whole or not at all
 * at any moment and after a power cut. Resolves to `undefined`, with nothing written, when the file
 * is not what was read any more; else to what somebody appended to the old file too late to be seen.
 */
export async function replaceFile(
  old: Snapshot,
  bytes: Buffer | undefined,
  copyAttributes: CopyAttributes,
): Promise<Buffer | undefined> {
  if (bytes !== undefined) refuseLarge(old.path, bytes.length);
  await removeLeftovers(old.path);
  if (bytes === undefined) {
    if (!(await isUnchanged(old))) return undefined;
    await unlink(old.path);
  } else {
    const temporary = `${temporaryPrefix(old.path)}${process.pid}.${randomBytes(8).toString('hex')}`;
    try {
      await writeTemporary(temporary, old, bytes, copyAttributes);
      if (!(await isUnchanged(old)) || !(await moveInto(temporary, old))) return undefined;
    } finally {
      await rm(temporary, { force: true });
    }
  }
  await syncFolder(dirname(old.path));
  return appendedSince(old);
}

function refuseUnfit(path: string, found: BigIntStats): void {
  if (!found.isFile()) throw new Error(`${path} is not a plain file`);
  refuseLarge(path, Number(found.size));
}

function refuseLarge(path: string, size: number): void {
  if (size <= largestFileBytes) return;
  throw new Error(`${path} with ${size} bytes is larger than ${largestFileBytes}`);
}

async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** True for the error that says that there is no such file. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

async function writeTemporary(
  path: string,
  old: Snapshot,
  bytes: Buffer,
  copyAttributes: CopyAttributes,
): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    if (old.stat === undefined) await handle.chmod(0o644);
    else {
      await copyAttributes(old.path, path);
      // The owner first: a change of owner clears the set-id bits.
      await handle.chown(Number(old.stat.uid), Number(old.stat.gid));
      await handle.chmod(Number(old.stat.mode) & 0o7777);
    }
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A link fails where a rename would replace a file that has come into being meanwhile. */
async function moveInto(temporary: string, old: Snapshot): Promise<boolean> {
  if (old.stat !== undefined) {
    await rename(temporary, old.path);
    return true;
  }
  try {
    await link(temporary, old.path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * No call replaces a file only if it is unchanged. Who writes between the last look and the rename
 * writes to the old file, which is still open here: an appended line is found at its end.
 */
async function appendedSince(old: Snapshot): Promise<Buffer> {
  if (old.handle === undefined || old.bytes === undefined) return Buffer.alloc(0);
  const { size, mtimeNs } = await old.handle.stat({ bigint: true });
  if (Number(size) === old.bytes.length && mtimeNs === old.stat?.mtimeNs) return Buffer.alloc(0);
  const now = Buffer.alloc(Number(size));
  await old.handle.read(now, 0, now.length, 0);
  if (!now.subarray(0, old.bytes.length).equals(old.bytes)) {
    throw new Error(`${old.path} was rewritten by somebody in the moment it was replaced`);
  }
  return now.subarray(old.bytes.length);
}

function temporaryPrefix(path: string): string {
  return join(dirname(path), `.${basename(path)}.ar-exec.`);
}

/** Takes away what a crash left: our temporary files whose process is gone. */
async function removeLeftovers(path: string): Promise<void> {
  const prefix = basename(temporaryPrefix(path));
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix)) continue;
    const pid = /^(\d+)\.[0-9a-f]{16}$/.exec(name.slice(prefix.length))?.[1];
    if (pid === undefined) continue;
    const file = join(dirname(path), name);
    if (await isAbandoned(file, Number(pid))) await rm(file, { force: true });
  }
}

async function isAbandoned(file: string, pid: number): Promise<boolean> {
  if (pid === process.pid || !isAlive(pid)) return true;
  const found = await stat(file).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > staleMs;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** A rename is safe from a power cut only when its folder has reached the disk. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
