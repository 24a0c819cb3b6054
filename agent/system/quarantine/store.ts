import { constants } from 'node:fs';
import { lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import type { FileState, HeldFile, QuarantineListing } from '../../../platform/step.ts';
import { openWindowsFolder } from '../windows/quarantine/open-folder.ts';
import { codeOf, isSameFile, statOf } from './file-state.ts';
import { type FolderHandle, openFolder } from './folder-handle.ts';

/**
 * The folder in which files are kept. A file that is kept has a name of its own, N, and this about it:
 *
 * - `N.new`: a record of it that is being written
 * - `N.intent`: it is going to be taken; written before anything is changed
 * - `N.part`: a copy of it that is not complete
 * - `N.moved`: something that was moved here from its place, not yet seen to be it
 * - `N.file`: it
 * - `N.json`: it was taken
 */
export type Part = 'intent' | 'part' | 'moved' | 'file' | 'json';

const isWindows = process.geteuid === undefined;

export interface Store {
  readonly folder: FolderHandle;
  path(name: string, part: Part): string;
  /** Writes down what is known of a file, whole or not at all, and safe from a power cut. */
  write(name: string, part: 'intent' | 'json', held: HeldFile): Promise<void>;
  read(name: string): Promise<HeldFile | undefined>;
  remove(name: string, ...parts: readonly Part[]): Promise<void>;
  close(): Promise<void>;
}

/** Opens the folder, makes it if there is none, and has nobody but us look into it. */
export async function openStore(path: string): Promise<Store> {
  // Windows has no numbers of users, and modes there say nothing.
  if (isWindows) return storeIn(await openWindowsFolder(path));
  await mkdir(path, { recursive: true, mode: 0o700 });
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Error(`${path} is not a folder`);
  const own = process.geteuid?.();
  if (own !== undefined && found.uid !== own) {
    throw new Error(`${path} belongs to user ${found.uid}, and ar-exec runs as ${own}`);
  }
  if ((found.mode & 0o077) !== 0) throw new Error(`others can look into ${path} (chmod 700)`);
  return storeIn(await openFolder(path));
}

/** Everything in the folder; it may be missing. Throws where something cannot be understood. */
export async function listStore(path: string): Promise<QuarantineListing> {
  const names = await readdir(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  if (names.length === 0) return { held: [], leftovers: [] };
  const folder = await (isWindows ? openWindowsFolder(path) : openFolder(path));
  try {
    const store = storeIn(folder);
    const entries = names.flatMap(
      (name) => /^([0-9a-f-]{36})\.(intent|json|new)$/.exec(name)?.[1] ?? [],
    );
    const held: HeldFile[] = [];
    const leftovers: string[] = [];
    for (const name of new Set(entries)) {
      const one = await store.read(name);
      // Cut off while its first record was written: nothing had been done yet.
      if (one === undefined) leftovers.push(name);
      else if (await stands(store, one, new Set(names))) held.push(one);
      else leftovers.push(name);
    }
    return { held, leftovers };
  } finally {
    await folder.close();
  }
}

/**
 * Whether a file is kept: it has left its place, and is here or was. So it stays until it is taken back
 * also where somebody has deleted it from the folder; who has put it back by hand undoes that.
 */
async function stands(store: Store, one: HeldFile, names: ReadonlySet<string>): Promise<boolean> {
  const atPlace = isSameFile(await statOf(one.path), one.state);
  if (names.has(`${one.name}.json`)) return names.has(`${one.name}.file`) || !atPlace;
  if (atPlace) return false;
  if (names.has(`${one.name}.file`)) return true;
  return isSameFile(await statOf(store.path(one.name, 'moved')), one.state);
}

function storeIn(folder: FolderHandle): Store {
  const path = (name: string, part: Part): string => folder.at(`${name}.${part}`);
  return {
    folder,
    path,
    write: async (name, part, held) => {
      const temporary = folder.at(`${name}.new`);
      await rm(temporary, { force: true });
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;
      const handle = await open(temporary, flags, 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(held, undefined, 2)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(temporary, path(name, part));
      await folder.sync();
    },
    read: async (name) => {
      for (const part of ['json', 'intent'] as const) {
        const text = await readFile(path(name, part), 'utf8').catch((error: unknown) => {
          if (codeOf(error) === 'ENOENT') return undefined;
          throw error;
        });
        if (text !== undefined) return parse(text, name, part);
      }
      return undefined;
    },
    remove: async (name, ...parts) => {
      await rm(folder.at(`${name}.new`), { force: true });
      for (const part of parts) await rm(path(name, part), { force: true });
      await folder.sync();
    },
    close: () => folder.close(),
  };
}

const stateParts = ['dev', 'ino', 'size', 'uid', 'gid', 'mode', 'mtimeNs', 'ctimeNs'] as const;

function parse(text: string, name: string, part: Part): HeldFile {
  const damaged = new Error(`${name}.${part} in the quarantine is damaged`);
  let held: Partial<HeldFile>;
  try {
    held = (JSON.parse(text) ?? {}) as Partial<HeldFile>;
  } catch {
    throw damaged;
  }
  const state: Partial<FileState> = held.state ?? {};
  const texts = [held.path, held.sha256, held.takenAt, ...stateParts.map((one) => state[one])];
  if (held.name !== name || texts.some((one) => typeof one !== 'string')) throw damaged;
  return held as HeldFile;
}

const lastOf = new Map<string, Promise<unknown>>();

/** Runs tasks on the same folder one after the other. */
export async function inTurn<Result>(folder: string, task: () => Promise<Result>): Promise<Result> {
  const mine = (lastOf.get(folder) ?? Promise.resolve()).then(task, task);
  lastOf.set(folder, mine);
  try {
    return await mine;
  } finally {
    if (lastOf.get(folder) === mine) lastOf.delete(folder);
  }
}
