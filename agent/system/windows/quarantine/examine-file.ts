import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { ExaminedFile, ExamineFileStep } from '../../../../platform/step.ts';
import { isBelow, isSamePath } from '../../../../platform/windows/names.ts';
import { stateOf } from '../../quarantine/file-state.ts';
import { readBytes } from '../../quarantine/read-bytes.ts';
import { type FileHandle, holdFile } from '../file-handle.ts';
import { NativeFailure, status } from '../native.ts';

/** Says what stands in the way of taking a file of Windows, if anything, or what the file is. */
export async function examineWindowsFile(step: ExamineFileStep): Promise<ExaminedFile> {
  const held = holdOrRefuse(step.path);
  if (held === undefined) return refused('absent', 'is not there');
  if ('fit' in held) return held;
  try {
    const why = whyUnfit(held, step);
    return why === undefined ? await examine(held, step) : refused('protected', why);
  } finally {
    held.close();
  }
}

function holdOrRefuse(path: string): FileHandle | ExaminedFile | undefined {
  try {
    return holdFile(path);
  } catch (error) {
    if (error instanceof NativeFailure && error.code === status.isFolder) {
      return refused('protected', 'is not a plain file');
    }
    throw error;
  }
}

/** Why a held file must not be taken, to be read behind its path. */
export function whyUnfit(
  held: FileHandle,
  { path, folder }: { readonly path: string; readonly folder: string },
): string | undefined {
  if (held.isReparsePoint) return 'is a link, or stands for something that is elsewhere';
  if (held.isFolder) return 'is not a plain file';
  const real = held.path();
  if (isBelow(real, folder)) return 'is in the quarantine folder';
  if (!isSamePath(real, path)) return `is reached by another name: name the file itself (${real})`;
  if (held.links !== 1) return `has ${held.links} names: it would stay under the others`;
  return isSamePath(real, process.execPath) ? 'is ar-exec itself' : undefined;
}

/** Nobody writes to it as long as it is held; what is read here is it. */
async function examine(held: FileHandle, step: ExamineFileStep): Promise<ExaminedFile> {
  const file = await open(step.path, 'r');
  try {
    const found = await file.stat({ bigint: true });
    if (found.ino !== held.id) return refused('changed', 'was replaced while it was looked at');
    const until = performance.now() + step.deadlineMs;
    const hashes = await readBytes(file, until, { sha1: step.sha1 !== undefined });
    for (const kind of ['sha256', 'sha1'] as const) {
      const wanted = step[kind];
      if (wanted !== undefined && wanted !== hashes[kind]) {
        return refused('changed', `holds something else than was meant (${kind} ${hashes[kind]})`);
      }
    }
    // In the place of the mode, which says nothing here: owner and access list.
    const state = { ...stateOf(found), mode: held.security().toString('base64') };
    return { fit: true, name: randomUUID(), sha256: hashes.sha256, state };
  } finally {
    await file.close();
  }
}

function refused(refusal: 'absent' | 'protected' | 'changed', why: string): ExaminedFile {
  return { fit: false, refusal, why };
}
