/**
 * `ar.conf`, the file in which a manager tells its agents what the names in its messages stand for
 * (Wazuh source: src/analysisd/config.c writes it, src/os_execd/exec.c reads it).
 *
 *     firewall-drop600 - firewall-drop - 600
 *     name             - executable    - seconds, 0 for no end
 */
import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { quote } from './place.ts';

export interface ArConfEntry {
  readonly name: string;
  readonly executable: string;
  /** 0: held until deleted. */
  readonly timeoutSeconds: number;
}

export interface ArConfText {
  /** In the order of the file; a name can come more than once, for one system each. */
  readonly entries: readonly ArConfEntry[];
  /** What is not taken, and why. */
  readonly remarks: readonly { readonly line: number; readonly message: string }[];
}

const separator = ' - ';
/** Upstream cuts them there. */
const longestName = 256;
const remarksAtMost = 20;
const longestFileBytes = 4 * 1024 * 1024;

export function parseArConf(text: string): ArConfText {
  const entries: ArConfEntry[] = [];
  const remarks: { line: number; message: string }[] = [];
  for (const [index, row] of text.split('\n').entries()) {
    const line = row.replace(/\r$/, '');
    if (line.trim() === '' || line.startsWith('#')) continue;
    const read = parseLine(line);
    if (typeof read !== 'string') entries.push(read);
    else if (remarks.length < remarksAtMost) remarks.push({ line: index + 1, message: read });
  }
  return { entries, remarks };
}

/** What a line says, or why it is not taken. */
function parseLine(line: string): ArConfEntry | string {
  const [name = '', executable = '', seconds] = line.split(separator);
  if (seconds === undefined) return `it is not NAME - EXECUTABLE - SECONDS: ${quote(line)}`;
  const trimmed = executable.trim();
  if (name === '' || trimmed === '') return `a name is missing: ${quote(line)}`;
  if (name.startsWith('!')) return `a name cannot begin with "!": ${quote(name)}`;
  if (trimmed.includes('/') || trimmed.includes('\\') || trimmed.startsWith('.')) {
    return `an executable is a plain name, no path: ${quote(trimmed)}`;
  }
  const digits = /^\s*(\d+)/.exec(seconds)?.[1];
  if (digits === undefined) return `the timeout is no number of seconds: ${quote(seconds)}`;
  return { name: name.slice(0, longestName), executable: trimmed, timeoutSeconds: Number(digits) };
}

/** Tells a version of a file from another one; undefined when there is none. */
export async function arConfMark(file: string): Promise<string | undefined> {
  const found = await lstat(file, { bigint: true }).catch(() => undefined);
  return found === undefined
    ? undefined
    : `${found.dev}:${found.ino}:${found.size}:${found.mtimeNs}:${found.ctimeNs}`;
}

/**
 * Whoever writes it is the manager's agent, which may not read what root may: so no link is followed.
 * Rejects when it is there and cannot be read.
 */
export async function readArConf(file: string): Promise<string> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const handle = await open(file, flags);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Error('it is not a regular file');
    if (found.size > longestFileBytes) throw new Error(`it has ${found.size} bytes`);
    return await handle.readFile('utf8');
  } finally {
    await handle.close();
  }
}
