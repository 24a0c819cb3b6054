import { join } from 'node:path';
import type { ScriptStep } from '../../platform/step.ts';
import { type Command, jsonLine, type Subject, wcsLine } from './message.ts';
import type { Manner, Script } from './settings.ts';
import { wordsOf } from './words.ts';

const upstreamFolder = '/active-response/bin';

/** One run of a script, as data. `run` marks its processes; `deadlineMs` is its time limit. */
export function planRun(
  script: Script,
  manner: Manner,
  subject: Subject,
  { verb, run, deadlineMs }: { verb: 'add' | 'delete'; run: string; deadlineMs: number },
): ScriptStep {
  const takesWords = manner.dialect === 'argv' || manner.wordsForShell;
  const line = lineFor(script, manner, subject, verb);
  return {
    kind: 'script',
    folder: script.folder,
    file: script.file,
    ...placeOf(script, manner),
    words: takesWords ? wordsOf(script, subject, verb) : [],
    wordsFor: manner.wordsForShell ? 'shell' : 'every-file',
    ...(line === undefined ? {} : { line }),
    // Taking back asks nothing: the action is known.
    handshake: verb === 'delete' ? 'none' : manner.handshake,
    deadlineMs,
    run,
  };
}

/** The line for a command in the dialect of a run; scripts that take arguments read nothing. */
export function lineFor(
  script: Script,
  { dialect }: Manner,
  subject: Subject,
  command: Command,
): string | undefined {
  if (dialect === 'argv') return undefined;
  return dialect === 'wcs' ? wcsLine(script, subject, command) : jsonLine(script, subject, command);
}

/**
 * In a manager's folder a script finds itself as upstream starts it: in the manager's home, by a
 * relative name (a decoder looks for it in the log), or by its whole path where it takes arguments.
 */
function placeOf(
  { folder, file }: Script,
  { dialect }: Manner,
): Pick<ScriptStep, 'cwd' | 'program'> {
  const path = join(folder, file);
  if (!folder.endsWith(upstreamFolder)) return { cwd: '/', program: path };
  const home = folder.slice(0, -upstreamFolder.length) || '/';
  const relative = `active-response/bin/${file}`;
  return { cwd: home, program: dialect === 'argv' ? path : relative };
}
