/**
 * Programs without which nobody gets into the machine any more, or sees what goes on there: kill-process
 * does not end them. A folder stands for all that is below it.
 */
export const neverEnded = [
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
export const quarantineRoots = [
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
