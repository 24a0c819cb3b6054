import type { System } from '../../platform/system.ts';
import { loadLibc } from './libc.ts';

/**
 * Capabilities that no response needs (capabilities(7)); the unit for systemd takes the same away, this
 * is for whoever starts the agent otherwise. What is started by it does not have them either.
 */
const unneeded = {
  CAP_SYS_RAWIO: 17,
  CAP_SYS_PACCT: 20,
  CAP_SYS_BOOT: 22,
  CAP_SYS_TIME: 25,
  CAP_MAC_OVERRIDE: 32,
  CAP_MAC_ADMIN: 33,
  CAP_WAKE_ALARM: 35,
  CAP_BLOCK_SUSPEND: 36,
} as const;

/** Gives up what is not needed; the names of what could be. Never throws. */
export function giveUpRights(system: System): string[] {
  if (system !== 'linux') return [];
  try {
    const { giveUp } = loadLibc();
    return Object.entries(unneeded).flatMap(([name, number]) => (giveUp(number) ? name : []));
  } catch {
    // A Node that calls no native code; the agent works all the same.
    return [];
  }
}
