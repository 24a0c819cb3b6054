/**
 * hosts.allow of FreeBSD, NetBSD and DragonFly: their libwrap is built with the options of
 * hosts_options(5), so that a line of hosts.allow can deny. The first line that fits decides, and
 * FreeBSD's own file begins with one that lets everybody in: ours stand before all others.
 */
import { wrapperFile } from '../any/wrapper-file.ts';
import type { DriverKind } from '../driver.ts';
import type { AddressTarget } from '../target.ts';

const path = '/etc/hosts.allow';

export const hostsAllow: DriverKind<AddressTarget> = {
  name: 'hosts-allow',
  defaults: { path },
  about: {
    systems: ['FreeBSD', 'NetBSD', 'DragonFly BSD'],
    add: 'writes a line that denies it to the top of hosts.allow',
    remove: 'takes the line out',
    options: [],
  },
  make: (settings) =>
    wrapperFile({
      name: 'hosts-allow',
      path: settings['path'] ?? path,
      settings,
      file: 'hosts.allow',
      line: (pattern) => `ALL : ${pattern} : deny`,
    }),
};
