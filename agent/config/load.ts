import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, realpath, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { ArError } from '../errors.ts';
import { defaultPaths } from './default-paths.ts';
import { holdsSecret, notificationTroubles } from './notification-secrets.ts';
import { type ManagerFile, putTogether, readManagerFile, readOwnFile } from './read.ts';
import type { Known } from './section-values.ts';
import type { Config } from './settings.ts';
import { longestFileBytes, tooLong } from './xml.ts';

/** A configuration and what there is to say about it. */
export interface Loaded {
  readonly config: Config;
  readonly warnings: readonly string[];
  /** The file that was read; absent when there is none and everything has its default. */
  readonly file?: string;
  /** The manager's file, if its part was taken. */
  readonly managerFile?: string;
}

/** What lets somebody change it who could not do anything anyway, to be read behind the path, if anything. */
export type WhyOpen = (path: string, kind: 'file' | 'folder') => string | undefined;

export interface LoadOptions {
  readonly file?: string;
  readonly known: Known;
  /** Where access is by lists and not by modes: asked of the file and of the folders that it lies in. */
  readonly whyOpen?: WhyOpen;
}

/**
 * Loads the configuration, and of the manager's file what is its part. A file that is named must be
 * there, the default one need not be.
 */
export async function loadConfig(options: LoadOptions): Promise<Loaded> {
  const file = options.file ?? defaultPaths().configFile;
  const { whyOpen } = options;
  const found = await readTrusted(file, { required: options.file !== undefined, whyOpen });
  const own = readOwnFile(found?.text ?? '', file, options.known);
  const managers = await loadManagerFile(own.settings, file, whyOpen);
  const { config, warnings } = putTogether(own, managers.found);
  const managerFile = managers.found === undefined ? {} : { managerFile: managers.found.file };
  if (found === undefined) {
    return { config, warnings: [...warnings, ...managers.warnings], ...managerFile };
  }
  const { notifications } = config;
  const readable = found.readable && holdsSecret(notifications) ? [tellsSecret(file)] : [];
  const troubles = await notificationTroubles(notifications);
  return {
    config,
    warnings: [...found.warnings, ...warnings, ...managers.warnings, ...readable, ...troubles],
    file,
    ...managerFile,
  };
}

/**
 * The manager's file is somebody else's: whatever is wrong with it is told, and ar-exec goes on
 * without it. That the manager's group can write it, as it is installed, gives nobody more than is
 * theirs: it can name responses, and files that root has put into the response folder.
 */
async function loadManagerFile(
  { managerConfig, managerHome }: Pick<Config, 'managerConfig' | 'managerHome'>,
  own: string,
  whyOpen: WhyOpen | undefined,
): Promise<{ found?: ManagerFile; warnings: readonly string[] }> {
  if (managerConfig === 'none') return { warnings: [] };
  const file = managerConfig ?? join(managerHome, 'etc/ossec.conf');
  try {
    if (await isSame(file, own)) return { warnings: [] };
    const found = await readTrusted(file, { required: managerConfig !== undefined, whyOpen });
    if (found === undefined) return { warnings: [] };
    return { found: readManagerFile(found.text, file), warnings: [] };
  } catch (error) {
    if (!(error instanceof ArError)) throw error;
    const { message, hint } = error;
    return { warnings: [`the manager's configuration is not taken: ${message}. ${hint}`] };
  }
}

async function isSame(file: string, other: string): Promise<boolean> {
  const [one, two] = await Promise.all(
    [file, other].map((path) => realpath(path).catch(() => undefined)),
  );
  return one !== undefined && one === two;
}

/** On a folder: only a file's owner may rename or remove it. */
const stickyBit = 0o1000;

interface FileText {
  readonly text: string;
  /** By everybody. */
  readonly readable: boolean;
  readonly warnings: readonly string[];
}

async function readTrusted(
  file: string,
  { required, whyOpen }: { readonly required: boolean; readonly whyOpen?: WhyOpen | undefined },
): Promise<FileText | undefined> {
  let handle: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await handle.stat();
    if (!found.isFile()) throw unusable(file, 'is not a regular file', 'Name a file.');
    if (found.size > longestFileBytes) throw tooLong(file);
    const warnings = judgeAccess(file, found);
    judgeList(file, 'file', whyOpen);
    for (const folder of new Set([dirname(resolve(file)), dirname(await realpath(file))])) {
      judgeList(folder, 'folder', whyOpen);
      warnings.push(...judgeAccess(folder, await stat(folder)));
    }
    const readable = process.getuid !== undefined && (found.mode & 0o004) !== 0;
    return { text: await handle.readFile('utf8'), readable, warnings };
  } catch (error) {
    if (error instanceof ArError) throw error;
    if (isAbsent(error) && !required) return undefined;
    throw unreadable(file, error);
  } finally {
    await handle?.close();
  }
}

/**
 * Whoever can change the configuration of an agent that runs as root can do what root can.
 *
 * A manager's own file is writable by the manager's group (root:wazuh 0660 in a folder with 0770), so
 * a group gets a warning; everybody, and an owner who is neither root nor us, are refused.
 */
function judgeAccess(path: string, found: Stats): string[] {
  const own = process.getuid?.();
  // Windows has no such bits; there the access list decides.
  if (own === undefined) return [];
  const sticky = found.isDirectory() && (found.mode & stickyBit) !== 0;
  if ((found.mode & 0o002) !== 0 && !sticky) {
    throw unusable(path, 'can be written by everybody', `Run: chmod o-w ${path}`);
  }
  const foreign = found.uid !== 0 && found.uid !== own;
  if (foreign && found.isFile()) {
    throw unusable(path, `belongs to the user ${found.uid}`, `Run: chown root ${path}`);
  }
  if (foreign) return [`${path} belongs to the user ${found.uid}, who can replace what is in it`];
  if ((found.mode & 0o020) !== 0 && !sticky) {
    return [`${path} can be written by the group ${found.gid}, which can thereby do what root can`];
  }
  return [];
}

function judgeList(path: string, kind: 'file' | 'folder', whyOpen: WhyOpen | undefined): void {
  const why = whyOpen?.(path, kind);
  if (why === undefined) return;
  throw unusable(
    path,
    why,
    `Give it to administrators alone: icacls "${path}" /setowner *S-1-5-32-544, then icacls "${path}" /inheritance:r /grant *S-1-5-18:F *S-1-5-32-544:F`,
  );
}

function tellsSecret(file: string): string {
  return `${file} holds a secret and can be read by everybody; run chmod o-r ${file}, or put the secret into a file of its own (url_file, token_file, password_file)`;
}

function isAbsent(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

function unreadable(file: string, cause: unknown): ArError {
  const why = isAbsent(cause) ? 'does not exist' : `cannot be read (${codeOf(cause) ?? cause})`;
  return new ArError('config-invalid', `${file} ${why}`, 'Name a file that can be read.', {
    cause,
  });
}

function unusable(file: string, why: string, hint: string): ArError {
  return new ArError('config-invalid', `${file} ${why}`, hint);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
