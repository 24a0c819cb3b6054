import { randomUUID } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { stat } from 'node:fs/promises';
import type { ExaminedFile, ExamineFileStep } from '../../../platform/step.ts';
import { codeOf, openFile, stateOf, statOf } from './file-state.ts';
import { LinkOnTheWay, type OpenedParent, openParent } from './folder-handle.ts';
import { readBytes } from './read-bytes.ts';

/** Says what stands in the way, if anything, or what the file is. */
export async function examineFile(step: ExamineFileStep): Promise<ExaminedFile> {
  const parent = await reachParent(step);
  if ('fit' in parent) return parent;
  try {
    const way = parent.folder.at(parent.name);
    // Looked at first: to open a device can already do something.
    const found = await statOf(way);
    if (found === undefined) return refused('absent', 'is not there');
    if (found.isSymbolicLink()) return refused('protected', 'is a symbolic link');
    if (!found.isFile()) return refused('protected', 'is not a plain file');
    const file = await openFile(way);
    if (file === undefined) return refused('absent', 'is not there any more');
    return await examine(file, step).finally(() => file.close());
  } finally {
    await parent.folder.close();
  }
}

async function examine(file: FileHandle, step: ExamineFileStep): Promise<ExaminedFile> {
  const found = await file.stat({ bigint: true });
  if (!found.isFile()) return refused('protected', 'is not a plain file');
  if (found.nlink !== 1n) {
    const why = `has ${found.nlink} names: it would stay under the others (find / -xdev -inum ${found.ino})`;
    return refused('protected', why);
  }
  const own = await stat(process.execPath, { bigint: true });
  if (own.ino === found.ino && own.dev === found.dev)
    return refused('protected', 'is ar-exec itself');
  const until = performance.now() + step.deadlineMs;
  const hashes = await readBytes(file, until, { sha1: step.sha1 !== undefined });
  for (const kind of ['sha256', 'sha1'] as const) {
    const wanted = step[kind];
    if (wanted !== undefined && wanted !== hashes[kind]) {
      return refused('changed', `holds something else than was meant (${kind} ${hashes[kind]})`);
    }
  }
  return { fit: true, name: randomUUID(), sha256: hashes.sha256, state: stateOf(found) };
}

async function reachParent({
  path,
  folder,
}: ExamineFileStep): Promise<OpenedParent | ExaminedFile> {
  const store = await stat(folder, { bigint: true }).catch(() => undefined);
  const inStore = new Error('is in the quarantine');
  try {
    return await openParent(path, (inode) => {
      if (store !== undefined && inode === `${store.dev}:${store.ino}`) throw inStore;
    });
  } catch (error) {
    if (error === inStore) return refused('protected', 'is in the quarantine folder');
    if (error instanceof LinkOnTheWay) {
      return refused(
        'protected',
        `is reached by a symbolic link: name the file itself (${error.link})`,
      );
    }
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) {
      return refused('absent', 'is not there');
    }
    throw error;
  }
}

function refused(refusal: 'absent' | 'protected' | 'changed', why: string): ExaminedFile {
  return { fit: false, refusal, why };
}
