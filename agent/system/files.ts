import { appendFile, lstat, readlink, realpath, statfs } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { CommandStep, EditBlockStep, ReadFileStep, StepResult } from '../../platform/step.ts';
import { type Changed, editBlockText } from './block-text.ts';
import {
  type CopyAttributes,
  isAbsent,
  isUnchanged,
  replaceFile,
  takeSnapshot,
} from './replace-file.ts';

/** How often an edit starts over because somebody else writes to the same file. */
const turns = 8;
const links = 40;
const messageCharacters = 2_000;

/** Reads a plain file; what is not there reads as empty. */
export async function readFileStep(step: ReadFileStep): Promise<StepResult> {
  try {
    const bytes = await readWhole(await resolveLinks(step.path));
    return { stdout: bytes?.toString('utf8') ?? '', stderr: '' };
  } catch (error) {
    if (isAbsent(error)) return { stdout: '', stderr: '' };
    return failed(error);
  }
}

/**
 * Edits a block of ours in a file. Edits of one file wait for each other; who else writes to it at
 * the same time makes the edit start over.
 *
 * Owner, group and mode are kept. Node has no call for access lists, security labels and extended
 * attributes; GNU cp copies them, and is asked to. Where there is none (BSD, busybox) they are lost.
 */
export async function editBlock(
  step: EditBlockStep,
  runCommand: (step: CommandStep) => Promise<StepResult>,
): Promise<StepResult> {
  const options = ['--attributes-only', '--no-dereference', '--no-target-directory'];
  const preserve = ['--preserve=all', '--no-preserve=timestamps'];
  const copyAttributes: CopyAttributes = async (from, to) => {
    await runCommand({
      kind: 'command',
      tool: 'cp',
      args: [...options, ...preserve, '--', from, to],
      deadlineMs: 5_000,
    });
  };
  try {
    const path = await resolveLinks(step.path);
    const change = (bytes: Buffer | undefined) => editBlockText(bytes, step);
    const refused = await inTurn(path, () => changeFile(path, change, copyAttributes));
    return refused === undefined ? { stdout: '', stderr: '' } : failed(refused);
  } catch (error) {
    return failed(error);
  }
}

/**
 * Changes a file as a whole. Resolves to the reason when it was left as it is, and starts over with
 * what somebody else has written in between.
 */
export async function changeFile(
  path: string,
  change: (bytes: Buffer | undefined) => Changed,
  copyAttributes: CopyAttributes,
): Promise<string | undefined> {
  for (let turn = 0; turn < turns; turn += 1) {
    const old = await takeSnapshot(path);
    try {
      const changed = change(old.bytes);
      if ('refused' in changed || isSame(old.bytes, changed.bytes)) {
        // Half of what somebody is writing is no ground for an answer.
        if (!(await isUnchanged(old))) continue;
        return 'refused' in changed ? changed.refused : undefined;
      }
      const late = await replaceFile(old, changed.bytes, copyAttributes);
      if (late === undefined) continue;
      // The way its writer took: other writers who do the same are not in the way.
      if (late.length > 0) await appendFile(path, late, { mode: 0o644, flush: true });
      return undefined;
    } finally {
      await old.handle?.close();
    }
  }
  return `${path} was changed by somebody else ${turns} times while it was edited`;
}

/** Reads a file that nobody is in the middle of writing. */
async function readWhole(path: string): Promise<Buffer | undefined> {
  for (let turn = 0; turn < turns; turn += 1) {
    const found = await takeSnapshot(path);
    const whole = await isUnchanged(found).finally(() => found.handle?.close());
    if (whole || (await isKernels(path))) return found.bytes;
  }
  throw new Error(`${path} was changed by somebody ${turns} times while it was read`);
}

/** statfs(2): PROC_SUPER_MAGIC, SYSFS_MAGIC. */
const kernelsOwn: ReadonlySet<number> = new Set([0x9fa0, 0x62656572]);

/**
 * What the kernel tells in a file nobody writes, and its times mean nothing: those below /proc/net are
 * the moment at which somebody looked (proc_net_d_revalidate in fs/proc/proc_net.c makes them anew).
 */
async function isKernels(path: string): Promise<boolean> {
  return kernelsOwn.has((await statfs(path)).type);
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

const lastOf = new Map<string, Promise<unknown>>();

/** Runs tasks on the same path one after the other. */
async function inTurn<Result>(path: string, task: () => Promise<Result>): Promise<Result> {
  const mine = (lastOf.get(path) ?? Promise.resolve()).then(task, task);
  lastOf.set(path, mine);
  try {
    return await mine;
  } finally {
    if (lastOf.get(path) === mine) lastOf.delete(path);
  }
}

/** Where the path leads, also when there is nothing at its end yet. */
async function resolveLinks(path: string, left = links): Promise<string> {
  const file = join(await realpath(dirname(path)), basename(path));
  const found = await lstat(file).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (found === undefined || !found.isSymbolicLink()) return file;
  if (left === 0) throw new Error(`${path} is a loop of symbolic links`);
  return resolveLinks(resolve(dirname(file), await readlink(file)), left - 1);
}

function failed(error: unknown): StepResult {
  const message = error instanceof Error ? error.message : String(error);
  return { failure: 'io', stdout: '', stderr: message.slice(0, messageCharacters) };
}
