import { existsSync } from 'node:fs';
import { isSystem, type System, systems } from '../../platform/system.ts';
import { ArError } from '../errors.ts';

/** Where things are when nothing else is said. */
export interface DefaultPaths {
  readonly configFile: string;
  /** Holds the journal; only the agent has access. */
  readonly stateFolder: string;
  readonly socket: string;
  readonly activeResponsesLog: string;
  /** Where people's own responses lie. */
  readonly scriptsFolder: string;
}

/** Where a manager's agent keeps its logs, and reads active-responses.log from. */
const managerLogs = '/var/ossec/logs';
/** Where a manager's agent keeps its responses. */
const managerScripts = '/var/ossec/active-response/bin';

/** The operating system that this runs on. Throws `config-invalid` on one that ar-exec does not know. */
export function currentSystem(platform: string = process.platform): System {
  if (isSystem(platform)) return platform;
  throw new ArError(
    'config-invalid',
    `ar-exec does not know the system ${platform}`,
    `It runs on ${Object.values(systems).join(', ')}.`,
  );
}

/** The default paths of an operating system. A manager's log folder is used where there is one. */
export function defaultPaths(
  platform: string = process.platform,
  exists: (path: string) => boolean = existsSync,
): DefaultPaths {
  if (platform !== 'linux') {
    throw new ArError(
      'config-invalid',
      `ar-exec has no default paths for ${platform}`,
      'Run it on Linux, the only system that it knows so far.',
    );
  }
  const logFolder = exists(managerLogs) ? managerLogs : '/var/log/ar-exec';
  return {
    configFile: '/etc/ar-exec/ar-exec.conf',
    stateFolder: '/var/lib/ar-exec',
    socket: '/run/ar-exec/ar-exec.sock',
    activeResponsesLog: `${logFolder}/active-responses.log`,
    scriptsFolder: exists(managerScripts) ? managerScripts : '/etc/ar-exec/responses',
  };
}
