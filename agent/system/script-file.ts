import { constants, type Stats } from 'node:fs';
import { access, type FileHandle, lstat, open, realpath, stat } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { checkWindowsScript } from './windows/script-file.ts';

/** What a look at a script before each run came to. */
export type ScriptFile =
  | {
      readonly fit: true;
      /** Its path without links. */
      readonly path: string;
      /** It is a shell script that asks for `$1`. */
      readonly takesWords: boolean;
    }
  | { readonly fit: false; readonly kind: 'absent' | 'untrusted'; readonly why: string };

/** So much of a script is looked at for how it takes its arguments. */
const headBytes = 64 * 1024;
const writableByOthers = 0o022;
const stickyBit = 0o1000;

/**
 * Looks whether an executable may be run: whoever can change it, or put another in its place, can do
 * what the agent can, and that must be nobody but root and the agent's own user.
 *
 * `file` has to be a plain file name. The interpreter that a `#!` line names is not looked at.
 */
export async function checkScriptFile(folder: string, file: string): Promise<ScriptFile> {
  // Windows has no such numbers, and modes there say nothing.
  if (process.getuid === undefined) return checkWindowsScript(folder, file);
  let handle: FileHandle | undefined;
  try {
    const realFolder = await realpath(folder);
    const inTheWay = await judgeFolders(realFolder);
    if (inTheWay !== undefined) return untrusted(inTheWay);
    const path = await realpath(join(realFolder, file));
    if (dirname(path) !== realFolder) {
      return untrusted(`${join(folder, file)} is a link that leads out of its folder, to ${path}`);
    }
    // Without O_NONBLOCK, opening a named pipe would wait for somebody to write to it.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    handle = await open(path, flags);
    const found = await handle.stat();
    const wrong = await judgeFile(path, found);
    if (wrong !== undefined) return untrusted(wrong);
    const text = await readHead(handle);
    const now = await lstat(path);
    if (now.ino !== found.ino || now.dev !== found.dev) {
      return untrusted(`${path} was replaced while it was looked at`);
    }
    return { fit: true, path, takesWords: takesWords(text) };
  } catch (error) {
    return refusal(join(folder, file), error);
  } finally {
    await handle?.close();
  }
}

/** Whoever can rename a folder on the way can put another one in its place. */
async function judgeFolders(folder: string): Promise<string | undefined> {
  const { root } = parse(folder);
  for (let path = folder; ; path = dirname(path)) {
    const found = await stat(path);
    // In a folder with this bit only the owner of a file may rename it; the last one holds the files.
    const sticky = path !== folder && (found.mode & stickyBit) !== 0;
    const wrong = judgeOwner(path, found) ?? (sticky ? undefined : judgeMode(path, found));
    if (wrong !== undefined || path === root) return wrong;
  }
}

async function judgeFile(path: string, found: Stats): Promise<string | undefined> {
  if (!found.isFile()) return `${path} is not a regular file`;
  const executable = (found.mode & 0o111) !== 0 && (await isExecutable(path));
  if (!executable) return `${path} is not executable`;
  return judgeOwner(path, found) ?? judgeMode(path, found);
}

function judgeOwner(path: string, { uid }: Stats): string | undefined {
  if (uid === 0 || uid === process.getuid?.()) return undefined;
  return `${path} belongs to the user ${uid}, neither root nor the agent's own`;
}

function judgeMode(path: string, { mode }: Stats): string | undefined {
  return (mode & writableByOthers) === 0
    ? undefined
    : `${path} can be written by its group or by everybody (mode ${(mode & 0o7777).toString(8)})`;
}

function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

async function readHead(handle: FileHandle): Promise<string> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
  return buffer.subarray(0, bytesRead).toString('latin1');
}

/**
 * Scripts of the old kind take all they need as arguments; those of the new kind never had any. In a
 * shell an argument that is not asked for does nothing; elsewhere it may (perl's `<>` opens it as a
 * file), so only shell scripts that ask for `$1` are given some.
 */
function takesWords(text: string): boolean {
  return /^#![^\n]*\b(ba|da|k|z|a|mk)?sh\b/.test(text) && /\$\{?1\b/.test(text);
}

function untrusted(why: string): ScriptFile {
  return { fit: false, kind: 'untrusted', why };
}

function refusal(path: string, error: unknown): ScriptFile {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return { fit: false, kind: 'absent', why: `there is no ${path}` };
  }
  return untrusted(`${path} cannot be looked at (${code})`);
}
