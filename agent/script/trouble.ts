import { ArError } from '../errors.ts';
import type { ScriptEnd } from '../system/run-script.ts';
import { printable } from './keys.ts';

const longest = 300;

/** What went wrong with a run, with the last that the script said; undefined when all went well. */
export function describeTrouble({ failure, why, stdout, stderr }: ScriptEnd): string | undefined {
  if (failure === undefined) return undefined;
  const said = lastLine(stderr) ?? lastLine(stdout);
  return `${why ?? failure}${said === undefined ? '' : `: ${said}`}`;
}

/** The error for a script that could not even be started. */
export function notStarted(response: string, { failure, why }: ScriptEnd): ArError {
  if (failure === 'untrusted') {
    return new ArError(
      'script-untrusted',
      `${response} is not run: ${why}`,
      'Let root own it and its folders, and nobody else write to them.',
    );
  }
  const code = failure === 'missing' ? 'driver-unavailable' : 'driver-failed';
  return new ArError(code, `${response} cannot be run: ${why}`, 'Nothing was done.');
}

function lastLine(text: string): string | undefined {
  const line = text.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return line === '' ? undefined : printable(line.slice(0, longest));
}
