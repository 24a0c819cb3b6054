import { type BigIntStats, constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import type { FileState } from '../../../platform/step.ts';

/**
 * Opens a file without following a link, waiting for anybody or leaving a trace of having read it.
 * Undefined: nothing has this name.
 */
export async function openFile(path: string): Promise<FileHandle | undefined> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return await open(path, flags | constants.O_NOATIME).catch((error: unknown) => {
      // Only its owner and root may read it so.
      if (codeOf(error) !== 'EPERM') throw error;
      return open(path, flags);
    });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What stands under a name, itself and not where it leads; undefined: nothing. */
export async function statOf(path: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(path, { bigint: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

export function stateOf(stat: BigIntStats): FileState {
  return {
    dev: String(stat.dev),
    ino: String(stat.ino),
    size: String(stat.size),
    uid: String(stat.uid),
    gid: String(stat.gid),
    mode: (Number(stat.mode) & 0o7777).toString(8).padStart(4, '0'),
    mtimeNs: String(stat.mtimeNs),
    ctimeNs: String(stat.ctimeNs),
  };
}

/** Nothing was done to it since: the time of the last change cannot be set. */
export function isUntouched(stat: BigIntStats, was: FileState): boolean {
  const now = stateOf(stat);
  return (['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const).every(
    (part) => now[part] === was[part],
  );
}

/**
 * The very file, moved or not. Not by its device, whose number may be another one after a restart; and
 * by its time too, because the number of a file is given away again when it is deleted.
 */
export function isSameFile(stat: BigIntStats | undefined, was: FileState): boolean {
  return (
    stat?.isFile() === true && String(stat.ino) === was.ino && String(stat.mtimeNs) === was.mtimeNs
  );
}

export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
