/** The agent as a service of Windows: `ar-exec.exe run --service`, as the service control manager starts it. */
import { posix } from 'node:path';
import { defaultPaths } from '../config/default-paths.ts';
import { type Agent, startAgent } from '../daemon.ts';
import { ArError, describeError, errorCodes, exitStatus } from '../errors.ts';
import { createEventEntries, type EventEntries } from '../observe/event-entries.ts';
import { serviceName } from '../service/windows/layout.ts';
import { openEventLog } from '../system/windows/event-log.ts';
import {
  connectToServiceControl,
  type ServiceControl,
  type ServiceState,
} from '../system/windows/service-control.ts';
import { version } from '../version.ts';
import { type CommonFlags, placesOf } from './agent.ts';

/** A state that takes its time is told again and again, or the service counts as hanging. */
const tellEveryMs = 2_000;
const longestLog = 20 * 1_048_576;

/** Resolves when the agent has stopped. */
export async function runService(flags: CommonFlags): Promise<void> {
  const entries = createEventEntries(openEventLog(serviceName), () => performance.now());
  let agent: Agent | undefined;
  let stop: () => void = () => {};
  const stopAsked = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const control = await connectToServiceControl(serviceName, (wanted) => {
    if (wanted === 'stop') stop();
    else void agent?.hangUp();
  });
  process.on('uncaughtExceptionMonitor', (error) => entries.failed(describeError(error).message));
  try {
    agent = await during('starting', control, () => start(flags, entries));
  } catch (error) {
    entries.failed(describeError(error).message);
    process.exit(statusOf(error, control));
  }
  control.tell('running');
  entries.started(`The agent runs, version ${version}, process ${process.pid}.`);
  await stopAsked;
  const { stop: end } = agent;
  await during('stopping', control, end);
  entries.stopped();
  control.tell('stopped');
  // Nothing that could still be open is of use to anybody.
  process.exit(exitStatus.ok);
}

function start(flags: CommonFlags, entries: EventEntries): Promise<Agent> {
  const folder = posix.dirname(defaultPaths().configFile);
  return startAgent(
    placesOf(flags),
    {},
    {
      logFile: `${folder}/logs/ar-exec.log`,
      log: { onError: entries.trouble, rotateBytes: longestLog },
    },
  );
}

async function during<T>(
  state: ServiceState,
  control: ServiceControl,
  work: () => Promise<T>,
): Promise<T> {
  control.tell(state);
  const timer = setInterval(() => control.tell(state), tellEveryMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** Which of them another try does not help; the unit of systemd has the same. */
const final: readonly number[] = [exitStatus.refused, exitStatus.config];

/**
 * A service that says that it has stopped is left in peace. One that ends without a word has failed, and
 * is started again.
 */
function statusOf(error: unknown, control: ServiceControl): number {
  const status = error instanceof ArError ? errorCodes[error.code] : exitStatus.internal;
  if (final.includes(status)) control.tell('stopped', status);
  return status;
}
