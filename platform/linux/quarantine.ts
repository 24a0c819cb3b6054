/** The quarantine of Linux; see platform/any/quarantine-driver.ts. */
import { defaults, quarantineDriver } from '../any/quarantine-driver.ts';
import type { DriverKind } from '../driver.ts';
import { type FileTarget, parseFile } from '../target.ts';

export const quarantine: DriverKind<FileTarget> = {
  name: 'quarantine',
  defaults,
  about: {
    systems: ['Linux'],
    add: 'moves the file into a folder that only root can look into, with a record of where it was',
    remove: 'moves it back, if its place is free',
    options: ['quarantine/folder', 'quarantine/roots', 'quarantine/never'],
  },
  make: (settings) =>
    quarantineDriver({
      name: 'quarantine',
      settings,
      needs: {
        step: { kind: 'read-file', path: '/proc/uptime' },
        why: (proc) =>
          proc === undefined || proc.failure !== undefined || proc.stdout === ''
            ? 'it needs /proc'
            : undefined,
      },
      isBelow: (path, above) => `${path}/`.startsWith(`${above}/`),
      parse: parseFile,
    }),
};
