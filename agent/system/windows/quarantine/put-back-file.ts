import { constants } from 'node:fs';
import { copyFile, open, rm } from 'node:fs/promises';
import { win32 } from 'node:path';
import type { PutBackFileStep } from '../../../../platform/step.ts';
import { isSamePath } from '../../../../platform/windows/names.ts';
import { statOf } from '../../quarantine/file-state.ts';
import { readBytes } from '../../quarantine/read-bytes.ts';
import { openStore, type Store } from '../../quarantine/store.ts';
import { type FileHandle, holdFile, holdFolder } from '../file-handle.ts';
import { NativeFailure, status } from '../native.ts';

/**
 * Puts a file of Windows back, into the very folder that its place names: whoever can write there could
 * make it a link to another one, and have the file land there with our rights. So the folder is held, and
 * the file gets its name in what is held.
 */
export async function putBackWindowsFile(step: PutBackFileStep): Promise<void> {
  const store = await openStore(step.folder);
  try {
    if ((await statOf(store.path(step.name, 'file'))) !== undefined) await putBack(store, step);
    await store.remove(step.name, 'file', 'part');
    await store.remove(step.name, 'intent', 'json');
  } finally {
    await store.close();
  }
}

async function putBack(store: Store, step: PutBackFileStep): Promise<void> {
  const until = performance.now() + step.deadlineMs;
  const expected = (await store.read(step.name))?.sha256 ?? step.sha256;
  const kept = store.path(step.name, 'file');
  const folder = holdPlace(step.path);
  try {
    // A copy to another volume had its name already, when an earlier try was cut off.
    if ((await statOf(step.path)) !== undefined) {
      if (await hasBytes(step.path, expected, until)) return;
      throw new Error(occupied(step.path));
    }
    if (!(await hasBytes(kept, expected, until))) {
      throw new Error('what is kept is not what was taken: somebody wrote to it');
    }
    const file = holdFile(kept);
    if (file === undefined) throw new Error('what is kept is gone');
    let moved: boolean;
    try {
      moved = givesName(file, step, folder);
    } finally {
      file.close();
    }
    if (!moved) await putCopy(kept, step, { folder, expected, until });
  } finally {
    folder.close();
  }
}

/** The folder of a place, held; it has to be itself. */
function holdPlace(path: string): FileHandle {
  const named = win32.dirname(path);
  const folder = holdFolder(named);
  if (folder === undefined) {
    throw new Error('the folder that it was in is gone: make it, or see to the file by hand');
  }
  const real = folder.path().replace(/\\$/, '');
  if (!folder.isReparsePoint && isSamePath(real, named.replace(/\\$/, ''))) return folder;
  folder.close();
  throw new Error(`the way to its place has become another one: it leads to ${real}`);
}

/** With its owner and access list from before. False: its place is on another volume. */
function givesName(file: FileHandle, step: PutBackFileStep, folder: FileHandle): boolean {
  const closed = file.security();
  file.setSecurity(Buffer.from(step.state.mode, 'base64'));
  try {
    file.rename(win32.basename(step.path), folder);
    return true;
  } catch (error) {
    file.setSecurity(closed);
    if (!(error instanceof NativeFailure)) throw error;
    if (error.code === status.nameCollision) throw new Error(occupied(step.path));
    if (error.code === status.otherVolume) return false;
    throw error;
  }
}

interface Copying {
  readonly folder: FileHandle;
  readonly expected: string;
  readonly until: number;
}

/** Under a name of its own first, and it is looked where it has landed. */
async function putCopy(kept: string, step: PutBackFileStep, copying: Copying): Promise<void> {
  const temporary = win32.join(win32.dirname(step.path), `.ar-exec-${step.name}`);
  await rm(temporary, { force: true });
  await copyFile(kept, temporary, constants.COPYFILE_EXCL);
  const copy = holdFile(temporary);
  if (copy === undefined) throw new Error('the copy was removed in the moment it was made');
  try {
    const isThere = isSamePath(copy.path(), temporary);
    if (!isThere || !(await hasBytes(temporary, copying.expected, copying.until))) {
      copy.remove();
      throw new Error('the copy is not where, or what, it was to be');
    }
    if (!givesName(copy, step, copying.folder)) throw new Error('its place is nowhere');
  } catch (error) {
    if (isSamePath(copy.path(), temporary)) copy.remove();
    throw error;
  } finally {
    copy.close();
  }
}

async function hasBytes(path: string, sha256: string, until: number): Promise<boolean> {
  const file = await open(path, 'r');
  try {
    return (await readBytes(file, until)).sha256 === sha256;
  } finally {
    await file.close();
  }
}

function occupied(path: string): string {
  return `something else stands at ${path} now: move it away, and it is put back`;
}
