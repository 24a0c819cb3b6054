/** Where the tools of this machine live; the caller's PATH is never asked. */
import { delimiter } from 'node:path';
import type { ToolPlace } from './child.ts';
import { windowsEnvironment, windowsFolder } from './windows/environment.ts';

/** What has no user numbers is Windows. */
const onWindows = process.getuid === undefined;
const system32 = `${windowsFolder()}\\System32`;

export const toolFolders: readonly string[] = onWindows
  ? [system32, `${system32}\\WindowsPowerShell\\v1.0`]
  : ['/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/local/sbin', '/usr/local/bin'];

export function toolPlace(folders: readonly string[]): ToolPlace {
  if (onWindows) {
    const environment = windowsEnvironment();
    return { folders, environment, start: system32, groups: false, ending: '.exe' };
  }
  const environment = { PATH: folders.join(delimiter), LC_ALL: 'C' };
  return { folders, environment, start: '/', groups: true, ending: '' };
}
