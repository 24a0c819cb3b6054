import { existsSync } from 'node:fs';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Runner } from '../../platform/step.ts';
import type { System } from '../../platform/system.ts';
import { ArError } from '../errors.ts';

/** Makes the folder of the journal, or checks it: nobody but us may look into it or write there. */
export async function prepareStateFolder(folder: string, system: System): Promise<void> {
  try {
    if (system === 'win32') return await prepareOnWindows(resolve(folder));
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const found = await stat(folder);
    if (!found.isDirectory()) throw unusable(folder, 'it is not a folder');
    const own = process.getuid?.();
    if (own !== undefined && found.uid !== own) {
      throw unusable(folder, `it belongs to user ${found.uid}, and ar-exec runs as ${own}`);
    }
    if ((found.mode & 0o022) !== 0) throw unusable(folder, 'others can write there');
  } catch (error) {
    if (error instanceof ArError) throw error;
    throw unusable(folder, error instanceof Error ? error.message : String(error), error);
  }
}

/**
 * What is made under %ProgramData% inherits that every account may add files to it, so each folder that is
 * missing is made with an access list of its own, and one that is there is judged by its list.
 */
async function prepareOnWindows(folder: string): Promise<void> {
  const { makeClosedFolder } = await import('./windows/access.ts');
  const { readAccess, whyUntrusted } = await import('./windows/acl.ts');
  const missing: string[] = [];
  for (let path = folder; !existsSync(path) && dirname(path) !== path; path = dirname(path)) {
    missing.unshift(path);
  }
  for (const path of missing) makeClosedFolder(path);
  if (!(await stat(folder)).isDirectory()) throw unusable(folder, 'it is not a folder');
  const { owner, entries } = readAccess(folder);
  // What counts for the files in it alone is as bad.
  const all = entries?.map((entry) => ({ ...entry, inheritOnly: false }));
  const wrong = whyUntrusted({ owner, entries: all }, ['content', 'place']);
  if (wrong === undefined) return;
  throw new ArError(
    'state-unusable',
    `cannot keep the journal in ${folder}: it ${wrong}`,
    'Delete it, so that it is made anew, or let SYSTEM and Administrators alone write there (icacls).',
  );
}

/** Who may use the socket besides its owner: a group; on Windows, where it is a pipe, what restricts it. */
export async function socketAccess(
  group: string,
  system: System,
  run: Runner,
): Promise<{ readonly groupId?: number; readonly restrict?: (path: string) => void }> {
  if (system === 'win32') return { restrict: (await import('./windows/access.ts')).restrictPipe };
  const id = await groupId(group, system, run);
  return id === undefined ? {} : { groupId: id };
}

/**
 * The number of a group, or undefined when there is no such group here. macOS keeps those that are made
 * there in its directory, and not in /etc/group.
 */
export async function groupId(
  name: string,
  system: System,
  run: Runner,
): Promise<number | undefined> {
  if (system === 'darwin') {
    const args = ['-q', 'group', '-a', 'name', name];
    const { stdout } = await run({ kind: 'command', tool: 'dscacheutil', args, deadlineMs: 5_000 });
    const id = /^gid: (\d+)$/m.exec(stdout)?.[1];
    return id === undefined ? undefined : Number(id);
  }
  const text = await readFile('/etc/group', 'utf8').catch(() => '');
  const row = text.split('\n').find((line) => line.startsWith(`${name}:`));
  const id = Number(row?.split(':')[2]);
  return Number.isInteger(id) ? id : undefined;
}

function unusable(folder: string, why: string, cause?: unknown): ArError {
  return new ArError(
    'state-unusable',
    `cannot keep the journal in ${folder}: ${why}`,
    'Mend the folder (owner, mode 0700), or name another with --state.',
    cause === undefined ? undefined : { cause },
  );
}
