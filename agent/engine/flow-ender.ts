import type { FlowPlan, PlanFlows } from '../../platform/flows.ts';
import type { Runner, StepResult } from '../../platform/step.ts';
import type { AddressTarget, Target } from '../../platform/target.ts';

/** What came of ending connections with addresses that were blocked. */
export interface FlowsEnded {
  /** How many addresses and prefixes it was about. */
  readonly addresses: number;
  readonly sockets: number;
  readonly flows: number;
  readonly troubles: readonly string[];
}

/** Ends connections that stand, beside the work that is waited for. */
export interface FlowEnder {
  /** Returns at once; what comes in while it is at work is ended together. */
  end(targets: readonly Target[]): void;
  /** Resolves when there is nothing left to do. */
  idle(): Promise<void>;
}

export interface FlowEnderOptions {
  readonly plan: PlanFlows;
  readonly run: Runner;
  ended(result: FlowsEnded): void;
}

/** It is best effort: what does not come about in this time is left. */
const roundMs = 30_000;
/** So many addresses in one go; more wait, and beyond that some are left as they are. */
const atOnce = 4_096;
const waitingAtMost = 65_536;

export function createFlowEnder({ plan, run, ended }: FlowEnderOptions): FlowEnder {
  const waiting = new Map<string, AddressTarget>();
  let left = 0;
  let working: Promise<void> | undefined;

  const round = async (): Promise<void> => {
    const targets = [...waiting.values()].slice(0, atOnce);
    for (const { text } of targets) waiting.delete(text);
    const result = await carryOut(plan(targets), run).catch((error: unknown) => {
      return { sockets: 0, flows: 0, troubles: [String(error)] };
    });
    const overflow = left > 0 ? [`${left} addresses came in too fast`] : [];
    left = 0;
    ended({
      ...result,
      addresses: targets.length,
      troubles: [...result.troubles, ...overflow],
    });
  };

  const work = async (): Promise<void> => {
    // Whoever waits for a reply comes first, and what was done together is ended together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.size > 0) await round();
    working = undefined;
  };

  return {
    end: (targets) => {
      for (const target of targets) {
        if (target.kind !== 'address') continue;
        if (waiting.size >= waitingAtMost) left += 1;
        else waiting.set(target.text, target);
      }
      if (waiting.size > 0) working ??= work();
    },
    idle: async () => {
      while (working !== undefined) await working;
    },
  };
}

async function carryOut(plan: FlowPlan, run: Runner): Promise<Omit<FlowsEnded, 'addresses'>> {
  const until = performance.now() + roundMs;
  const troubles = new Set<string>();
  let sockets = 0;
  let flows = 0;
  for (let part: FlowPlan | undefined = plan; part !== undefined; ) {
    const results: StepResult[] = [];
    for (const step of part.steps) {
      if (performance.now() > until) {
        troubles.add('there was no time for all of it');
        break;
      }
      results.push(await run(step));
    }
    const read = part.read(results);
    sockets += read.sockets;
    flows += read.flows;
    for (const trouble of read.troubles) troubles.add(trouble);
    part = read.next;
  }
  return { sockets, flows, troubles: [...troubles] };
}
