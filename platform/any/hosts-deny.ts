/** hosts.deny: a line for each address, see hosts_access(5). */
import type { DriverKind } from '../driver.ts';
import type { AddressTarget } from '../target.ts';
import { wrapperFile } from './wrapper-file.ts';

export const hostsDeny: DriverKind<AddressTarget> = {
  name: 'hosts-deny',
  defaults: { path: '/etc/hosts.deny' },
  about: {
    systems: ['Linux'],
    add: 'writes a line for it into hosts.deny',
    remove: 'takes the line out',
    options: ['hosts_deny_file'],
  },
  make: (settings) =>
    wrapperFile({
      name: 'hosts-deny',
      path: settings['path'] ?? '/etc/hosts.deny',
      settings,
      file: 'hosts.deny',
      line: (pattern) => `ALL:${pattern}`,
    }),
};
