/** The local node of Open Directory of a simulated Mac. */
import type { Parts } from './simulator.ts';

export interface SimUser {
  readonly uid: number;
  readonly gid: number;
  /** Values of AuthenticationAuthority, in their order. */
  readonly authority: string[];
}

export interface SimDirectory {
  readonly users: Record<string, SimUser>;
  /** Members of com.apple.access_disabled; absent: there is no such group. */
  disabled?: string[];
}

export function directoryOf(parts: Parts): SimDirectory {
  const known = parts['directory'] as SimDirectory | undefined;
  const directory = known ?? { users: {} };
  parts['directory'] = directory;
  return directory;
}
