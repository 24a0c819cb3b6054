/**
 * Unpacks what a manager's upgrade has put into `var/incoming` of its agent's folder, as execd does it
 * on request: gzip, and Wazuh's merged files, each part of which is a line `!SIZE NAME` and so many
 * bytes behind it (Wazuh source: UnmergeFiles in src/shared/file_op.c).
 *
 * That folder belongs to the manager's own user, and this runs as root. So no link is followed on the
 * way or at its end, nothing is written to that has a second name, and nothing outside of the folder.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, realpath, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { openParent } from './quarantine/folder-handle.ts';

export type Unpacked = 'done' | 'bad-name' | 'no-source' | 'no-target' | 'unreadable';

/** A package of an agent has some ten megabytes; what claims more than this is none. */
const longestBytes = 1024 * 1024 * 1024;
const longestHeaderBytes = 4_096;
const chunkBytes = 64 * 1024;

/** Unpacks `source` into `target`, both names in `folder`, and removes it. */
export async function uncompress(
  folder: string,
  source: string,
  target: string,
): Promise<Unpacked> {
  if (!isPlain(source) || !isPlain(target)) return 'bad-name';
  const from = await openIn(folder, source, constants.O_RDONLY).catch(() => undefined);
  if (from === undefined) return 'no-source';
  const to = await create(folder, target).catch(() => undefined);
  if (to === undefined) {
    await from.close();
    return 'no-target';
  }
  try {
    // The streams close both.
    const out = to.createWriteStream({ flush: true });
    await pipeline(from.createReadStream(), createGunzip(), bounded(), out);
    await inFolder(folder, source, (path) => unlink(path));
    return 'done';
  } catch {
    return 'unreadable';
  }
}

/** Takes the merged file `name` in `folder` apart, into the same folder. */
export async function unmerge(folder: string, name: string): Promise<Unpacked> {
  if (!isPlain(name)) return 'bad-name';
  const merged = await openIn(folder, name, constants.O_RDONLY).catch(() => undefined);
  if (merged === undefined) return 'no-source';
  try {
    const parts = await partsOf(merged);
    if (parts.length === 0) return 'unreadable';
    for (const part of parts) {
      if (isPlain(part.name)) await extract(folder, merged, part);
    }
    return 'done';
  } catch {
    return 'unreadable';
  } finally {
    await merged.close();
  }
}

interface Part {
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
}

/** Throws where a part would be longer than the file. */
async function partsOf(merged: FileHandle): Promise<Part[]> {
  const { size } = await merged.stat();
  const parts: Part[] = [];
  let at = 0;
  while (at < size) {
    const { buffer, bytesRead } = await merged.read(
      Buffer.alloc(longestHeaderBytes),
      0,
      longestHeaderBytes,
      at,
    );
    const end = buffer.subarray(0, bytesRead).indexOf('\n');
    if (end === -1) break;
    const found = /^!(\d{1,12}) (.+)$/.exec(buffer.toString('utf8', 0, end));
    at += end + 1;
    if (found === null) continue;
    const [, bytes = '0', name = ''] = found;
    if (at + Number(bytes) > size) throw new Error(`${name} is cut short`);
    parts.push({ name, start: at, bytes: Number(bytes) });
    at += Number(bytes);
  }
  return parts;
}

async function extract(folder: string, merged: FileHandle, part: Part): Promise<void> {
  await makeFolders(folder, part.name);
  const to = await create(folder, part.name);
  try {
    const buffer = Buffer.alloc(chunkBytes);
    for (let done = 0; done < part.bytes; ) {
      const wanted = Math.min(chunkBytes, part.bytes - done);
      const { bytesRead } = await merged.read(buffer, 0, wanted, part.start + done);
      if (bytesRead === 0) throw new Error(`${part.name} is cut short`);
      await to.writeFile(buffer.subarray(0, bytesRead));
      done += bytesRead;
    }
    await to.sync();
  } finally {
    await to.close();
  }
}

/** The folders that a part's name has in it. */
async function makeFolders(folder: string, name: string): Promise<void> {
  const parts = dirname(name)
    .split('/')
    .filter((part) => part !== '.');
  for (const [index] of parts.entries()) {
    const path = parts.slice(0, index + 1).join('/');
    await inFolder(folder, path, (at) => mkdir(at, 0o770)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Names below a folder, without a way out of it. */
function isPlain(name: string): boolean {
  const parts = name.split('/');
  return parts.every(
    (part) => part !== '' && part !== '.' && part !== '..' && !part.includes('\0'),
  );
}

/** A regular file with one name. Empty, if it was there before. */
async function create(folder: string, name: string): Promise<FileHandle> {
  const handle = await openIn(folder, name, constants.O_WRONLY | constants.O_CREAT);
  await handle.truncate(0);
  return handle;
}

async function openIn(folder: string, name: string, flags: number): Promise<FileHandle> {
  const careful = flags | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await inFolder(folder, name, (path) => open(path, careful, 0o640));
  const found = await handle.stat();
  if (found.isFile() && found.nlink === 1) return handle;
  await handle.close();
  throw new Error(`${name} is no plain file of one name`);
}

/** `folder` is an administrator's path and may lead through links; below it none is followed. */
async function inFolder<Result>(
  folder: string,
  name: string,
  work: (path: string) => Promise<Result>,
): Promise<Result> {
  const parent = await openParent(join(await realpath(folder), name));
  try {
    return await work(parent.folder.at(parent.name));
  } finally {
    await parent.folder.close();
  }
}

/** Ends what unpacks to more than any package holds. */
function bounded(): Transform {
  let bytes = 0;
  return new Transform({
    transform: (chunk: Buffer, _encoding, next) => {
      bytes += chunk.length;
      if (bytes > longestBytes) next(new Error(`more than ${longestBytes} bytes`));
      else next(null, chunk);
    },
  });
}
