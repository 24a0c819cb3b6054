/** The operating systems, by the names that Node gives them (`process.platform`), and for people. */
export const systems = {
  linux: 'Linux',
  freebsd: 'FreeBSD',
  openbsd: 'OpenBSD',
  netbsd: 'NetBSD',
  dragonfly: 'DragonFly BSD',
  darwin: 'macOS',
} as const;

export type System = keyof typeof systems;

/** Every system with a shell and root; for what is made of files and the network alone. */
export const everyUnix: readonly string[] = Object.values(systems);

export function isSystem(name: string): name is System {
  return Object.hasOwn(systems, name);
}
