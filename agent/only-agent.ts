import { ArError } from './errors.ts';
import { ask } from './intake/client.ts';
import { reach } from './reach.ts';

const probeMs = 1_000;
const probes = 10;

/** Throws `agent-running` where somebody listens on the socket already. */
export async function refuseSecondAgent(socket: string): Promise<void> {
  if (!(await isListenedOn(socket))) return;
  throw new ArError(
    'agent-running',
    `an agent answers on ${socket} already`,
    'Stop it first, or name another socket with --socket and another state folder with --state.',
  );
}

/**
 * An agent that is too busy to answer in time is one all the same. But what an agent was starting when
 * it was killed has its socket until it has become another program, and answers nothing: as long as
 * that can be, nobody knows yet what it is going to do, and it is waited for.
 */
async function isListenedOn(socket: string): Promise<boolean> {
  for (let tries = 0; tries < probes; tries += 1) {
    try {
      await reach(socket, () => ask(socket, { command: 'status' }, probeMs));
      return true;
    } catch (error) {
      if (error instanceof ArError && error.code === 'agent-untrusted') throw error;
      // Without a cause in the system the connection was made.
      if (!(error instanceof ArError) || error.cause !== undefined) return false;
    }
  }
  return true;
}
