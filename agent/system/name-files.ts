/** Empty files that say something by their names alone, and what is in a folder. */
import { constants, type Stats } from 'node:fs';
import {
  chmod,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  realpath,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type {
  FolderListing,
  ListFolderStep,
  NameFilesStep,
  StepResult,
} from '../../platform/step.ts';
import { isAbsent } from './replace-file.ts';

const fileMode = 0o1444;
const stickyBit = 0o1000;
const folderMode = 0o755;
/** More than the thread pool has threads, so that none of them waits for us. */
const atOnce = 16;
const messageCharacters = 2_000;

/**
 * Makes and removes files. One that fails keeps no other from being made or removed; then the step
 * fails, and says which. All of it has reached the disk when it succeeds.
 */
export async function nameFiles({ path, add, remove }: NameFilesStep): Promise<StepResult> {
  const odd = [...add, ...remove].find((name) => !isPlainName(name));
  if (odd !== undefined) return answer([`${JSON.stringify(odd)} is no name of a file`]);
  let folder: Folder | undefined;
  try {
    folder = await openFolder(path, add.length > 0);
    if (folder === undefined) return answer([]);
    const { base } = folder;
    const troubles = [
      ...(await inTurns(add, (name) => makeFile(join(base, name)))),
      ...(await inTurns(remove, (name) => removeFile(join(base, name)))),
    ];
    await folder.handle.sync();
    return answer(troubles);
  } catch (error) {
    return answer([describe(error)]);
  } finally {
    await folder?.handle.close();
  }
}

/** What is in a folder, as JSON; a folder that is not there is empty. Links are not followed. */
export async function listFolder({ path }: ListFolderStep): Promise<StepResult> {
  let folder: Folder | undefined;
  try {
    folder = await openFolder(path, false);
    const entries: FolderListing['entries'][number][] = [];
    const base = folder?.base ?? '';
    const names = folder === undefined ? [] : await readdir(base);
    const troubles = await inTurns(names, async (name) => {
      const found = await statOf(join(base, name));
      if (found === undefined) return;
      entries.push({ name, type: typeOf(found), mode: found.mode & 0o7777, size: found.size });
    });
    const listing: FolderListing = { exists: folder !== undefined, entries };
    return answer(troubles, JSON.stringify(listing));
  } catch (error) {
    return answer([describe(error)]);
  } finally {
    await folder?.handle.close();
  }
}

interface Folder {
  readonly handle: FileHandle;
  /** Leads to the very folder that was opened, whatever stands in its place by now. */
  readonly base: string;
}

/** Undefined when it is not there and is not to be made. Rejects where a link is in its path. */
async function openFolder(path: string, make: boolean): Promise<Folder | undefined> {
  if (!(await isWithoutLinks(path))) {
    if ((await statOf(path)) !== undefined) throw new Error(`${path} is a link to nowhere`);
    const above = dirname(path);
    const stands = await isWithoutLinks(above);
    if (!make) return undefined;
    if (!stands) throw new Error(`${above} is not there`);
    await makeFolder(path, above);
  }
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const handle = await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const own = `/proc/self/fd/${handle.fd}`;
  const anchored = (await statOf(own)) !== undefined;
  return { handle, base: anchored ? own : path };
}

/** False when there is nothing at its end. Rejects when it leads through a link. */
async function isWithoutLinks(path: string): Promise<boolean> {
  const real = await realpath(path).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (real !== undefined && real !== path) throw new Error(`a link is in the path ${path}`);
  return real !== undefined;
}

/** The last folder of the path alone; the agent's umask does not count. */
async function makeFolder(path: string, above: string): Promise<void> {
  await mkdir(path, folderMode);
  await chmod(path, folderMode);
  const handle = await open(above, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The bit that marks it is there from the first moment, and the umask does not touch it; but open(2) of
 * the BSDs and macOS leaves it out (S_ISTXT in kern_openat), so that there it comes with the chmod.
 */
async function makeFile(file: string): Promise<void> {
  let handle: FileHandle;
  try {
    handle = await open(file, 'wx', fileMode);
  } catch (error) {
    const found = await statOf(file);
    if (found === undefined || !isOurs(found)) throw error;
    return;
  }
  try {
    await handle.chmod(fileMode);
  } finally {
    await handle.close();
  }
}

/** What somebody else has put there under the name is left alone: ours is gone. */
async function removeFile(file: string): Promise<void> {
  const found = await statOf(file);
  if (found === undefined || !isOurs(found)) return;
  await unlink(file);
}

function isOurs(found: Stats): boolean {
  return found.isFile() && found.size === 0 && (found.mode & stickyBit) !== 0;
}

function typeOf(found: Stats): FolderListing['entries'][number]['type'] {
  if (found.isFile()) return 'file';
  if (found.isDirectory()) return 'folder';
  return found.isSymbolicLink() ? 'link' : 'other';
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isPlainName(name: string): boolean {
  return name.length > 0 && name.length < 256 && !/^\.{1,2}$|[/\0]/.test(name);
}

/** Works on all of them, a few at a time, and returns what went wrong. */
async function inTurns(
  names: readonly string[],
  work: (name: string) => Promise<void>,
): Promise<string[]> {
  const troubles: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let name = names[next++]; name !== undefined; name = names[next++]) {
      try {
        await work(name);
      } catch (error) {
        troubles.push(`${name}: ${describe(error)}`);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return troubles;
}

function answer(troubles: readonly string[], stdout = ''): StepResult {
  if (troubles.length === 0) return { stdout, stderr: '' };
  return { failure: 'io', stdout: '', stderr: troubles.join('; ').slice(0, messageCharacters) };
}

/** Without the path that Node has in its messages: it may be that of an open folder. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EEXIST') return 'something else has this name';
  return code === undefined ? error.message : error.message.replace(/,[^,]*$/, '');
}
