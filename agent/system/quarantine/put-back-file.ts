import { type FileHandle, link, rename, rm } from 'node:fs/promises';
import type { CommandStep, PutBackFileStep, StepResult } from '../../../platform/step.ts';
import { copyFile, setState } from './copy-file.ts';
import { codeOf, openFile, stateOf, statOf } from './file-state.ts';
import { LinkOnTheWay, type OpenedParent, openParent } from './folder-handle.ts';
import { readBytes } from './read-bytes.ts';
import { openStore, type Store } from './store.ts';

type RunCommand = (step: CommandStep) => Promise<StepResult>;

/** These mean that the file cannot get a second name there; it is copied then. */
const unlinkable = ['EXDEV', 'EPERM', 'EOPNOTSUPP', 'EMLINK'];

/**
 * Puts a file back. Wherever this is cut off, the file is in the folder, or at its place, or both, and
 * it is not seen at its place before it is whole and as it was.
 */
export async function putBackFile(step: PutBackFileStep, runCommand: RunCommand): Promise<void> {
  const store = await openStore(step.folder);
  try {
    const file = await openKept(store, step);
    if (file !== undefined) {
      try {
        await putBack(store, step, file, runCommand);
      } finally {
        await file.close();
      }
    }
    await store.remove(step.name, 'file', 'part', 'moved');
    await store.remove(step.name, 'intent', 'json');
  } finally {
    await store.close();
  }
}

/** Undefined: it is not here (any more), and there is nothing to be put back. */
async function openKept(
  store: Store,
  { name, state }: PutBackFileStep,
): Promise<FileHandle | undefined> {
  const kept = await openFile(store.path(name, 'file'));
  if (kept !== undefined) return kept;
  const moved = await statOf(store.path(name, 'moved'));
  if (moved === undefined) return undefined;
  if (String(moved.ino) !== state.ino) throw new Error(`${name}.moved in the quarantine is not it`);
  return openFile(store.path(name, 'moved'));
}

async function putBack(
  store: Store,
  step: PutBackFileStep,
  file: FileHandle,
  runCommand: RunCommand,
): Promise<void> {
  const parent = await openPlace(step.path);
  try {
    const there = await statOf(parent.folder.at(parent.name));
    const own = await file.stat({ bigint: true });
    const until = performance.now() + step.deadlineMs;
    const expected = (await store.read(step.name))?.sha256 ?? step.sha256;
    // It has both names already: an earlier try was cut off.
    if (there?.ino === own.ino && there.dev === own.dev) return;
    if (there !== undefined && !(await isCopy(parent, step, { expected, until }))) {
      throw new Error(occupied(step.path));
    }
    if (there !== undefined) return;
    const { sha256 } = await readBytes(file, until);
    if (sha256 !== expected) {
      throw new Error(
        `what is kept is not what was taken: somebody wrote to it (sha256 ${sha256})`,
      );
    }
    const given = await giveName({ store, step, parent, file });
    if (!given) await putCopy({ step, parent, file, until, expected, runCommand });
    await parent.folder.sync();
  } finally {
    await parent.folder.close();
  }
}

/** Whether what stands at the place is what an earlier try has put there, before it was cut off. */
async function isCopy(
  { folder, name }: OpenedParent,
  { state, name: kept }: PutBackFileStep,
  { expected, until }: { readonly expected: string; readonly until: number },
): Promise<boolean> {
  const there = await openFile(folder.at(name)).catch(() => undefined);
  if (there === undefined) return false;
  try {
    const found = await there.stat({ bigint: true });
    const now = stateOf(found);
    const same = (['size', 'uid', 'gid', 'mode'] as const).every(
      (part) => now[part] === state[part],
    );
    if (!found.isFile() || !same) return false;
    if ((await readBytes(there, until)).sha256 !== expected) return false;
    await rm(folder.at(`.ar-exec-${kept}`), { force: true });
    return true;
  } finally {
    await there.close();
  }
}

async function openPlace(path: string): Promise<OpenedParent> {
  try {
    return await openParent(path);
  } catch (error) {
    if (error instanceof LinkOnTheWay) {
      throw new Error(`the way to its place has become another one: ${error.message}`);
    }
    if (codeOf(error) !== 'ENOENT' && codeOf(error) !== 'ENOTDIR') throw error;
    throw new Error(`the folder that it was in is gone: make it, or see to the file by hand`);
  }
}

interface Place {
  readonly step: PutBackFileStep;
  readonly parent: OpenedParent;
  readonly file: FileHandle;
}

/** A second name on the same file system, which is never given where there is one already. */
async function giveName({
  store,
  step,
  parent,
  file,
}: Place & { readonly store: Store }): Promise<boolean> {
  const kept = (await statOf(store.path(step.name, 'file'))) === undefined ? 'moved' : 'file';
  const state = await file.stat();
  await setState(file, step.state);
  await file.sync();
  try {
    await link(store.path(step.name, kept), parent.folder.at(parent.name));
    return true;
  } catch (error) {
    await file.chmod(state.mode & 0o7777);
    if (codeOf(error) === 'EEXIST') throw new Error(occupied(step.path));
    if (unlinkable.includes(codeOf(error) ?? '')) return false;
    throw error;
  }
}

async function putCopy({
  step,
  parent,
  file,
  until,
  expected,
  runCommand,
}: Place & {
  readonly until: number;
  readonly expected: string;
  readonly runCommand: RunCommand;
}): Promise<void> {
  const place = parent.folder.at(parent.name);
  const temporary = parent.folder.at(`.ar-exec-${step.name}`);
  const { copy, hashes } = await copyFile(file, temporary, { until, runCommand });
  try {
    if (hashes.sha256 !== expected) throw new Error('what is kept was changed while it was copied');
    await setState(copy, step.state);
    await copy.sync();
    await link(temporary, place).catch(async (error: unknown) => {
      if (codeOf(error) === 'EEXIST') throw new Error(occupied(step.path));
      if (!unlinkable.includes(codeOf(error) ?? '')) throw error;
      // A file system without second names. Between the look and the rename there is a moment.
      if ((await statOf(place)) !== undefined) throw new Error(occupied(step.path));
      await rename(temporary, place);
    });
    const [there, own] = [await statOf(place), await copy.stat({ bigint: true })];
    if (there?.ino !== own.ino) throw new Error('it was replaced in the moment it was put back');
  } finally {
    await copy.close();
    await rm(temporary, { force: true });
  }
}

function occupied(path: string): string {
  return `something else stands at ${path} now: move it away, and it is put back`;
}
