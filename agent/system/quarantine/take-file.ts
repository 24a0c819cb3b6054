import { type FileHandle, link, rename, rm, unlink } from 'node:fs/promises';
import type { CommandStep, HeldFile, StepResult, TakeFileStep } from '../../../platform/step.ts';
import { copyFile } from './copy-file.ts';
import { codeOf, isSameFile, isUntouched, openFile, statOf } from './file-state.ts';
import { type OpenedParent, openParent } from './folder-handle.ts';
import { readBytes } from './read-bytes.ts';
import { openStore, type Store } from './store.ts';

type RunCommand = (step: CommandStep) => Promise<StepResult>;

/** Only its owner can read it, and nobody can run it. */
const inertMode = 0o400;

/**
 * Takes a file away. Wherever this is cut off, the file is at its place or in the folder, and beside it
 * stands where it came from.
 */
export async function takeFile(step: TakeFileStep, runCommand: RunCommand): Promise<void> {
  const store = await openStore(step.folder);
  try {
    if (await isTaken(store, step)) return;
    const parent = await openParent(step.path);
    try {
      const resumed = await resume(store, step, parent);
      if (!resumed) await take(store, step, parent, runCommand);
      await parent.folder.sync();
      await confirm(store, step);
    } finally {
      await parent.folder.close();
    }
  } finally {
    await store.close();
  }
}

async function isTaken(store: Store, { name }: TakeFileStep): Promise<boolean> {
  const there = await Promise.all(
    (['file', 'json'] as const).map((part) => statOf(store.path(name, part))),
  );
  return there.every((one) => one !== undefined);
}

async function take(
  store: Store,
  step: TakeFileStep,
  parent: OpenedParent,
  runCommand: RunCommand,
): Promise<void> {
  const file = await openMeant(parent);
  try {
    const sha256 = await hashOf(file, step);
    await store.write(step.name, 'intent', recordOf(step, sha256));
    // From before somebody put it back by hand.
    await rm(store.path(step.name, 'json'), { force: true });
    await moveOrCopy({ store, step, parent, file, sha256, runCommand });
  } catch (error) {
    await store.remove(step.name, 'intent', 'part');
    throw error;
  } finally {
    await file.close();
  }
}

function recordOf({ name, path, state }: TakeFileStep, sha256: string): HeldFile {
  return { name, path, sha256, takenAt: new Date().toISOString(), state };
}

/** Writes down that it was taken. */
async function confirm(store: Store, step: TakeFileStep): Promise<void> {
  try {
    await rename(store.path(step.name, 'intent'), store.path(step.name, 'json'));
    await store.folder.sync();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await store.write(step.name, 'json', recordOf(step, step.sha256));
  }
}

/** Whether an earlier try got so far that the file is here; finishes that. */
async function resume(store: Store, step: TakeFileStep, parent: OpenedParent): Promise<boolean> {
  const [movedPath, filePath] = [store.path(step.name, 'moved'), store.path(step.name, 'file')];
  const moved = await statOf(movedPath);
  if (moved !== undefined) {
    if (isSameFile(moved, step.state)) await rename(movedPath, filePath);
    else await giveBack(store, step, parent);
  }
  const file = await openFile(filePath);
  if (file === undefined) return false;
  try {
    await file.chmod(inertMode);
  } finally {
    await file.close();
  }
  // A copy was complete, and what was copied may still be there.
  if (isSameFile(await statOf(parent.folder.at(parent.name)), step.state)) {
    await unlink(parent.folder.at(parent.name));
  }
  return true;
}

/** Opens what stands at the place, if it is the file that was looked at. */
async function openMeant({ folder, name }: OpenedParent): Promise<FileHandle> {
  const file = await openFile(folder.at(name));
  if (file === undefined) throw new Error('it is not there any more');
  const found = await file.stat({ bigint: true });
  const why = !found.isFile()
    ? 'it is not a plain file any more'
    : found.nlink !== 1n
      ? `it has ${found.nlink} names now`
      : undefined;
  if (why === undefined) return file;
  await file.close();
  throw new Error(why);
}

