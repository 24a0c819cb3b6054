/**
 * Tells the service manager that started us how we are: sd_notify(3). Where there is none, nothing is
 * told, and the C library is not loaded.
 */
import { loadLibc } from './libc.ts';

export interface ServiceManager {
  /** What was asked for is so. From now on it is told in time that we are alive, if it wants to know. */
  ready(status: string): void;
  stopping(): void;
}

/** What says so in the environment; programs that are started do not get it. */
interface Told {
  /** A path, or an abstract address with `@` in front. */
  readonly address: string;
  /** How long it waits for a sign of life; absent: for ever. */
  readonly watchdogMs?: number | undefined;
}

type Environment = Record<string, string | undefined>;

/**
 * `onTrouble`: it could not be told. That is tried again with the next sign of life; who hears nothing
 * for too long starts us anew.
 */
export function findServiceManager(onTrouble: (error: unknown) => void): ServiceManager {
  const told = toldBy(process.env, process.pid);
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) delete process.env[name];
  if (told === undefined) return { ready: () => {}, stopping: () => {} };
  const { address, watchdogMs } = told;
  const tell = (...lines: string[]): void => {
    try {
      loadLibc().tell(address, lines.join('\n'));
    } catch (error) {
      onTrouble(error);
    }
  };
  let signs: NodeJS.Timeout | undefined;
  return {
    ready: (status) => {
      tell('READY=1', `STATUS=${status}`);
      // From the event loop: where that hangs, there is none. Half the time is what sd_watchdog_enabled(3) asks for.
      if (watchdogMs !== undefined) signs = setInterval(tell, watchdogMs / 2, 'WATCHDOG=1').unref();
    },
    stopping: () => {
      clearInterval(signs);
      tell('STOPPING=1');
    },
  };
}

/** What `environment` says to the process `pid`. */
export function toldBy(environment: Environment, pid: number): Told | undefined {
  const { NOTIFY_SOCKET: address = '', WATCHDOG_USEC: wait, WATCHDOG_PID: whom } = environment;
  // Others (vsock) are for whole machines.
  if (!/^[/@]./.test(address)) return undefined;
  const microseconds = Number(wait);
  const isForUs = whom === undefined || whom === '' || whom === String(pid);
  const isWanted = isForUs && Number.isSafeInteger(microseconds) && microseconds > 0;
  return { address, ...(isWanted ? { watchdogMs: microseconds / 1_000 } : {}) };
}
