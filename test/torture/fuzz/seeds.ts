import { readFileSync } from 'node:fs';

/** The inputs that a target begins with, in latin1. */
export function seedsOf(target: string): readonly string[] {
  return JSON.parse(readFileSync(new URL(`seeds/${target}.json`, import.meta.url), 'utf8'));
}
