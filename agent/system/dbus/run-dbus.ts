import type { DbusCall, DbusStep, StepResult } from '../../../platform/step.ts';
import { usualDeadlineMs } from '../deadline.ts';
import type { Bus } from './bus.ts';
import { BusError } from './connection.ts';
import type { Read } from './wire.ts';

/** A bus allows a connection 128 calls without an answer (dbus-daemon(1), max_replies_per_connection). */
const atOnce = 16;

const failures = { missing: 'missing', refused: 'exit', timeout: 'timeout', lost: 'io' } as const;

/**
 * Makes the calls of a step, some at a time, in their order. One that is refused does not keep the
 * others from being made; without an answer no more are made.
 */
export async function runDbus(step: DbusStep, bus: Bus): Promise<StepResult> {
  const until = performance.now() + (step.deadlineMs ?? usualDeadlineMs);
  const make = (call: DbusCall): Promise<readonly Read[]> => {
    const left = Math.ceil(until - performance.now());
    if (left <= 0) throw new BusError('timeout', `${step.destination}: no time was left`);
    const { destination, path, interface: name } = step;
    return bus.call({ destination, path, interface: name, ...call }, left);
  };
  try {
    const { first } = step;
    if (first !== undefined && isEmpty(await make(first.ifEmpty))) {
      return { exitCode: 0, stdout: JSON.stringify([await make(first.call)]), stderr: '' };
    }
    return await makeAll(step, make);
  } catch (error) {
    return failed(error);
  }
}

async function makeAll(
  { calls, alreadySo = [] }: DbusStep,
  make: (call: DbusCall) => Promise<readonly Read[]>,
): Promise<StepResult> {
  const answers: (readonly Read[])[] = calls.map(() => []);
  let refused: unknown;
  let over: unknown;
  let next = 0;
  const work = async (): Promise<void> => {
    while (over === undefined && next < calls.length) {
      const index = next;
      next += 1;
      try {
        answers[index] = await make(calls[index] as DbusCall);
      } catch (error) {
        if (!isRefusal(error)) over ??= error;
        else if (!alreadySo.some((text) => error.message.startsWith(text))) refused ??= error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, calls.length) }, work));
  const error = over ?? refused;
  if (error !== undefined) return failed(error);
  return { exitCode: 0, stdout: JSON.stringify(answers), stderr: '' };
}

function isEmpty([list]: readonly Read[]): boolean {
  return Array.isArray(list) && list.length === 0;
}

function isRefusal(error: unknown): error is BusError {
  return error instanceof BusError && error.kind === 'refused';
}

function failed(error: unknown): StepResult {
  const failure = error instanceof BusError ? failures[error.kind] : 'io';
  const said = error instanceof Error ? error.message : String(error);
  return { failure, stdout: '', stderr: said.slice(0, 2_000) };
}
