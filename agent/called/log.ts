/**
 * active-responses.log as an executable of a manager's agent writes it: lines go out one by one, as
 * things happen, each with one write at the end of the file, so that those of several executables never
 * mix. Where it cannot be written, the work goes on, as upstream's does.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { defaultPaths } from '../config/default-paths.ts';
import { timestamp } from '../observe/manager-lines.ts';
import type { Called } from './name.ts';

export interface CallLog {
  /** A line with the time and the program before it. What it ends with itself stays. */
  line(text: string | Uint8Array): void;
  /** A line as it is. */
  plain(text: string): void;
}

export function createCallLog(file: string, { program, home }: Called): CallLog {
  const append = (...parts: readonly (string | Uint8Array)[]): void => {
    try {
      const descriptor = openLog(file);
      try {
        const bytes = Buffer.concat(parts.map((part) => Buffer.from(part as string)));
        writeSync(descriptor, home === undefined ? bytes : withCarriageReturns(bytes));
      } finally {
        closeSync(descriptor);
      }
    } catch {
      // There is nobody to tell: standard error is closed, and the reply is about the response.
    }
  };
  return {
    line: (text) => append(`${timestamp(new Date())} ${program}: `, text, '\n'),
    plain: (text) => append(`${text}\n`),
  };
}

/**
 * Which file. Upstream's executables write to the folder of the agent that they lie in; a configured
 * one comes first. The configuration is not understood here, which would take longer than all the rest
 * of a call: undefined = it may name a file in a way that only a full reading of it finds out.
 */
export function logFile({ program, home: windowsHome }: Called): string | undefined {
  const named = process.env['AR_EXEC_ACTIVE_RESPONSES_LOG'];
  if (named !== undefined && named !== '') return named;
  const paths = defaultPaths();
  const configured = configuredLog(process.env['AR_EXEC_CONFIG'] || paths.configFile);
  if (configured !== 'none') return configured;
  if (windowsHome !== undefined) return `${windowsHome}/active-response/active-responses.log`;
  const home = /^(.*)\/active-response\/bin\/[^/]*$/.exec(resolve(program))?.[1];
  if (home !== undefined && isFolder(join(home, 'logs'))) {
    return join(home, 'logs', 'active-responses.log');
  }
  return paths.activeResponsesLog;
}

function configuredLog(config: string): string | 'none' | undefined {
  let text: string;
  try {
    text = readFileSync(config, 'utf8');
  } catch {
    return 'none';
  }
  const said = text.replace(/<!--[\s\S]*?-->/g, '');
  if (!said.includes('active_responses_log')) return 'none';
  const found = said.match(/<active_responses_log>[^<&]*<\/active_responses_log>/g) ?? [];
  const [only] = found;
  if (only === undefined || found.length > 1 || said.includes('<![CDATA[')) return undefined;
  return only.replace(/<[^>]*>/g, '').trim();
}

/** Upstream's C library ends lines so on Windows. A line that came over a pipe may have it already. */
function withCarriageReturns(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(/\r?\n/g, '\r\n'), 'latin1');
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function openLog(file: string): number {
  try {
    return openSync(file, constants.O_WRONLY | constants.O_APPEND);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const folder = dirname(file);
  mkdirSync(folder, { recursive: true, mode: 0o750 });
  const descriptor = openSync(file, 'a', 0o640);
  // The manager's agent reads it as a user of its own, by the group that its log folder has.
  fchmodSync(descriptor, 0o640);
  fchownSync(descriptor, process.getuid?.() ?? 0, statSync(folder).gid);
  return descriptor;
}
