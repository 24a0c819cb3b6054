/** What has to be done so that the agent is a service of Windows, and so that it is none any more. */
import type { Change, RunChange } from '../change.ts';
import { folderOf, serviceName, type WindowsLayout } from './layout.ts';

export interface WindowsWish {
  readonly layout: WindowsLayout;
  /** Which file becomes the program. */
  readonly from: string;
  /** Whether there is such a service already. */
  readonly exists: boolean;
  /** Whether it is started now, too; it always is with the machine. */
  readonly start: boolean;
}

/** Accounts by their numbers; their names are translated. */
const systemAccount = '*S-1-5-18';
const administrators = '*S-1-5-32-544';

/** Where Event Viewer looks for the sentences of a source. */
const eventSource = `HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\${serviceName}`;
/** Its messages 1 to 1000 are whatever they are given, so that nothing of ours has to be there. */
const sentences = '%SystemRoot%\\System32\\EventCreate.exe';

const run = (argv: readonly string[], more: Omit<RunChange, 'kind' | 'argv'> = {}): RunChange => ({
  kind: 'run',
  argv,
  ...more,
});

export function planWindowsInstall({ layout, from, exists, start }: WindowsWish): Change[] {
  const { program, dataFolder, stateFolder, logFolder, scriptsFolder } = layout;
  return [
    folder(folderOf(program)),
    { kind: 'copy', path: program, from, mode: 0o755 },
    folder(dataFolder),
    ...closed(dataFolder),
    folder(stateFolder),
    folder(logFolder),
    folder(scriptsFolder),
    ...events(),
    ...service(program, exists),
    ...(start ? starting() : []),
  ];
}

/** The configuration, the journal and the logs stay. */
export function planWindowsRemove({ program }: WindowsLayout): Change[] {
  const mayFail = true;
  return [
    // Waits until it has stopped; sc.exe does not.
    run(['net.exe', 'stop', serviceName], { mayFail }),
    run(['sc.exe', 'delete', serviceName], { mayFail }),
    run(['reg.exe', 'delete', eventSource, '/f'], { mayFail }),
    { kind: 'remove', path: program },
    { kind: 'remove-folder', path: folderOf(program) },
  ];
}

function folder(path: string): Change {
  return { kind: 'folder', path, mode: 0o700 };
}

/**
 * Nothing is inherited from ProgramData, where everybody may read and make folders; what is below has its
 * rights from this folder. One that somebody else has made is refused before (windows.ts).
 */
function closed(path: string): RunChange[] {
  const full = '(OI)(CI)F';
  return [
    run(['icacls.exe', path, '/setowner', administrators, '/Q']),
    run([
      'icacls.exe',
      path,
      '/inheritance:r',
      '/grant:r',
      `${systemAccount}:${full}`,
      `${administrators}:${full}`,
      '/Q',
    ]),
  ];
}

function events(): RunChange[] {
  const value = (name: string, type: string, data: string): RunChange =>
    run(['reg.exe', 'add', eventSource, '/v', name, '/t', type, '/d', data, '/f']);
  return [
    value('EventMessageFile', 'REG_EXPAND_SZ', sentences),
    value('TypesSupported', 'REG_DWORD', '7'),
    value('CustomSource', 'REG_DWORD', '1'),
  ];
}

/**
 * Started again after 2, 10 and 60 seconds, and after a minute from then on; a day without a failure and
 * it begins anew. What counts is that the process ends without having told that it has stopped.
 */
function service(program: string, exists: boolean): RunChange[] {
  const line = `"${program}" run --service`;
  return [
    run([
      'sc.exe',
      exists ? 'config' : 'create',
      serviceName,
      ...['type=', 'own'],
      ...['start=', 'auto'],
      ...['error=', 'normal'],
      ...['binPath=', line],
      ...['obj=', 'LocalSystem'],
      ...['DisplayName=', 'ar-exec (active responses)'],
    ]),
    run([
      'sc.exe',
      'description',
      serviceName,
      'Carries out active responses, and takes them back on time.',
    ]),
    run([
      'sc.exe',
      'failure',
      serviceName,
      ...['reset=', '86400'],
      ...['actions=', 'restart/2000/restart/10000/restart/60000'],
    ]),
  ];
}

function starting(): RunChange[] {
  const only = 'changed';
  return [
    run(['net.exe', 'stop', serviceName], { only, mayFail: true }),
    run(['net.exe', 'start', serviceName], { only }),
  ];
}
