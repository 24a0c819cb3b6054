/** Where the parts of an installation lie, system by system. */
import type { Unix } from '../../platform/system.ts';

/** How the program is started. */
export type Program =
  | { readonly kind: 'executable'; readonly file: string }
  /** One JavaScript file, and a command in front of it. */
  | {
      readonly kind: 'module';
      readonly file: string;
      readonly node: string;
      readonly command: string;
    };

/** What starts services on a Linux: linux.ts. `sysv` and `chkconfig` are both init(8) of System V. */
export const managerNames = ['systemd', 'openrc', 'sysv', 'chkconfig'] as const;
export type Manager = (typeof managerNames)[number];

export interface Layout {
  readonly system: Unix;
  /** Of Linux; the other systems have one each. */
  readonly manager: Manager;
  readonly program: Program;
  /** The unit, rc.d script or property list. */
  readonly serviceFile: string;
  /** Holds the socket, and where the service has them, process numbers. */
  readonly runFolder: string;
  readonly stateFolder: string;
  readonly configFolder: string;
  readonly rotation: Rotation;
}

/** Who rotates logs: a file of our own, or lines in the one file that there is. */
export interface Rotation {
  readonly by: 'logrotate' | 'newsyslog';
  readonly file: string;
  readonly shared: boolean;
}

/** The folders that the fixed paths of an installation are in. */
interface Folders {
  readonly module: string;
  readonly commands: string;
  readonly serviceFile: string;
  readonly rotation: Rotation;
}

/** FreeBSD's newsyslog.conf includes what is in that folder, and macOS' what is in its own. */
const folders: Readonly<Record<Unix, Folders>> = {
  linux: {
    module: '/usr/local/lib/ar-exec',
    commands: '/usr/local/bin',
    serviceFile: '/etc/systemd/system/ar-exec.service',
    rotation: { by: 'logrotate', file: '/etc/logrotate.d/ar-exec', shared: false },
  },
  freebsd: {
    module: '/usr/local/libexec',
    commands: '/usr/local/bin',
    serviceFile: '/usr/local/etc/rc.d/ar_exec',
    rotation: {
      by: 'newsyslog',
      file: '/usr/local/etc/newsyslog.conf.d/ar-exec.conf',
      shared: false,
    },
  },
  dragonfly: {
    module: '/usr/local/libexec',
    commands: '/usr/local/bin',
    serviceFile: '/usr/local/etc/rc.d/ar_exec',
    rotation: { by: 'newsyslog', file: '/etc/newsyslog.conf', shared: true },
  },
  openbsd: {
    module: '/usr/local/libexec',
    commands: '/usr/local/bin',
    serviceFile: '/etc/rc.d/ar_exec',
    rotation: { by: 'newsyslog', file: '/etc/newsyslog.conf', shared: true },
  },
  netbsd: {
    module: '/usr/pkg/libexec',
    commands: '/usr/pkg/bin',
    serviceFile: '/etc/rc.d/ar_exec',
    rotation: { by: 'newsyslog', file: '/etc/newsyslog.conf', shared: true },
  },
  // /usr/local belongs to whoever installed Homebrew, and what root runs must not.
  darwin: {
    module: '/Library/Application Support/ar-exec/bin',
    commands: '/Library/Application Support/ar-exec/bin',
    serviceFile: '/Library/LaunchDaemons/org.ar-exec.agent.plist',
    rotation: { by: 'newsyslog', file: '/etc/newsyslog.d/ar-exec.conf', shared: false },
  },
};

/** Where a system's packages put Node. */
export const usualNode: Readonly<Record<Unix, string>> = {
  linux: '/usr/bin/node',
  freebsd: '/usr/local/bin/node',
  dragonfly: '/usr/local/bin/node',
  openbsd: '/usr/local/bin/node',
  netbsd: '/usr/pkg/bin/node',
  darwin: '/usr/local/bin/node',
};

export interface Paths {
  readonly configFile: string;
  readonly stateFolder: string;
  readonly socket: string;
}

/** `node` runs the program; absent: the program is an executable. */
export function layoutOf(
  system: Unix,
  paths: Paths,
  node?: string,
  manager: Manager = 'systemd',
): Layout {
  const { module, commands, serviceFile, rotation } = folders[system];
  const command = `${commands}/ar-exec`;
  return {
    system,
    manager,
    program:
      node === undefined
        ? { kind: 'executable', file: command }
        : { kind: 'module', file: `${module}/ar-exec.mjs`, node, command },
    serviceFile: system === 'linux' && manager !== 'systemd' ? '/etc/init.d/ar-exec' : serviceFile,
    runFolder: folderOf(paths.socket),
    stateFolder: paths.stateFolder,
    configFolder: folderOf(paths.configFile),
    rotation,
  };
}

/** What Node, and what is in it, would do at the word of whoever starts it by hand. */
export const nodesOwn = 'NODE_OPTIONS NODE_PATH NODE_COMPILE_CACHE NODE_V8_COVERAGE OPENSSL_CONF';

/** What starts the program: the command line's first words. */
export function startOf(program: Program): readonly string[] {
  return program.kind === 'module' ? [program.node, program.file] : [program.file];
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}
