import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Driver, Memory } from '../../platform/driver.ts';
import type { Runner } from '../../platform/step.ts';
import type { UserTarget } from '../../platform/target.ts';
import { users } from '../sim/account-machine.ts';

/** A carrier with a memory, as the journal is. */
export function remembering(driver: Driver<UserTarget>, { run }: { readonly run: Runner }) {
  const memories = new Map<string, Memory>();
  const preExisting: string[] = [];
  const one = createCarrier(driver as Driver, run, (found) => {
    for (const { target, memory, preExisting: was } of found) {
      memories.set(target.text, memory);
      if (was) preExisting.push(target.text);
    }
  });
  const effects = (names: readonly string[]) =>
    users(names).map((target) => ({ target, memory: memories.get(target.text) }));
  return {
    memories,
    preExisting,
    disable: (names: readonly string[]) => one.apply(effects(names)),
    giveBack: (names: readonly string[]) => one.revert(effects(names)),
  };
}
