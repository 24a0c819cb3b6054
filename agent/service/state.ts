/** Whether the agent is a service of this machine, and whether that runs. Changes nothing. */
import { existsSync } from 'node:fs';
import type { Runner } from '../../platform/step.ts';
import type { Unix } from '../../platform/system.ts';
import { defaultPaths } from '../config/default-paths.ts';
import { launchdLabel } from './files.ts';
import { type Layout, layoutOf } from './layout.ts';
import { managerOf, managers } from './linux.ts';

export interface ServiceState {
  readonly installed: boolean;
  readonly running: boolean;
}

export async function stateOnUnix(
  system: Unix,
  run: Runner,
  exists: (path: string) => boolean = existsSync,
): Promise<ServiceState> {
  const layout = layoutOf(system, defaultPaths(system, exists), undefined, managerOf(exists));
  if (!exists(layout.serviceFile)) return { installed: false, running: false };
  const [tool = '', ...args] = asking(layout);
  const { failure } = await run({ kind: 'command', tool, args });
  return { installed: true, running: failure === undefined };
}

/** Each ends with 0 if it runs, and with something else if not. */
function asking({ system, manager, serviceFile }: Layout): readonly string[] {
  switch (system) {
    case 'linux':
      return managers[manager].asking;
    case 'openbsd':
      return ['rcctl', 'check', 'ar_exec'];
    case 'darwin':
      return ['launchctl', 'print', `system/${launchdLabel}`];
    default:
      return [serviceFile, 'onestatus'];
  }
}
