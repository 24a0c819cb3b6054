/** Carries out what was planned: the one place of this folder that changes a machine. */
import { randomBytes } from 'node:crypto';
import {
  chmod,
  chown,
  copyFile,
  link,
  mkdir,
  open,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
  symlink,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Runner, StepResult } from '../../platform/step.ts';
import { ArError } from '../errors.ts';
import { type Change, changeText, type LinesChange, type RunChange } from './change.ts';
import { withLines } from './lines.ts';

export interface Done {
  readonly change: Change;
  /** `skipped`: a command that was not needed, or that belongs to another machine; `no`: it may say so. */
  readonly outcome: 'done' | 'same' | 'skipped' | 'no';
  /** What a command said that may say no. */
  readonly said?: string;
}

export interface Machine {
  /** Stands before every path: `/`, or a folder that becomes a machine's root some day. */
  readonly root: string;
  /** Absent: no command is run, as the root is that of another machine. */
  readonly run?: Runner | undefined;
  /** Has a file deleted that is in use, at the next start of the machine; for Windows, which has no modes. */
  removeLater?(path: string): void;
}

const commandMs = 120_000;

/** In order, up to the first that fails: that one throws, and those before it stay. */
export async function carryOut(changes: readonly Change[], machine: Machine): Promise<Done[]> {
  const done: Done[] = [];
  const changed = new Set<string>();
  for (const change of changes) {
    const one =
      change.kind === 'run'
        ? await runOne(change, machine, changed)
        : await changeFile(change, machine);
    if (one.outcome === 'done' && change.kind !== 'run' && change.kind !== 'folder') {
      changed.add(change.path);
    }
    done.push(one);
  }
  return done;
}

async function runOne(
  change: RunChange,
  { run }: Machine,
  changed: ReadonlySet<string>,
): Promise<Done> {
  const { argv, only, mayFail } = change;
  if (!isWanted(only, changed) || run === undefined) return { change, outcome: 'skipped' };
  const result = await runTool(argv, run);
  if (result.failure === undefined) return { change, outcome: 'done' };
  const said = said1(result);
  if (mayFail === true) return { change, outcome: 'no', said };
  throw failed(change, said);
}

function isWanted(only: RunChange['only'], changed: ReadonlySet<string>): boolean {
  if (only === undefined) return true;
  if (only === 'changed') return changed.size > 0;
  return only === 'unchanged' ? changed.size === 0 : changed.has(only.path);
}

function runTool([tool = '', ...args]: readonly string[], run: Runner): Promise<StepResult> {
  return run({ kind: 'command', tool, args, deadlineMs: commandMs, leavesDaemons: true });
}

function said1({ failure, stderr, stdout }: StepResult): string {
  if (failure === 'missing') return 'there is no such command on this machine';
  return (stderr.trim() || stdout.trim() || `it failed (${failure})`).slice(0, 1_000);
}

async function changeFile(change: Exclude<Change, RunChange>, machine: Machine): Promise<Done> {
  const path = join(machine.root, change.path);
  try {
    switch (change.kind) {
      case 'folder':
        return { change, outcome: await makeFolder(path, change.mode) };
      case 'write':
        return {
          change,
          outcome: await write(path, Buffer.from(change.text), change, machine),
        };
      case 'copy':
        return {
          change,
          outcome: await write(path, await readFile(change.from), change, machine),
        };
      case 'remove':
        return await remove(change, path, machine);
      case 'remove-folder':
        return { change, outcome: await removeFolder(path) };
      case 'lines':
        return { change, outcome: await editLines(path, change, machine) };
      case 'keep':
        return { change, outcome: await place(path, (at) => link(change.from, at)) };
      case 'link':
        return { change, outcome: await linkTo(path, change.to) };
      case 'move':
        await rename(change.from, path);
        return { change, outcome: 'done' };
    }
  } catch (error) {
    if (error instanceof ArError) throw error;
    throw failed(change, error instanceof Error ? error.message : String(error));
  }
}

/** One that is there keeps its rights. */
async function makeFolder(path: string, mode: number): Promise<'done' | 'same'> {
  const made = await mkdir(path, { recursive: true, mode: 0o755 });
  if (made === undefined) return 'same';
  await chmod(path, mode);
  return 'done';
}

