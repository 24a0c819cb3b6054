/**
 * A tool that acts on nothing but its standard input can be started before there is work for it: it
 * waits in its first read. Starting a process is most of what a single block costs.
 *
 * When the agent dies, such a tool reads an empty input, does nothing and ends.
 */
import type { Child } from './child.ts';

export interface Standby {
  /** The process that waits for this key, if there is one. */
  take(key: string): Child | undefined;
  /** Has one wait for this key, once what is going on now is over. */
  prepare(key: string, start: () => Child): void;
}

export function createStandby(): Standby {
  const waiting = new Map<string, Child>();
  const planned = new Set<string>();

  const add = (key: string, start: () => Child): void => {
    planned.delete(key);
    if (waiting.has(key)) return;
    const child = start();
    waiting.set(key, child);
    hold(child, false);
    // It is not supposed to end; if somebody ended it, nobody must be given it.
    void child.then(() => {
      if (waiting.get(key) === child) waiting.delete(key);
    });
  };

  return {
    take: (key) => {
      const child = waiting.get(key);
      if (child === undefined) return undefined;
      waiting.delete(key);
      hold(child, true);
      return child;
    },
    prepare: (key, start) => {
      if (planned.has(key)) return;
      planned.add(key);
      // Two turns of the event loop: the reply that waits for this result goes out first.
      setImmediate(() => setImmediate(() => add(key, start)));
    },
  };
}

/** Whether this process has to stay alive for the child. */
function hold(child: Child, held: boolean): void {
  const handles = [child.nodeChildProcess, child.stdin, child.stdout, child.stderr];
  for (const handle of handles as unknown as { ref?(): void; unref?(): void }[]) {
    if (held) handle.ref?.();
    else handle.unref?.();
  }
}
