import type { FlowPlan, PlanFlows } from '../../platform/flows.ts';
import type { Runner, Step, StepResult } from '../../platform/step.ts';
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
  /** Looks no more, and resolves when what came in is done. */
  close(): Promise<void>;
}

export interface FlowEnderOptions {
  readonly plan: PlanFlows;
  readonly run: Runner;
  ended(result: FlowsEnded): void;
  /** When it looks again, each counted from the look before; what it was told by default. */
  readonly pausesMs?: readonly number[];
}

/** It is best effort: what does not come about in this time is left. */
const roundMs = 30_000;
/** So many addresses in one go; more wait, and beyond that some are left as they are. */
const atOnce = 4_096;
const waitingAtMost = 65_536;
/**
 * The inner side of a connection through this machine sends again what was not acknowledged, for the
 * first time after 0.2 s or more (RFC 6298, Linux), and the kernel remembers the connection anew.
 */
const defaultPausesMs = [300, 1_000, 3_000, 10_000];

/** What a plan came to, and those whose connections may come back. */
type Ended = Omit<FlowsEnded, 'addresses'> & { readonly again: readonly AddressTarget[] };

interface Look {
  readonly target: AddressTarget;
  /** How many looks there were before. */
  readonly before: number;
}

export function createFlowEnder(options: FlowEnderOptions): FlowEnder {
  const { plan, run, ended, pausesMs = defaultPausesMs } = options;
  const waiting = new Map<string, Look>();
  const pauses = new Set<NodeJS.Timeout>();
  let left = 0;
  let closed = false;
  let working: Promise<void> | undefined;

  const add = (targets: readonly Target[], before: number): void => {
    for (const target of targets) {
      if (target.kind !== 'address') continue;
      const known = waiting.get(target.text);
      if (known === undefined && waiting.size >= waitingAtMost) left += 1;
      else waiting.set(target.text, { target, before: Math.min(before, known?.before ?? before) });
    }
    if (waiting.size > 0) working ??= work();
  };

  const work = async (): Promise<void> => {
    // Whoever waits for a reply comes first, and what was done together is ended together.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.size > 0) await round();
    working = undefined;
  };

  const round = async (): Promise<void> => {
    const looks = [...waiting.values()].slice(0, atOnce);
    const targets = looks.map(({ target }) => target);
    for (const { text } of targets) waiting.delete(text);
    const { again, ...result } = await carryOut(plan(targets), run).catch(failed);
    lookAgain(looks, again);
    const overflow = left > 0 ? [`${left} addresses came in too fast`] : [];
    left = 0;
    const troubles = [...result.troubles, ...overflow];
    const isNews = result.sockets + result.flows + troubles.length > 0;
    if (isNews || looks.some(({ before }) => before === 0))
      ended({ ...result, addresses: targets.length, troubles });
  };

  /** At those that had connections, and on at those that had some when it looked first. */
  const lookAgain = (looks: readonly Look[], had: readonly AddressTarget[]): void => {
    if (closed) return;
    const before = new Map(looks.map((look) => [look.target.text, look.before]));
    const on = looks.filter((look) => look.before > 0).map(({ target }) => target);
    const next = new Map([...on, ...had].map((target) => [target.text, target]));
    const byCount = Map.groupBy(next.values(), ({ text }) => (before.get(text) ?? 0) + 1);
    for (const [count, targets] of byCount) {
      const pauseMs = pausesMs[count - 1];
      if (pauseMs === undefined) continue;
      const pause = setTimeout(() => {
        pauses.delete(pause);
        add(targets, count);
      }, pauseMs);
      pauses.add(pause);
    }
  };

  return {
    end: (targets) => add(targets, 0),
    close: async () => {
      closed = true;
      for (const pause of pauses) clearTimeout(pause);
      pauses.clear();
      await working;
    },
  };
}

function failed(error: unknown): Ended {
  return { sockets: 0, flows: 0, troubles: [String(error)], again: [] };
}

/** What would be done, where that can be found out without doing anything. */
export async function flowSteps(plan: FlowPlan, run: Runner): Promise<readonly Step[]> {
  if (plan.asks !== true) return [];
  const results: StepResult[] = [];
  for (const step of plan.steps) results.push(await run(step));
  return plan.read(results).next?.steps ?? [];
}

async function carryOut(plan: FlowPlan, run: Runner): Promise<Ended> {
  const until = performance.now() + roundMs;
  const troubles = new Set<string>();
  const again = new Map<string, AddressTarget>();
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
    for (const target of read.again ?? []) again.set(target.text, target);
    part = read.next;
  }
  return { sockets, flows, troubles: [...troubles], again: [...again.values()] };
}