async function remove(change: Change, path: string, { removeLater }: Machine): Promise<Done> {
  try {
    await rm(path);
    return { change, outcome: 'done' };
  } catch (error) {
    if (isAbsent(error)) return { change, outcome: 'same' };
    if (removeLater === undefined || !isInUse(error)) throw error;
    removeLater(path);
    return { change, outcome: 'no', said: 'in use: it is deleted when the machine starts next' };
  }
}

async function removeFolder(path: string): Promise<'done' | 'same'> {
  try {
    await rmdir(path);
    return 'done';
  } catch {
    return 'same';
  }
}

async function linkTo(path: string, to: string): Promise<'done' | 'same'> {
  const there = await readlink(path).catch(() => undefined);
  return there === to ? 'same' : place(path, (at) => symlink(to, at));
}

/** Made beside it and renamed: whoever opens the path meanwhile finds the old or the new. */
async function place(path: string, make: (at: string) => Promise<void>): Promise<'done'> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  await make(temporary);
  try {
    await rename(temporary, path);
  } finally {
    // Two names of one file: rename(2) does nothing then, and says that it did.
    await rm(temporary, { force: true });
  }
  return 'done';
}

async function write(
  path: string,
  bytes: Buffer,
  { mode, gid }: { readonly mode: number; readonly gid?: number },
  { removeLater }: Machine,
): Promise<'done' | 'same'> {
  const old = await readOrNothing(path);
  const sameMode = removeLater !== undefined || ((old?.mode ?? 0) & 0o7777) === mode;
  const sameGroup = gid === undefined || gid === old?.gid;
  if (old?.bytes.equals(bytes) === true && sameMode && sameGroup) return 'same';
  const stepsAside = removeLater !== undefined && old !== undefined;
  const owners = gid === undefined ? {} : { uid: process.getuid?.() ?? 0, gid };
  await replace(path, bytes, { mode, ...owners }, async () => {
    if (stepsAside) await stepAside(path, removeLater);
  });
  return 'done';
}

/** Windows puts nothing in the place of a program that runs, and lets it have another name. */
async function stepAside(path: string, removeLater: (path: string) => void): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}.old`;
  await rename(path, aside);
  await rm(aside).catch((error: unknown) => {
    if (!isInUse(error)) throw error;
    removeLater(aside);
  });
}

async function editLines(
  named: string,
  { lines, where, check, copy }: LinesChange,
  { root, run }: Machine,
): Promise<'done' | 'same'> {
  // Somebody may keep the file elsewhere, and a link in its place.
  const path = await realpath(named).catch(() => named);
  const old = await readOrNothing(path);
  const before = old?.bytes.toString('utf8') ?? '';
  const after = withLines(before, lines, where);
  if (after === before) return 'same';
  if (copy !== undefined && old !== undefined) {
    const kept = join(root, copy);
    if ((await readOrNothing(kept)) === undefined) {
      await copyFile(path, kept);
      await chmod(kept, old.mode);
    }
  }
  const judge = async (file: string): Promise<void> => {
    if (check === undefined || run === undefined) return;
    const result = await runTool([...check, file], run);
    if (result.failure === undefined) return;
    throw new ArError(
      'config-invalid',
      `${named} was left as it is: with the lines of ar-exec it would not be taken (${said1(result)})`,
      `Put them in by hand, or take them out: ${lines.join(', ') || 'those between "# BEGIN ar-exec" and "# END ar-exec"'}`,
    );
  };
  await replace(path, Buffer.from(after), old ?? { mode: 0o644 }, judge);
  return 'done';
}

interface Old {
  readonly bytes: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

async function readOrNothing(path: string): Promise<Old | undefined> {
  try {
    const { mode, uid, gid } = await stat(path);
    return { bytes: await readFile(path), mode, uid, gid };
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

/** Whole or not at all; whoever runs the old program goes on with it. */
async function replace(
  path: string,
  bytes: Buffer,
  rights: { readonly mode: number; readonly uid?: number; readonly gid?: number },
  judge?: (file: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    if (rights.uid !== undefined && rights.gid !== undefined) {
      await chown(temporary, rights.uid, rights.gid);
    }
    await handle.chmod(rights.mode & 0o7777);
    await handle.sync();
    await judge?.(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

function isInUse(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['EPERM', 'EBUSY', 'EACCES'].includes(code);
}

function isAbsent(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function failed(change: Change, said: string): ArError {
  const [what = ''] = changeText(change).split('\n');
  return new ArError(
    'service-failed',
    `${what}: ${said}`,
    'What was done before it stays. Mend this, and say the same again: what is done already is not done twice.',
  );
}
