import { copyFile, open, rename, rm } from 'node:fs/promises';
import type { HeldFile, TakeFileStep } from '../../../../platform/step.ts';
import { codeOf, isSameFile, isUntouched, statOf } from '../../quarantine/file-state.ts';
import { readBytes } from '../../quarantine/read-bytes.ts';
import { openStore, type Store } from '../../quarantine/store.ts';
import { type FileHandle, holdFile } from '../file-handle.ts';
import { NativeFailure, status } from '../native.ts';
import { ownSid } from '../tokens.ts';
import { closedList } from './closed-list.ts';
import { whyUnfit } from './examine-file.ts';

/**
 * Takes a file of Windows away, by its handle: what is moved is what was looked at. Wherever this is cut
 * off, the file is at its place or in the folder, and beside it stands where it came from.
 */
export async function takeWindowsFile(step: TakeFileStep): Promise<void> {
  const store = await openStore(step.folder);
  try {
    const isHere = (await statOf(store.path(step.name, 'file'))) !== undefined;
    if (isHere) {
      // A copy to another volume was complete, and what was copied may still be there.
      await removeCopied(step);
      closeFile(store, step);
    } else {
      await take(store, step);
    }
    await confirm(store, step);
  } finally {
    await store.close();
  }
}

async function take(store: Store, step: TakeFileStep): Promise<void> {
  const held = hold(step);
  try {
    const sha256 = await hashOf(held, step);
    await store.write(step.name, 'intent', recordOf(step, sha256));
    await rm(store.path(step.name, 'json'), { force: true });
    if (!moves(held, store.path(step.name, 'file'))) {
      await copyHere(store, step, sha256);
      await removeOriginal(store, step, held);
      return;
    }
    held.setSecurity(closedList(ownSid()));
  } catch (error) {
    if ((await statOf(store.path(step.name, 'file'))) === undefined) {
      await store.remove(step.name, 'intent', 'part');
    }
    throw error;
  } finally {
    held.close();
  }
}

function hold(step: TakeFileStep): FileHandle {
  const held = holdFile(step.path);
  if (held === undefined) throw new Error('it is not there any more');
  const why = whyUnfit(held, step);
  if (why === undefined) return held;
  held.close();
  throw new Error(`it ${why}`);
}

/** Its hash now; nobody writes to it. Throws when it is not what was meant. */
async function hashOf(held: FileHandle, step: TakeFileStep): Promise<string> {
  const file = await open(step.path, 'r');
  try {
    const found = await file.stat({ bigint: true });
    if (found.ino !== held.id) throw new Error('it was replaced in the moment it was taken');
    if (isUntouched(found, step.state)) return step.sha256;
    const { sha256 } = await readBytes(file, performance.now() + step.deadlineMs);
    if (sha256 === step.sha256) return sha256;
    if (String(found.ino) === step.state.ino && !step.pinned) return sha256;
    throw new Error('it was changed after it was looked at');
  } finally {
    await file.close();
  }
}

/** False: the folder is on another volume. */
function moves(held: FileHandle, to: string): boolean {
  try {
    held.rename(to);
    return true;
  } catch (error) {
    if (error instanceof NativeFailure && error.code === status.otherVolume) return false;
    throw error;
  }
}

/** With all of its streams, as CopyFile does it. */
async function copyHere(store: Store, step: TakeFileStep, sha256: string): Promise<void> {
  const part = store.path(step.name, 'part');
  await copyFile(step.path, part);
  const copy = await open(part, 'r+');
  try {
    const written = await readBytes(copy, performance.now() + step.deadlineMs);
    if (written.sha256 !== sha256) throw new Error('the copy differs from the file');
    await copy.sync();
  } finally {
    await copy.close();
  }
  await rename(part, store.path(step.name, 'file'));
}

/** One that a program runs from cannot be deleted; then nothing was done. */
async function removeOriginal(store: Store, step: TakeFileStep, held: FileHandle): Promise<void> {
  try {
    held.remove();
  } catch (error) {
    await store.remove(step.name, 'file');
    throw error;
  }
}

async function removeCopied(step: TakeFileStep): Promise<void> {
  if (!isSameFile(await statOf(step.path), step.state)) return;
  const held = holdFile(step.path);
  if (held === undefined) return;
  try {
    if (String(held.id) === step.state.ino && whyUnfit(held, step) === undefined) held.remove();
  } finally {
    held.close();
  }
}

/** An earlier try may have moved it and got no further. */
function closeFile(store: Store, step: TakeFileStep): void {
  const held = holdFile(store.path(step.name, 'file'));
  try {
    held?.setSecurity(closedList(ownSid()));
  } finally {
    held?.close();
  }
}

function recordOf({ name, path, state }: TakeFileStep, sha256: string): HeldFile {
  return { name, path, sha256, takenAt: new Date().toISOString(), state };
}

/** Writes down that it was taken. */
async function confirm(store: Store, step: TakeFileStep): Promise<void> {
  try {
    await rename(store.path(step.name, 'intent'), store.path(step.name, 'json'));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    if ((await statOf(store.path(step.name, 'json'))) !== undefined) return;
    await store.write(step.name, 'json', recordOf(step, step.sha256));
  }
}
