import type { System } from '../../platform/system.ts';

/**
 * Programs without which nobody gets into the machine any more, or sees what goes on there: kill-process
 * does not end them. A folder stands for all that is below it.
 */
const unixPrograms = [
  // systemd and its parts.
  '/usr/lib/systemd',
  '/lib/systemd',
  '/usr/bin/dbus-daemon',
  '/usr/bin/dbus-broker',
  '/usr/bin/dbus-broker-launch',
  '/usr/sbin/sshd',
  '/usr/sbin/auditd',
  // The manager's agent.
  '/var/ossec/bin',
] as const;

/**
 * Where people, services and attackers put files, and where no part of the system is: quarantine-file
 * takes files from there only.
 */
const unixRoots = [
  '/home',
  '/root',
  '/tmp',
  '/var/tmp',
  '/dev/shm',
  '/srv',
  '/var/www',
  '/opt',
  '/usr/local',
] as const;

/**
 * Most of these are marked critical besides, and some are protected by Windows itself; here they stand by
 * name so that nothing depends on it. svchost runs the services, and so does the rest of the machine.
 */
const windowsPrograms = [
  ...[
    'smss',
    'csrss',
    'wininit',
    'winlogon',
    'services',
    'lsass',
    'lsaiso',
    'svchost',
    'fontdrvhost',
    'dwm',
    'LogonUI',
  ].map((name) => `C:\\Windows\\System32\\${name}.exe`),
  'C:\\Windows\\explorer.exe',
  'C:\\Windows\\System32\\OpenSSH\\sshd.exe',
  'C:\\Program Files\\OpenSSH\\sshd.exe',
  'C:\\Program Files\\Windows Defender',
  'C:\\ProgramData\\Microsoft\\Windows Defender\\Platform',
  // The manager's agent.
  'C:\\Program Files (x86)\\ossec-agent',
] as const;

const windowsRoots = [
  'C:\\Users',
  'C:\\Temp',
  'C:\\Windows\\Temp',
  'C:\\inetpub\\wwwroot',
  'C:\\PerfLogs',
] as const;

export function neverEnded(system: System = 'linux'): readonly string[] {
  return system === 'win32' ? windowsPrograms : unixPrograms;
}

export function quarantineRoots(system: System = 'linux'): readonly string[] {
  return system === 'win32' ? windowsRoots : unixRoots;
}
