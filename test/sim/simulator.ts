/**
 * Tools of systems that cannot run here. Each is a function from what it is told and what there is to
 * what it prints and what there is then: written from the tool's manual and from transcripts of the
 * real one (test/fixtures/transcripts), and refusing whatever it does not know.
 */

import type { System } from '../../platform/system.ts';

/** Systems whose tools differ in what they print or take. */
export type SimSystem =
  | 'freebsd13'
  | 'freebsd15'
  | 'openbsd76'
  | 'netbsd10'
  | 'dragonfly6'
  | 'macos14'
  | 'windows11';

/** Every Unix among them, and what Node calls the system that it is. */
export const simSystems = [
  ['freebsd13', 'freebsd'],
  ['freebsd15', 'freebsd'],
  ['openbsd76', 'openbsd'],
  ['netbsd10', 'netbsd'],
  ['dragonfly6', 'dragonfly'],
  ['macos14', 'darwin'],
] as const satisfies (readonly [SimSystem, System])[];

/** How it fails on purpose. A tool is named by its file name. */
export interface Switches {
  /** These never end. */
  readonly hang?: readonly string[];
  /** These are not there. */
  readonly missing?: readonly string[];
  /** Who runs everything; absent: root. */
  readonly euid?: number;
  /** What else a simulator knows by itself: `busy`, `disabled` … */
  readonly [other: string]: unknown;
}

export interface Call {
  /** What it was started as, without a folder. */
  readonly tool: string;
  readonly args: readonly string[];
  readonly stdin: string;
  readonly system: SimSystem;
  readonly switches: Switches;
  /** The text of a file of the machine; undefined: there is none. */
  readFile(path: string): string | undefined;
  writeFile(path: string, text: string): void;
}

export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** It never ends, after it has done what it did. */
  readonly hangs?: boolean;
}

/**
 * Everything that stands on the machine, by part: `pf`, `ipfw`, `npf`, `routes`, `accounts` … Several
 * tools may know the same part. It is kept as JSON; a simulator changes it in place.
 */
export type Parts = Record<string, unknown>;

export type Simulator = (call: Call, parts: Parts) => Answer;

export function answer(
  exitCode: number,
  { out = [], err = [] }: { out?: readonly string[]; err?: readonly string[] } = {},
): Answer {
  const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
  return { stdout: text(out), stderr: text(err), exitCode };
}
