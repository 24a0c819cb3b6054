/**
 * How a file of one's own is started on Windows: by its ending, each kind by its interpreter's full path.
 *
 * cmd.exe reads a command line in its own way, and again what the batch file does with its arguments: no
 * quoting keeps `&` or `%` from being commands there (CVE-2024-27980; docs/drivers/script.md). So a batch file
 * is only given words that have nothing in them that cmd.exe knows; `-` stands for any other.
 */
import { extname } from 'node:path';
import { foldCase } from '../../../platform/windows/names.ts';

export const scriptKinds = ['.exe', '.cmd', '.bat', '.ps1', '.py'] as const;
type Kind = (typeof scriptKinds)[number];

export interface ScriptCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** The arguments are the command line as it stands: nobody else quotes them. */
  readonly verbatim: boolean;
}

/** Letters, digits and marks of any script, and of the others those that mean nothing to cmd.exe. */
const harmless = /^[\p{L}\p{N}\p{M}_.:/\\@+#~-]+$/u;

export function isScriptKind(ending: string): ending is Kind {
  return scriptKinds.some((kind) => kind === ending);
}

/**
 * `windows` is its folder (`C:\Windows`). The second word of a script is the account that it is about:
 * it is never exchanged for another one.
 *
 * Returns why it cannot be started, where it cannot.
 */
export function scriptCommand(
  path: string,
  words: readonly string[],
  windows: string,
): ScriptCommand | { readonly refused: string } {
  const kind = extname(foldCase(path));
  const plain = (program: string, args: readonly string[]): ScriptCommand => ({
    program,
    args: [...args, ...words],
    verbatim: false,
  });
  switch (isScriptKind(kind) ? kind : undefined) {
    case '.exe':
      return plain(path, []);
    case '.ps1':
      return powershell(path, words, windows);
    case '.py':
      return plain(`${windows}\\py.exe`, ['-3', path]);
    case '.cmd':
    case '.bat':
      return batchCommand(path, words, windows);
    case undefined:
      return { refused: `${path} is none of the kinds that can be run: ${scriptKinds.join(', ')}` };
  }
}

/** It takes the longer dashes for the short one: with none of them does a word begin that is no option. */
function powershell(path: string, words: readonly string[], windows: string): ScriptCommand {
  return {
    program: `${windows}\\System32\\WindowsPowerShell\\v1.0\\powershell.exe`,
    args: [
      '-NoLogo',
      '-NoProfile',
      '-NonInteractive',
      // What came from elsewhere (mark of the web) has to be signed; a policy of the domain wins.
      '-ExecutionPolicy',
      'RemoteSigned',
      '-File',
      path,
      ...words.map((word) => (/^[\u2013-\u2015]/.test(word) ? '-' : word)),
    ],
    verbatim: false,
  };
}

function batchCommand(
  path: string,
  words: readonly string[],
  windows: string,
): ScriptCommand | { readonly refused: string } {
  if (/["%!^\p{Cc}]/u.test(path)) {
    return { refused: `${path} has a character in its name that cmd.exe reads as something else` };
  }
  const user = words[1];
  if (user !== undefined && !isHarmless(user)) {
    return {
      refused: 'the name of the account has characters that cmd.exe could take for a command',
    };
  }
  const line = [path, ...words.map((word) => (isHarmless(word) ? word : '-'))]
    .map((word) => `"${word}"`)
    .join(' ');
  return {
    program: `${windows}\\System32\\cmd.exe`,
    // No AutoRun, extensions as they are by default, no `!`, and of the quotes only the outer ones go.
    args: ['/d', '/e:on', '/v:off', '/s', '/c', `"${line}"`],
    verbatim: true,
  };
}

/** A backslash at the end would hide the quote behind it from programs that the batch file starts. */
function isHarmless(word: string): boolean {
  return harmless.test(word) && !word.endsWith('\\');
}
