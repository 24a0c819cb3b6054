import type { Step, StepResult } from './step.ts';
import type { AddressTarget } from './target.ts';

/** What came of a part of a plan, and the part that follows from it. */
export interface FlowsRead {
  /** Sockets of this machine that were ended. */
  readonly sockets: number;
  /** Entries of the kernel's table of connections that were removed. */
  readonly flows: number;
  /** Why something could not be ended, in words that fit a log line. */
  readonly troubles: readonly string[];
  /** Those that had entries in that table, which the kernel may remember anew. */
  readonly again?: readonly AddressTarget[];
  readonly next?: FlowPlan;
}

/** A part of what ends connections that stand: steps, and a pure function that reads their results. */
export interface FlowPlan {
  readonly steps: readonly Step[];
  /** The steps change nothing: what follows from their results can be shown beforehand. */
  readonly asks?: boolean;
  /** `results` may be fewer than the steps, when there was no time for the rest. Never throws. */
  read(results: readonly StepResult[]): FlowsRead;
}

/** Plans how connections with these addresses are ended, in both directions, forwarded ones too. */
export type PlanFlows = (targets: readonly AddressTarget[]) => FlowPlan;
