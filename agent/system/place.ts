import { constants, type Stats } from 'node:fs';
import { access, readdir, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';

/** statfs(2), `f_type`; the names are those of linux/magic.h. */
const memory = [0x01021994, 0x858458f6];
/** NFS, SMB, CIFS, SMB2, AFS, Ceph, 9p. */
const network = [0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x6b414653, 0x00c36400, 0x01021997];
const overlay = 0x794c7630;

/** Looks at a path and at the file system that it is on, or would be made on. Changes nothing. */
export async function lookAtPlace(path: string) {
  try {
    const found = await stat(path);
    const kind = found.isDirectory() ? 'folder' : found.isFile() ? 'file' : 'other';
    const writable = await isWritable(path);
    return {
      path,
      kind,
      ...ownership(found),
      writable,
      ...(await fileSystemOf(path)),
    } as const;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const kind = code === 'ENOENT' ? 'absent' : code === 'EACCES' ? 'hidden' : 'other';
    return { path, kind, writable: false, ...(await fileSystemOf(path)) } as const;
  }
}

/** What is in a folder; nothing where it cannot be read. */
export async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

/** Windows has neither; Node makes up a mode there. */
function ownership({ uid, mode }: Stats): { readonly uid?: number; readonly mode?: number } {
  return process.getuid === undefined ? {} : { uid, mode: mode & 0o7777 };
}

/** True also of nobody's word: `access` knows a file system that is mounted read-only, for root too. */
async function isWritable(path: string): Promise<boolean> {
  return access(path, constants.W_OK).then(
    () => true,
    () => false,
  );
}

interface FileSystem {
  readonly fileSystem: 'disk' | 'memory' | 'network' | 'overlay' | 'unknown';
  readonly freeBytes?: number;
}

/** Of the nearest folder above that is there. */
async function fileSystemOf(path: string): Promise<FileSystem> {
  try {
    const { type, bavail, bsize } = await statfs(path);
    return { fileSystem: nameOf(type), freeBytes: bavail * bsize };
  } catch {
    const above = dirname(path);
    return above === path ? { fileSystem: 'unknown' } : fileSystemOf(above);
  }
}

function nameOf(type: number): FileSystem['fileSystem'] {
  if (memory.includes(type)) return 'memory';
  if (network.includes(type)) return 'network';
  return type === overlay ? 'overlay' : 'disk';
}