/** Its hash now. Throws when it is not what was meant. */
async function hashOf(file: FileHandle, step: TakeFileStep): Promise<string> {
  const found = await file.stat({ bigint: true });
  if (isUntouched(found, step.state)) return step.sha256;
  const { sha256 } = await readBytes(file, performance.now() + step.deadlineMs);
  if (sha256 === step.sha256) return sha256;
  const same = String(found.ino) === step.state.ino && String(found.dev) === step.state.dev;
  if (same && !step.pinned) return sha256;
  throw new Error('it was changed after it was looked at');
}

interface Move {
  readonly store: Store;
  readonly step: TakeFileStep;
  readonly parent: OpenedParent;
  readonly file: FileHandle;
  readonly sha256: string;
  readonly runCommand: RunCommand;
}

async function moveOrCopy(move: Move): Promise<void> {
  const { store, step, parent, file } = move;
  const movedPath = store.path(step.name, 'moved');
  try {
    await rename(parent.folder.at(parent.name), movedPath);
  } catch (error) {
    if (codeOf(error) === 'EXDEV') return copyAndRemove(move);
    throw explained(error);
  }
  // A name can be given to something else in the last moment. That goes back.
  if (!(await isSame(movedPath, file))) {
    const where = await giveBack(store, step, parent);
    throw new Error(`it was replaced by something else in the moment it was taken${where}`);
  }
  await file.chmod(inertMode);
  await rename(movedPath, store.path(step.name, 'file'));
}

/** To another file system: first the whole of it is here, then it goes there. */
async function copyAndRemove(move: Move): Promise<void> {
  const { store, step, parent, file, sha256, runCommand } = move;
  const until = performance.now() + step.deadlineMs;
  const [partPath, filePath] = [store.path(step.name, 'part'), store.path(step.name, 'file')];
  const { copy, hashes } = await copyFile(file, partPath, { until, runCommand });
  try {
    if (hashes.sha256 !== sha256) throw new Error('it was changed while it was copied');
    await copy.chmod(inertMode);
    await copy.sync();
  } finally {
    await copy.close();
  }
  await rename(partPath, filePath);
  await store.folder.sync();
  try {
    if (!(await isSame(parent.folder.at(parent.name), file))) {
      throw new Error('it was replaced by something else while it was copied');
    }
    await unlink(parent.folder.at(parent.name)).catch((error: unknown) => {
      throw explained(error);
    });
  } catch (error) {
    await rm(filePath, { force: true });
    throw error;
  }
}

async function isSame(path: string, file: FileHandle): Promise<boolean> {
  const [there, here] = [await statOf(path), await file.stat({ bigint: true })];
  return there?.ino === here.ino && there.dev === here.dev;
}

/** What was moved here by mistake goes back, if its place is free; else it stays, and the answer says where. */
async function giveBack(
  store: Store,
  { name, folder }: TakeFileStep,
  parent: OpenedParent,
): Promise<string> {
  const path = store.path(name, 'moved');
  const place = parent.folder.at(parent.name);
  try {
    const isFolder = (await statOf(path))?.isDirectory() === true;
    if (isFolder) {
      // A folder cannot be linked. An empty one that has come into being meanwhile is replaced by it.
      if ((await statOf(place)) !== undefined) throw new Error('occupied');
      await rename(path, place);
    } else {
      await link(path, place);
      await unlink(path);
    }
    return '';
  } catch {
    await rename(path, store.folder.at(`${name}.stray`));
    return `, which is in ${folder}/${name}.stray`;
  }
}

function explained(error: unknown): unknown {
  if (codeOf(error) !== 'EPERM') return error;
  return new Error(
    'the system does not allow it to be moved; is it immutable (lsattr, chattr -i)?',
  );
}
