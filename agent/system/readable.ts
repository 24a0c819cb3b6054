import { readable } from './libc.ts';

const drains = new Set<() => void>();
let listening = false;

/**
 * Calls `drain` when one of the sockets that signal this process (libc.ts) may have something to read:
 * a signal does not say which. The function that it returns ends it.
 */
export function onReadable(drain: () => void): () => void {
  drains.add(drain);
  if (!listening) {
    listening = true;
    // Once, for all sockets.
    process.on(readable, () => {
      for (const one of [...drains]) one();
    });
  }
  return () => {
    drains.delete(drain);
  };
}
