import { ArError } from './errors.ts';
import { holdAgent } from './hold-agent.ts';
import { unreachable } from './intake/client.ts';

/**
 * Connects to the agent at `path` with `talk`, once it is known that it is the agent. Throws
 * `agent-untrusted`, `agent-unreachable`, and what `talk` throws.
 */
export async function reach<Result>(path: string, talk: () => Promise<Result>): Promise<Result> {
  const held = await holdAgent(path);
  if ('untrusted' in held) throw untrusted(path, held.untrusted);
  if ('code' in held) {
    const { code } = held;
    throw unreachable(path, code, Object.assign(new Error(code), { code }));
  }
  try {
    return await talk();
  } finally {
    held.release();
  }
}

function untrusted(path: string, why: string): ArError {
  return new ArError(
    'agent-untrusted',
    `who listens on ${path} is not taken for the agent: that pipe ${why}`,
    'Find out which program made it and end it, then start the agent: nothing was said to it.',
  );
}
