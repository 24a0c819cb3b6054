import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';

/** A folder that is open: it stays the same one, whatever is renamed or linked on the way to it. */
export interface FolderHandle {
  /** The way to a name in it, which nobody can bend; only the last part may still be a link. */
  at(name: string): string;
  /** Has what was made, renamed or removed in it reach the disk. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface OpenedParent {
  readonly folder: FolderHandle;
  /** The last part of the path. */
  readonly name: string;
}

/** Something on the way to a file is not a folder but a symbolic link. */
export class LinkOnTheWay extends Error {
  readonly link: string;

  constructor(link: string) {
    super(`${link} is a symbolic link`);
    this.link = link;
  }
}

const flags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Opens the folder of a file, one folder after the other, each by the one before and never through a
 * link. Node has no openat(2); /proc/self/fd does the same.
 *
 * `refuse` is asked about each folder on the way by its number; it throws to end the way there.
 *
 * Throws LinkOnTheWay, or the system's error (ENOENT, ENOTDIR).
 */
export async function openParent(
  path: string,
  refuse: (inode: string) => void = () => {},
): Promise<OpenedParent> {
  const parts = path.split('/').slice(1);
  const name = parts.pop() ?? '';
  let handle = await open('/', flags);
  try {
    for (const [index, part] of parts.entries()) {
      const next = await openNext(handle, part, `/${parts.slice(0, index + 1).join('/')}`);
      await handle.close();
      handle = next;
      const { dev, ino } = await handle.stat({ bigint: true });
      refuse(`${dev}:${ino}`);
    }
  } catch (error) {
    await handle.close();
    throw error;
  }
  return { folder: folderOf(handle), name };
}

/** Opens a folder as it is named, following links: for a path that an administrator has written. */
export async function openFolder(path: string): Promise<FolderHandle> {
  return folderOf(await open(path, constants.O_RDONLY | constants.O_DIRECTORY));
}

async function openNext(from: FileHandle, part: string, path: string): Promise<FileHandle> {
  const way = `/proc/self/fd/${from.fd}/${part}`;
  try {
    return await open(way, flags);
  } catch (error) {
    // With both flags the kernel says ENOTDIR of a link, too.
    const isLink = await lstat(way).then(
      (found) => found.isSymbolicLink(),
      () => false,
    );
    throw isLink ? new LinkOnTheWay(path) : error;
  }
}

function folderOf(handle: FileHandle): FolderHandle {
  return {
    at: (name) => `/proc/self/fd/${handle.fd}/${name}`,
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}
