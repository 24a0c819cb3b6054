/** Where the parts of an installation lie on Windows. */

/** By which the service control manager, and the event log, know the agent. */
export const serviceName = 'ar-exec';

export interface WindowsLayout {
  readonly program: string;
  /** What people write, the journal and the logs, below it. */
  readonly dataFolder: string;
  readonly stateFolder: string;
  readonly logFolder: string;
  readonly scriptsFolder: string;
}

/** From the default paths, which are written with `/`. */
export function windowsLayout(paths: {
  readonly configFile: string;
  readonly stateFolder: string;
}): WindowsLayout {
  const { configFile, stateFolder } = paths;
  const data = backslashes(configFile.slice(0, configFile.lastIndexOf('/')));
  return {
    program: 'C:\\Program Files\\ar-exec\\ar-exec.exe',
    dataFolder: data,
    stateFolder: backslashes(stateFolder),
    logFolder: `${data}\\logs`,
    scriptsFolder: `${data}\\responses`,
  };
}

export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('\\'));
}

function backslashes(path: string): string {
  return path.replaceAll('/', '\\');
}
