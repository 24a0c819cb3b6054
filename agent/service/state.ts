/** Whether the agent is a service of this machine, and whether that runs. Changes nothing. */
import { existsSync } from 'node:fs';
import type { Runner } from '../../platform/step.ts';
import type { Unix } from '../../platform/system.ts';
import { defaultPaths } from '../config/default-paths.ts';
import { launchdLabel } from './files.ts';
import { layoutOf } from './layout.ts';

export interface ServiceState {
  readonly installed: boolean;
  readonly running: boolean;
}

export async function stateOnUnix(
  system: Unix,
  run: Runner,
  exists: (path: string) => boolean = existsSync,
): Promise<ServiceState> {
  const { serviceFile } = layoutOf(system, defaultPaths(system, exists));
  if (!exists(serviceFile)) return { installed: false, running: false };
  const [tool = '', ...args] = asking(system, serviceFile);
  const { failure } = await run({ kind: 'command', tool, args });
  return { installed: true, running: failure === undefined };
}

/** Each ends with 0 if it runs, and with something else if not. */
function asking(system: Unix, serviceFile: string): readonly string[] {
  switch (system) {
    case 'linux':
      return ['systemctl', 'is-active', 'ar-exec.service'];
    case 'openbsd':
      return ['rcctl', 'check', 'ar_exec'];
    case 'darwin':
      return ['launchctl', 'print', `system/${launchdLabel}`];
    default:
      return [serviceFile, 'onestatus'];
  }
}
