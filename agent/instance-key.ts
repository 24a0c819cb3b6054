import type { Instance } from './words.ts';

/** One text for an instance, whatever the order of its settings: the same for two that are the same. */
export function instanceKey({ driver, settings }: Instance): string {
  return JSON.stringify([driver, Object.entries(settings).sort()]);
}
