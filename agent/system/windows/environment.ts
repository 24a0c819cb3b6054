/** What a program of Windows has to have in its environment to find Windows at all; nothing of ours. */
const kept = [
  'SystemRoot',
  'SystemDrive',
  'windir',
  'ComSpec',
  'PATHEXT',
  'ProgramData',
  'ProgramFiles',
  'ProgramFiles(x86)',
  'CommonProgramFiles',
  'ALLUSERSPROFILE',
  'PUBLIC',
  'NUMBER_OF_PROCESSORS',
  'PROCESSOR_ARCHITECTURE',
  'OS',
  'COMPUTERNAME',
  'USERNAME',
  'USERDOMAIN',
  'USERPROFILE',
  'APPDATA',
  'LOCALAPPDATA',
  'TEMP',
  'TMP',
] as const;

export function windowsFolder(): string {
  return process.env['SystemRoot'] ?? 'C:\\Windows';
}

export function windowsEnvironment(): Record<string, string> {
  const windows = windowsFolder();
  const own = kept.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  const path = [
    `${windows}\\System32`,
    windows,
    `${windows}\\System32\\Wbem`,
    `${windows}\\System32\\WindowsPowerShell\\v1.0`,
  ];
  return { ...Object.fromEntries(own), PATH: path.join(';') };
}
