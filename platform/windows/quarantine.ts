/** The quarantine of Windows; see platform/any/quarantine-driver.ts. */
import { defaults, quarantineDriver } from '../any/quarantine-driver.ts';
import type { DriverKind } from '../driver.ts';
import { type FileTarget, grammarOf } from '../target.ts';
import { isBelow, parseWindowsPath } from './names.ts';

export const quarantineWindows: DriverKind<FileTarget> = {
  name: 'quarantine-windows',
  defaults: { ...defaults, folder: 'C:\\ProgramData\\ar-exec\\state\\quarantine' },
  about: {
    systems: ['Windows'],
    add: 'moves the file into a folder that only Windows and administrators can open, with a record of where it was',
    remove: 'moves it back, if its place is free',
    options: ['quarantine/folder', 'quarantine/roots', 'quarantine/never'],
  },
  make: (settings) =>
    quarantineDriver({
      name: 'quarantine-windows',
      settings: { ...settings, folder: plain(settings['folder']) },
      system: 'win32',
      needs: {
        step: { kind: 'native-calls' },
        why: (answer) =>
          answer === undefined || answer.failure !== undefined
            ? answer?.stderr || 'no native calls'
            : undefined,
      },
      isBelow: (path, above) => isBelow(path, plain(above)),
      parse: (path) => grammarOf('win32').file(path),
    }),
};

/** Folders of a configuration may be written with slashes. */
function plain(path = quarantineWindows.defaults['folder'] ?? ''): string {
  return parseWindowsPath(path) ?? path;
}
