import type { FoundEffect } from '../../platform/driver.ts';
import type { Adoption, Instance } from '../words.ts';
import type { DeskStages } from './desk.ts';

/** An effect without an owner and without an end of its own is held this long. */
const adoptedForMs = 86_400_000;

/** What is written down for an effect that stands and that no action explains. */
export function adoption(
  { clock, responseOf }: DeskStages,
  instance: Instance,
  { target, expiresInMs, memory }: FoundEffect,
  forGood: boolean,
): Adoption {
  return {
    response: responseOf(instance.driver),
    target,
    memory,
    instance,
    deadlineAt: forGood ? undefined : clock.now() + (expiresInMs ?? adoptedForMs),
    reason: 'found on this machine without a journal entry',
  };
}
