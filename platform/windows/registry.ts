/** The registry of Windows, as reg.exe prints it: keys and values are never translated, messages are. */
import type { CommandStep, StepResult } from '../step.ts';
import { saidOf } from './answers.ts';

export interface RegistryKey {
  /** As it is printed, from `HKEY_LOCAL_MACHINE` on. */
  readonly path: string;
  readonly values: readonly RegistryValue[];
}

export interface RegistryValue {
  readonly name: string;
  /** `REG_SZ`, `REG_DWORD` … */
  readonly type: string;
  readonly data: string;
}

export type RegistryAnswer =
  | { readonly there: 'yes'; readonly keys: readonly RegistryKey[] }
  | { readonly there: 'no' }
  | { readonly there: 'unknown'; readonly why: string };

/** Asks for a key and everything below it. */
export function askTree(key: string): CommandStep {
  return { kind: 'command', tool: 'reg', args: ['query', key, '/s'] };
}

/** reg ends with 1 for a key that is not there, and for one that may not be read. */
export function readTree(result: StepResult | undefined, root: string): RegistryAnswer {
  if (result?.failure === 'exit' && result.exitCode === 1) return { there: 'no' };
  if (result === undefined || result.failure !== undefined) {
    return { there: 'unknown', why: `reg query ${root}: ${saidOf(result)}` };
  }
  const keys: { path: string; values: RegistryValue[] }[] = [];
  for (const line of result.stdout.split(/\r?\n/)) {
    const [, name, type, data] = valueLine.exec(line) ?? [];
    if (name !== undefined && type !== undefined && data !== undefined) {
      keys.at(-1)?.values.push({ name, type, data });
    } else if (/^HKEY_[A-Z_]+(\\|$)/.test(line)) keys.push({ path: line, values: [] });
  }
  return keys.length === 0
    ? { there: 'unknown', why: `reg query ${root}: printed no key` }
    : { there: 'yes', keys };
}

const valueLine = /^ {4}(.*?) {4}(REG_[A-Z_]+) {4}(.*)$/;

/** The key below `root` with this path, whatever its letters. */
export function keyAt(
  keys: readonly RegistryKey[],
  root: string,
  below: string,
): RegistryKey | undefined {
  const path = fullPath(`${root}\\${below}`).toLowerCase();
  return keys.find((key) => key.path.toLowerCase() === path);
}

/** The number in a REG_DWORD; undefined where there is none of that name. */
export function numberIn(key: RegistryKey | undefined, name: string): number | undefined {
  const found = key?.values.find((value) => value.name.toLowerCase() === name.toLowerCase());
  if (found?.type !== 'REG_DWORD' || !/^0x[0-9a-f]{1,8}$/i.test(found.data)) return undefined;
  return Number(found.data);
}

function fullPath(path: string): string {
  return path.replace(/^HKLM\\/, 'HKEY_LOCAL_MACHINE\\');
}
