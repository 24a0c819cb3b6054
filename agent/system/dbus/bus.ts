/** The system's message bus: one connection, opened when it is needed, and watched over. */
import type { DbusWatch, WatchEvent } from '../../../platform/driver.ts';
import { BusError, type Connection, openConnection } from './connection.ts';
import type { Call, Incoming } from './message.ts';
import type { Read } from './wire.ts';

export interface Bus {
  /** Opens the connection if there is none. Rejects with a BusError, within the deadline. */
  call(call: Call, deadlineMs: number): Promise<readonly Read[]>;
  /**
   * Calls `onEvent` when one of the signals comes, when the service begins or ends (`gone`), and when
   * any of that may have been missed. The function that it returns ends it.
   */
  watch(watch: DbusWatch, onEvent: (event: WatchEvent['kind']) => void): () => void;
}

interface Watcher {
  readonly watch: DbusWatch;
  readonly onEvent: (event: WatchEvent['kind']) => void;
  /** The connection that now has the service's name: only its signals count. */
  owner: string;
}

/** Where the system's bus listens (D-Bus specification, "Well-known Message Bus Instances"). */
export const systemBusSocket = '/run/dbus/system_bus_socket';

/** Nobody has asked for anything for so long: the connection is closed. */
const idleMs = 10_000;
const watchCallMs = 20_000;
const firstPauseMs = 200;
const longestPauseMs = 10_000;
const driver = 'org.freedesktop.DBus';

export function createBus(path: string): Bus {
  let opening: Promise<Connection> | undefined;
  let idle: NodeJS.Timeout | undefined;
  let calls = 0;
  let pauseMs = firstPauseMs;
  let again: NodeJS.Timeout | undefined;
  const watchers = new Set<Watcher>();

  const open = (): Promise<Connection> => {
    if (opening !== undefined) return opening;
    const mine = openConnection(path);
    opening = mine;
    const forget = (): void => {
      if (opening === mine) opening = undefined;
    };
    mine.then((connection) => {
      connection.onSignal((signal) => hear(signal));
      void connection.closed.then(() => {
        forget();
        if (watchers.size > 0) watchAgain();
      });
    }, forget);
    return mine;
  };

  const rest = (): void => {
    clearTimeout(idle);
    if (calls > 0 || watchers.size > 0) return;
    idle = setTimeout(() => {
      void opening?.then((connection) => connection.close(), ignore);
    }, idleMs);
    idle.unref();
  };

  const call: Bus['call'] = async (wish, deadlineMs) => {
    const until = performance.now() + deadlineMs;
    calls += 1;
    clearTimeout(idle);
    try {
      const connection = await within(open(), deadlineMs, path);
      return await connection.call(wish, Math.max(1, until - performance.now()));
    } finally {
      calls -= 1;
      rest();
    }
  };

  const hear = (signal: Incoming): void => {
    for (const watcher of watchers) {
      const event = eventOf(watcher, signal);
      if (event !== undefined) watcher.onEvent(event);
    }
  };

  const begin = async (watcher: Watcher): Promise<void> => {
    for (const rule of rulesOf(watcher.watch)) {
      await call(toDriver('AddMatch', rule), watchCallMs);
    }
    try {
      const [owner] = await call(toDriver('GetNameOwner', watcher.watch.service), watchCallMs);
      watcher.owner = String(owner);
    } catch (error) {
      if (!(error instanceof BusError) || error.kind !== 'missing') throw error;
      watcher.owner = '';
    }
  };

  /** The bus is not there, or was not for a while: what was missed nobody knows. */
  const watchAgain = (): void => {
    clearTimeout(again);
    again = setTimeout(() => {
      const all = [...watchers];
      void Promise.all(all.map(begin)).then(() => {
        pauseMs = firstPauseMs;
        for (const { onEvent, owner } of all) onEvent(owner === '' ? 'gone' : 'changed');
      }, watchAgain);
    }, pauseMs);
    again.unref();
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  };

  return {
    call,
    watch: (watch, onEvent) => {
      const watcher: Watcher = { watch, onEvent, owner: '' };
      watchers.add(watcher);
      begin(watcher).catch(watchAgain);
      return () => {
        watchers.delete(watcher);
        if (watchers.size === 0) clearTimeout(again);
        rest();
      };
    },
  };
}

function eventOf(watcher: Watcher, signal: Incoming): WatchEvent['kind'] | undefined {
  const { service, signals } = watcher.watch;
  if (signal.sender === driver && signal.member === 'NameOwnerChanged') {
    const [name, , owner] = signal.body;
    if (name !== service) return undefined;
    watcher.owner = String(owner);
    return watcher.owner === '' ? 'gone' : 'changed';
  }
  if (signal.sender !== watcher.owner) return undefined;
  const isIt = signals.some(
    (one) =>
      one.path === signal.path &&
      one.interface === signal.interface &&
      one.member === signal.member,
  );
  return isIt ? 'changed' : undefined;
}

function rulesOf({ service, signals }: DbusWatch): string[] {
  const owner = `type='signal',sender='${driver}',interface='${driver}',member='NameOwnerChanged',arg0='${service}'`;
  return [
    owner,
    ...signals.map(
      (one) =>
        `type='signal',sender='${service}',path='${one.path}',interface='${one.interface}',member='${one.member}'`,
    ),
  ];
}

function toDriver(member: string, arg: string): Call {
  const path = '/org/freedesktop/DBus';
  return { destination: driver, path, interface: driver, member, signature: 's', args: [arg] };
}

/** A bus that takes the connection and says nothing must not hold up whoever asks. */
async function within<T>(wish: Promise<T>, deadlineMs: number, path: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new BusError('timeout', `D-Bus on ${path}: no answer within ${deadlineMs} ms`));
    }, deadlineMs);
  });
  try {
    return await Promise.race([wish, late]);
  } finally {
    clearTimeout(timer);
  }
}

function ignore(): void {
  // There is nothing to close.
}
