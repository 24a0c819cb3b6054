/**
 * Ends connections that stand, by removing pf's states: a packet that belongs to one meets no rule.
 *
 * `pfctl -k X` ends the states that X has begun. Those that this machine has begun need `-k 0.0.0.0/0
 * -k X`, which ends nothing on FreeBSD 15 (its pfctl writes the second address over the first), so they
 * are looked for and ended by their number, which OpenBSD and FreeBSD know. pfctl of macOS knows no
 * numbers, and takes two addresses.
 */
import type { FlowPlan, FlowsRead, PlanFlows } from '../flows.ts';
import type { CommandStep, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { pfctl, said, worked } from './pf-commands.ts';
import { isUnloaded } from './pf-enforcement.ts';
import { type FoundState, statesIn } from './pf-state-listing.ts';

/** Each is a process of about 3 ms. */
const killsAtMost = 1_000;

/** OpenBSD, FreeBSD. */
export const planStatesByNumber: PlanFlows = (all) =>
  look(all, pfctl(['-vv', '-s', 'states']), (found) => {
    const begun = sourcesOf(found);
    const numbers = found.flatMap(({ id, byTarget }) =>
      byTarget || id === undefined ? [] : [pfctl(['-k', 'id', '-k', id])],
    );
    return [...begun.map(({ text }) => pfctl(['-k', text])), ...numbers];
  });

/** macOS. */
export const planStatesByAddress: PlanFlows = (all) =>
  look(all, pfctl(['-s', 'states']), (found) => {
    const begun = sourcesOf(found).map(({ text }) => pfctl(['-k', text]));
    const others = found.filter(({ byTarget }) => !byTarget).map(({ target }) => target);
    return [...begun, ...unique(others).map(towards)];
  });

/** OpenBSD does not take 0/0. */
function towards({ family, text }: AddressTarget): CommandStep {
  return pfctl(['-k', family === 4 ? '0.0.0.0/0' : '::/0', '-k', text]);
}

function look(
  all: readonly AddressTarget[],
  listing: CommandStep,
  plan: (found: readonly FoundState[]) => CommandStep[],
): FlowPlan {
  // A block of everything ends by itself whatever it ends.
  const targets = all.filter(({ prefixLength }) => prefixLength > 0);
  return {
    steps: targets.length === 0 ? [] : [listing],
    asks: true,
    read: ([listed]) => {
      if (listed === undefined) return nothing;
      if (!worked(listed)) return isWithoutPf(listed) ? nothing : trouble(said(listed));
      const kills = plan(statesIn(listed.stdout, targets));
      const some = kills.slice(0, killsAtMost);
      const left = kills.length - some.length;
      return {
        ...(left > 0
          ? trouble(`more connections than can be ended at once, ${left} left`)
          : nothing),
        ...(some.length === 0 ? {} : { next: { steps: some, read: readKills } }),
      };
    },
  };
}

const nothing: FlowsRead = { sockets: 0, flows: 0, troubles: [] };

function trouble(why: string): FlowsRead {
  return { ...nothing, troubles: [`pfctl: ${why.replace(/^pfctl: /, '')}`] };
}

/** Where pf is not loaded there are no states. */
function isWithoutPf(result: StepResult): boolean {
  return result.failure === 'missing' || isUnloaded(result);
}

function readKills(results: readonly StepResult[]): FlowsRead {
  const troubles = new Set<string>();
  let flows = 0;
  for (const result of results) {
    if (!worked(result)) troubles.add(`pfctl: ${said(result).replace(/^pfctl: /, '')}`);
    flows += Number(/^killed (\d+) states/m.exec(result.stderr)?.[1] ?? 0);
  }
  return { sockets: 0, flows, troubles: [...troubles] };
}

function sourcesOf(found: readonly FoundState[]): AddressTarget[] {
  return unique(found.filter(({ byTarget }) => byTarget).map(({ target }) => target));
}

function unique(targets: readonly AddressTarget[]): AddressTarget[] {
  return [...new Map(targets.map((target) => [target.text, target])).values()];
}
