import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { foldCase, isPlainName, isSamePath } from '../../../platform/windows/names.ts';
import { isOurselves } from '../ourselves.ts';
import type { ScriptFile } from '../script-file.ts';
import { type Harm, readAccess, whyUntrusted } from './acl.ts';
import { isScriptKind, scriptKinds } from './script-command.ts';

/**
 * Looks whether an executable may be run on Windows: whoever can change it, or put another in its place,
 * can do what the agent can. That must be nobody but Windows, its administrators and the agent's own
 * account: by the owner and the access list of the file, its folder, and all folders above.
 */
export async function checkWindowsScript(folder: string, file: string): Promise<ScriptFile> {
  const named = join(folder, file);
  if (!isPlainName(file)) return untrusted(`${file} is no plain name of a file`);
  try {
    const realFolder = await realpath(folder);
    const path = await realpath(named);
    if (!isSamePath(dirname(path), realFolder)) {
      return untrusted(`${named} is a link that leads out of its folder, to ${path}`);
    }
    if (!isSamePath(basename(path), file)) return untrusted(`${named} is another name of ${path}`);
    const found = await lstat(path);
    if (!found.isFile()) return untrusted(`${path} is not a regular file`);
    if (await isOurselves(path)) return untrusted(`${path} is ar-exec itself, and no script`);
    if (!isScriptKind(extname(foldCase(path)))) {
      return untrusted(`${path} is none of the kinds that can be run: ${scriptKinds.join(', ')}`);
    }
    const why = judge(path, ['content', 'place']) ?? judgeFolders(realFolder);
    return why === undefined ? { fit: true, path, takesWords: false } : untrusted(why);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? String(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return { fit: false, kind: 'absent', why: `there is no ${named}` };
    }
    return untrusted(`${named} cannot be looked at (${code})`);
  }
}

/** Programs load libraries from their own folder: nobody may add any. Above, none may be exchanged. */
function judgeFolders(folder: string): string | undefined {
  let harms: readonly Harm[] = ['content', 'place'];
  for (let path = folder; ; path = dirname(path)) {
    const isRoot = dirname(path) === path;
    // Nobody deletes or renames a drive; that people may add to it is usual.
    const why = isRoot ? undefined : judge(path, harms);
    if (why !== undefined || isRoot) return why;
    harms = ['place'];
  }
}

function judge(path: string, harms: readonly Harm[]): string | undefined {
  const why = whyUntrusted(readAccess(path), harms);
  return why === undefined ? undefined : `${path} ${why}`;
}

function untrusted(why: string): ScriptFile {
  return { fit: false, kind: 'untrusted', why };
}
