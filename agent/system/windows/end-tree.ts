import { listProcesses, openProcess } from './processes.ts';

/**
 * Ends a process and all that descends from it. A number can be another's by now: what was started before
 * the one that seems to have started it is no child of it.
 */
export function endTree(pid: number): void {
  const all = listProcesses();
  const root = all.find((one) => one.pid === pid);
  if (root === undefined) return;
  const family = [root];
  for (const parent of family) {
    const children = all.filter(
      (one) => one.parent === parent.pid && one.started >= parent.started,
    );
    family.push(...children.filter((one) => !family.includes(one)));
  }
  for (const one of family) {
    const handle = openProcess(one.pid);
    if (handle === undefined) continue;
    try {
      if (handle.started === one.started) handle.end();
    } catch {
      // It may have ended, or be another's: its pipes are given up all the same.
    } finally {
      handle.close();
    }
  }
}
