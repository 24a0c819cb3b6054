import { existsSync } from 'node:fs';
import { isSystem, type System, systems } from '../../platform/system.ts';
import { ArError } from '../errors.ts';

/** Where things are when nothing else is said. docs/platforms.md has them as a table. */
export interface DefaultPaths {
  readonly configFile: string;
  /** Holds the journal; only the agent has access. */
  readonly stateFolder: string;
  readonly socket: string;
  readonly activeResponsesLog: string;
  /** Where people's own responses lie. */
  readonly scriptsFolder: string;
}

/** Settings whose default is another one on another system. */
export interface PathSettings {
  readonly managerHome: string;
  readonly hostsDenyFile: string;
  readonly blockFolder: string;
  readonly quarantineFolder: string;
  readonly dbusSocket: string;
}

/** What the rest follows from. */
interface Places {
  /** For what people write: the configuration, and responses of their own. */
  readonly settings: string;
  readonly state: string;
  /** For what is gone after a restart of the machine. */
  readonly run: string;
  readonly managerHome: string;
  readonly blockFolder?: string;
  /** Where it is not in a folder of `run`. */
  readonly socket?: string;
  /** In the manager's home. */
  readonly managerLogs?: string;
  readonly logs?: string;
}

/** hier(7) of each BSD; on macOS only /Library and /var can be written to, and `/` cannot. */
const bsd = { state: '/var/db/ar-exec', run: '/var/run', managerHome: '/var/ossec' };
const places: Readonly<Record<System, Places>> = {
  linux: {
    settings: '/etc/ar-exec',
    state: '/var/lib/ar-exec',
    run: '/run',
    managerHome: '/var/ossec',
  },
  freebsd: { settings: '/usr/local/etc/ar-exec', ...bsd },
  dragonfly: { settings: '/usr/local/etc/ar-exec', ...bsd },
  openbsd: { settings: '/etc/ar-exec', ...bsd },
  netbsd: { settings: '/etc/ar-exec', ...bsd },
  darwin: {
    settings: '/Library/Application Support/ar-exec',
    state: '/Library/Application Support/ar-exec/state',
    run: '/var/run',
    managerHome: '/Library/Ossec',
    blockFolder: '/Library/Application Support/ar-exec/ipblock',
  },
  win32: {
    settings: `${programData()}/ar-exec`,
    state: `${programData()}/ar-exec/state`,
    run: '//./pipe',
    socket: '\\\\.\\pipe\\ar-exec',
    managerHome: 'C:/Program Files (x86)/ossec-agent',
    managerLogs: 'active-response',
    blockFolder: `${programData()}/ar-exec/ipblock`,
    logs: `${programData()}/ar-exec/logs`,
  },
};

/** Windows names it; with slashes, which it takes as well. */
function programData(): string {
  return (process.env['ProgramData'] ?? 'C:/ProgramData').replaceAll('\\', '/');
}

/** Where pkgsrc keeps configurations; it counts where it is. */
const pkgsrcSettings = '/usr/pkg/etc/ar-exec';

/** The operating system that this runs on. Throws `config-invalid` on one that ar-exec does not know. */
export function currentSystem(platform: string = process.platform): System {
  if (isSystem(platform)) return platform;
  throw new ArError(
    'config-invalid',
    `ar-exec does not know the system ${platform}`,
    `It runs on ${Object.values(systems).join(', ')}.`,
  );
}

/** The default paths of an operating system. A manager's folders are used where there is one. */
export function defaultPaths(
  platform: string = process.platform,
  exists: (path: string) => boolean = existsSync,
): DefaultPaths {
  const system = currentSystem(platform);
  const { state, run, managerHome, logs = '/var/log/ar-exec' } = places[system];
  const settings =
    system === 'netbsd' && exists(pkgsrcSettings) ? pkgsrcSettings : places[system].settings;
  const managerLogs = `${managerHome}/${places[system].managerLogs ?? 'logs'}`;
  const managerScripts = `${managerHome}/active-response/bin`;
  const logFolder = exists(managerLogs) ? managerLogs : logs;
  return {
    configFile: `${settings}/ar-exec.conf`,
    stateFolder: state,
    socket: places[system].socket ?? `${run}/ar-exec/ar-exec.sock`,
    activeResponsesLog: `${logFolder}/active-responses.log`,
    scriptsFolder: exists(managerScripts) ? managerScripts : `${settings}/responses`,
  };
}

/** The defaults of settings that are paths, on an operating system. */
export function pathSettings(system: System = currentSystem()): PathSettings {
  const { state, run, managerHome, blockFolder = '/ipblock' } = places[system];
  return {
    managerHome,
    hostsDenyFile: '/etc/hosts.deny',
    blockFolder,
    quarantineFolder: `${state}/quarantine`,
    dbusSocket: `${run}/dbus/system_bus_socket`,
  };
}
