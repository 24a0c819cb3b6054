/**
 * Keeps what must never be blocked from being blocked as it changes: an address that becomes this
 * machine's own, its gateway or its resolver while it is blocked is let go.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { System } from '../platform/system.ts';
import { parseTarget } from '../platform/target.ts';
import type { Composed } from './compose.ts';
import type { Reporter } from './desk/desk.ts';
import { ArError } from './errors.ts';
import type { HeldTarget } from './journal/read.ts';
import type { Protected } from './policy/guard.ts';
import { takesAddress } from './script/takes-address.ts';

export interface Lookout {
  /** Lets go of what is to be let go. Never rejects. */
  look(): Promise<void>;
  stop(): void;
}

interface LookoutOptions {
  readonly composed: Pick<Composed, 'flow' | 'journal' | 'settled' | 'breaker'>;
  readonly report: Reporter;
  onTrouble(error: unknown): void;
  readonly system: System;
}

const everyMs = 1_000;
/** Where a tool has to be asked for the gateway. */
const bySpawningEveryMs = 10_000;

/** So many are compared without a pause. */
const atATime = 2_000;
/**
 * What was let through by what was read before can be written down after the first comparison.
 */
const looksAfterChange = 3;

export function startLookout({ composed, report, onTrouble, system }: LookoutOptions): Lookout {
  const { flow, journal, settled, breaker } = composed;
  let seen = '';
  let guard: unknown;
  let looksLeft = 0;
  let looking: Promise<void> | undefined;

  const compare = async (): Promise<void> => {
    // It closes by itself when it is calm, also if nobody asks.
    breaker.state();
    if (journal.liveCount() === 0) return;
    const now = settled();
    const essentials = await now.essentials();
    const text = essentials.map(({ target, what }) => `${target.text} ${what}`).join();
    if (text !== seen || now.guard !== guard) looksLeft = looksAfterChange;
    seen = text;
    guard = now.guard;
    if (looksLeft === 0) return;
    looksLeft -= 1;
    for (const [index, one] of journal.heldTargets().entries()) {
      if (index % atATime === atATime - 1) await turn();
      const hit = protectedBy(one, essentials);
      if (hit !== undefined) await release(one, hit);
    }
  };

  const protectedBy = (one: HeldTarget, essentials: readonly Protected[]) => {
    const { guard, config } = settled();
    const guarded = one.kind === 'address' || takesAddress(config, one.response);
    const address = one.kind === 'address' ? one.target : one.srcip;
    const target = guarded && address !== null ? parseTarget(address) : undefined;
    return target === undefined ? undefined : guard.meets(target, essentials);
  };

  const release = async (one: HeldTarget, { what, target }: Protected): Promise<void> => {
    const { response } = one;
    const about = one.kind === 'address' ? { srcip: one.target } : { key: one.target };
    const reason = `${target.text} is ${what} now: it is never blocked`;
    const origin = { dialect: 'native', by: 'ar-exec', reason } as const;
    const action = journal.holder(response, one.target);
    if (action === undefined) return;
    try {
      await flow.accept({ verb: 'delete', response, ...about, origin });
      report.released?.(action, `${target.text} is ${what}`);
    } catch (error) {
      // What cannot be taken back now is tried again by itself; what went meanwhile is gone.
      if (!(error instanceof ArError) || error.code !== 'not-held') onTrouble(error);
    }
  };

  const look = (): Promise<void> => {
    looking ??= compare()
      .catch(onTrouble)
      .finally(() => {
        looking = undefined;
      });
    return looking;
  };
  const timer = setInterval(() => void look(), system === 'linux' ? everyMs : bySpawningEveryMs);
  return { look, stop: () => clearInterval(timer) };
}
