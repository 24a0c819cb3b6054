import { constants } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { CommandStep, FileState, StepResult } from '../../../platform/step.ts';
import { type Hashes, readBytes } from './read-bytes.ts';

type RunCommand = (step: CommandStep) => Promise<StepResult>;

/**
 * Copies an open file to a new one at `path`, with what belongs to it, reads it back, and has it reach
 * the disk. What is in the way at `path` is removed: no two have the same name.
 *
 * The copy is still open; whoever gets it closes it.
 */
export async function copyFile(
  from: FileHandle,
  path: string,
  options: { readonly until: number; readonly runCommand: RunCommand },
): Promise<{ readonly copy: FileHandle; readonly hashes: Hashes }> {
  await rm(path, { force: true });
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const copy = await open(path, flags, 0o600);
  try {
    const hashes = await readBytes(from, options.until, { to: copy });
    await copyAttributes(from, copy, options.runCommand);
    await copy.sync();
    const written = await readBytes(copy, options.until);
    if (written.sha256 !== hashes.sha256) throw new Error('the copy differs from the file');
    return { copy, hashes };
  } catch (error) {
    await copy.close();
    await rm(path, { force: true });
    throw error;
  }
}

/** Owner, mode and times, as far as they are not so. A change of owner clears capabilities and set-id bits. */
export async function setState(file: FileHandle, state: FileState): Promise<void> {
  const [uid, gid] = [Number(state.uid), Number(state.gid)];
  const found = await file.stat({ bigint: true });
  if (Number(found.uid) !== uid || Number(found.gid) !== gid) await file.chown(uid, gid);
  if (String(found.mtimeNs) !== state.mtimeNs) {
    // Node takes seconds as a fraction, which are good for about a quarter of a microsecond.
    await file.utimes(Number(found.atimeMs) / 1_000, Number(state.mtimeNs) / 1e9);
  }
  await file.chmod(Number.parseInt(state.mode, 8));
}

/**
 * Node has no call for access lists, labels and extended attributes. GNU cp copies them, with owner,
 * mode and times, from one open file to another; where there is none they are lost.
 */
async function copyAttributes(
  from: FileHandle,
  to: FileHandle,
  runCommand: RunCommand,
): Promise<void> {
  const path = (file: FileHandle): string => `/proc/${process.pid}/fd/${file.fd}`;
  const options = ['--attributes-only', '--dereference', '--preserve=all', '--no-target-directory'];
  await runCommand({
    kind: 'command',
    tool: 'cp',
    args: [...options, '--', path(from), path(to)],
    deadlineMs: 10_000,
  });
}
