/** What starts services on a Linux: which of them it is, and what makes the agent one of its services. */
import { type Change, runs } from './change.ts';
import { openrcScript, sysvScript } from './init-scripts.ts';
import type { Layout, Manager } from './layout.ts';
import { firewallUnit, systemdUnit } from './systemd.ts';

interface ManagerFacts {
  readonly mode: number;
  /** Files beside the service's own. */
  readonly beside: readonly (readonly [path: string, text: string])[];
  text(layout: Layout): string;
  /** So that it is started with the machine. */
  readonly enable: readonly Change[];
  /** An earlier try may have put everything in its place, and have ended before this. */
  readonly start: readonly Change[];
  /** Before its files are taken away, and after that. */
  readonly disable: readonly Change[];
  readonly forget: readonly Change[];
  /** Ends with 0 if it runs, and with something else if not. */
  readonly asking: readonly string[];
}

const only = 'changed';
const mayFail = true;
const starts = (line: string): readonly Change[] => [
  runs(`${line} restart`, { only }),
  runs(`${line} start`, { only: 'unchanged' }),
];
const script = '/etc/init.d/ar-exec';

/** By init(8): the links to the script are made by a tool that not every distribution has. */
const sysv = {
  mode: 0o755,
  beside: [],
  text: sysvScript,
  start: starts(script),
  asking: [script, 'status'],
} as const;

export const managers: Readonly<Record<Manager, ManagerFacts>> = {
  systemd: {
    mode: 0o644,
    // Its own unit, since it is started with others than ours.
    beside: [['/etc/systemd/system/ar-exec-firewall.service', firewallUnit()]],
    text: systemdUnit,
    enable: [runs('systemctl daemon-reload', { only }), runs('systemctl enable ar-exec.service')],
    start: [
      runs('systemctl restart ar-exec.service', { only }),
      runs('systemctl start ar-exec.service', { only: 'unchanged' }),
    ],
    disable: [runs('systemctl disable --now ar-exec.service', { mayFail })],
    forget: [runs('systemctl daemon-reload', { only })],
    asking: ['systemctl', 'is-active', 'ar-exec.service'],
  },
  openrc: {
    mode: 0o755,
    beside: [],
    text: openrcScript,
    enable: [runs('rc-update add ar-exec default')],
    start: starts('rc-service ar-exec'),
    disable: [
      runs('rc-service ar-exec stop', { mayFail }),
      runs('rc-update del ar-exec default', { mayFail }),
    ],
    forget: [],
    asking: ['rc-service', 'ar-exec', 'status'],
  },
  // Debian, Devuan.
  sysv: {
    ...sysv,
    enable: [runs('update-rc.d ar-exec defaults')],
    disable: [runs(`${script} stop`, { mayFail })],
    // It refuses as long as the script is there.
    forget: [runs('update-rc.d ar-exec remove', { mayFail })],
  },
  // Red Hat and SUSE, before systemd. It reads the script, also to forget it.
  chkconfig: {
    ...sysv,
    enable: [runs('chkconfig --add ar-exec')],
    disable: [runs(`${script} stop`, { mayFail }), runs('chkconfig --del ar-exec', { mayFail })],
    forget: [],
  },
};

/**
 * Which of them started this machine: the first by sd_booted(3), OpenRC by what it writes down, init(8) by the
 * pipe that it is talked to by. In a folder that becomes a machine's root nothing runs: there the one that is
 * installed counts.
 */
export function managerOf(exists: (path: string) => boolean): Manager | undefined {
  const has = (...paths: readonly string[]) => paths.some(exists);
  const forInit = has('/usr/sbin/update-rc.d')
    ? 'sysv'
    : has('/sbin/chkconfig', '/usr/sbin/chkconfig')
      ? 'chkconfig'
      : undefined;
  if (has('/run/systemd/system')) return 'systemd';
  if (has('/run/openrc/softlevel')) return 'openrc';
  if (has('/run/initctl', '/dev/initctl') && forInit !== undefined) return forInit;
  if (has('/lib/systemd/systemd', '/usr/lib/systemd/systemd')) return 'systemd';
  if (has('/sbin/openrc-run', '/usr/sbin/openrc-run')) return 'openrc';
  return has('/etc/inittab') ? forInit : undefined;
}
