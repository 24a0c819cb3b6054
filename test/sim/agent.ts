/** The agent's own work, from a request to the journal, on a machine whose tools are simulated. */
import { type Composed, compose } from '../../agent/compose.ts';
import { readConfig } from '../../agent/config/read.ts';
import type { FlowsEnded } from '../../agent/engine/flow-ender.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import type { Request } from '../../agent/words.ts';
import type { Runner } from '../../platform/step.ts';
import type { System } from '../../platform/system.ts';

export interface SimAgentOptions {
  readonly system: System;
  /** The folder of its journal. */
  readonly state: string;
  readonly run: Runner;
  /** What stands in its `<ar-exec>`. */
  readonly settings?: string;
  readonly flowsEnded?: (result: FlowsEnded) => void;
}

/** Resolves when journal and machine agree. */
export async function startSimAgent(options: SimAgentOptions): Promise<Composed> {
  const { system, state, run, settings = '', flowsEnded = () => {} } = options;
  const text = `<ossec_config><ar-exec>${settings}</ar-exec></ossec_config>`;
  const agent = await compose({
    config: readConfig(text, 'f', knownNames).config,
    state,
    system,
    report: {
      refused: () => {},
      outcome: () => {},
      repaired: () => {},
      trouble: () => {},
      flowsEnded,
    },
    adornments: { runner: () => run },
  });
  await agent.flow.recover({ adopt: agent.journal.isNew });
  return agent;
}

/** What is held stays. */
export async function stopSimAgent({ flow, journal }: Composed): Promise<void> {
  await flow.stop({ revert: false });
  journal.close();
}

/** Asks as a person would. */
export function askSimAgent(
  { flow }: Composed,
  request: Pick<Request, 'verb' | 'response'> & Partial<Request>,
): ReturnType<Composed['flow']['accept']> {
  return flow.accept({ origin: { dialect: 'native' }, ...request });
}

/** Steps of these kinds, and no others: what a test is not about cannot be used there. */
export function stepsOf(run: () => Runner, ...kinds: readonly string[]): Runner {
  return async (step) =>
    kinds.includes(step.kind)
      ? run()(step)
      : { failure: 'io', stdout: '', stderr: `no ${step.kind} here` };
}
