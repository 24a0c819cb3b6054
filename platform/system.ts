/** The operating systems, by the names that Node gives them (`process.platform`), and for people. */
export const systems = {
  linux: 'Linux',
  freebsd: 'FreeBSD',
  openbsd: 'OpenBSD',
  netbsd: 'NetBSD',
  dragonfly: 'DragonFly BSD',
  darwin: 'macOS',
  win32: 'Windows',
} as const;

export type System = keyof typeof systems;

/** Those with a root account, file modes and signals. */
export type Unix = Exclude<System, 'win32'>;

export const unixSystems: readonly Unix[] = Object.keys(systems).filter(isSystem).filter(isUnix);

/** Every system with a shell and root; for what is made of files and the network alone. */
export const everyUnix: readonly string[] = unixSystems.map((system) => systems[system]);

/** Where there is a network, and nothing else is needed. */
export const everySystem: readonly string[] = Object.values(systems);

export function isSystem(name: string): name is System {
  return Object.hasOwn(systems, name);
}

export function isUnix(system: System): system is Unix {
  return system !== 'win32';
}

/**
 * The longest path of a Unix socket, in bytes. sun_path has room for 108 with the closing NUL on Linux
 * (unix(7)), and for 104 on the BSDs and macOS (unix(4), sys/un.h). The name of a pipe of Windows has at
 * most 256 characters (CreateNamedPipe).
 */
export function longestSocketPath(system: System): number {
  if (system === 'win32') return 256;
  return system === 'linux' ? 107 : 103;
}
