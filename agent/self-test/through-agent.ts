/** Asks the running agent for each response that acts on addresses, and has it take them back. */
import { kindsOn } from '../../platform/index.ts';
import { currentSystem } from '../config/default-paths.ts';
import { describeError } from '../errors.ts';
import { type ResponseDefinition, responses } from '../policy/responses.ts';
import type { ActionReply, OutcomeReply } from '../reply.ts';
import { samples, type Trial } from './try-driver.ts';

/** Asks the agent; rejects with the ArError that it answers with. */
export type AskAgent = <Reply>(request: object) => Promise<Reply>;

/** Should this process be killed, the agent takes them back by itself. */
const timeoutSeconds = 60;

/**
 * A response is tried with an address of each family. `now` is in milliseconds. Rejects with
 * `agent-unreachable` where no agent answers.
 */
export async function testThroughAgent(ask: AskAgent, now: () => number): Promise<Trial[]> {
  const held = await holdings(ask);
  const addresses = samples
    .map(({ text }) => text)
    .filter((text) => !text.includes('/') && !held.some(({ target }) => target === text));
  const trials: Trial[] = [];
  for (const { name } of responsesHere()) {
    for (const address of addresses) trials.push(await tryResponse(name, address, ask, now));
  }
  return trials;
}

function responsesHere(): readonly ResponseDefinition[] {
  const { drivers } = kindsOn(currentSystem());
  return responses.filter(
    ({ target, stateful, drivers: able }) =>
      target === 'address' && stateful && drivers.some(({ name }) => able.includes(name)),
  );
}

async function tryResponse(
  response: string,
  srcip: string,
  ask: AskAgent,
  now: () => number,
): Promise<Trial> {
  const named = { response, srcip, reason: 'ar-exec self-test', by: 'ar-exec self-test' };
  let driver = response;
  const times: { addMs?: number; verifyMs?: number; removeMs?: number } = {};
  const since = (from: number): number => Math.round((now() - from) * 10) / 10;
  try {
    const begun = now();
    const made = await ask<OutcomeReply>({ id: 1, command: 'add', timeoutSeconds, ...named });
    times.addMs = since(begun);
    driver = `${response} (${made.driver})`;
    const looked = now();
    const stands = (await holdings(ask)).some(
      ({ action, state }) => action === made.action && state === 'active',
    );
    times.verifyMs = since(looked);
    const taking = now();
    await ask({ id: 1, command: 'delete', ...named });
    times.removeMs = since(taking);
    const left = (await holdings(ask)).some(({ action }) => action === made.action);
    const outcome = stands && !left ? 'works' : 'failed';
    const why = left
      ? 'it is still held'
      : stands
        ? `held and let go of ${srcip}`
        : 'it is not held';
    return { driver, outcome, why, targets: [srcip], ...times };
  } catch (error) {
    const { code, message } = describeError(error);
    if (code === 'agent-unreachable') throw error;
    // What is not there, or not wanted here, is no fault of it.
    const outcome = passedOver.includes(code) ? 'skipped' : 'failed';
    return { driver, outcome, why: message, targets: [srcip], ...times };
  }
}

const passedOver: readonly string[] = ['driver-unavailable', 'target-protected'];

async function holdings(ask: AskAgent): Promise<readonly ActionReply[]> {
  const reply = await ask<{ actions: readonly ActionReply[] }>({
    id: 1,
    command: 'list',
    history: false,
    limit: 100_000,
  });
  return reply.actions;
}
