/** Units of systemd. docs/install.md has what `systemd-analyze security` makes of them. */
import { type Layout, nodesOwn, startOf } from './layout.ts';

/**
 * What loads rules anew when it starts, and can take ours away with it. Docker is not waited for: it
 * takes its time, and flushes nothing of ours.
 */
const firewalls = [
  'nftables',
  'iptables',
  'ip6tables',
  'ipset',
  'netfilter-persistent',
  'firewalld',
  'ufw',
].map((name) => `${name}.service`);
const shapers = [...firewalls, 'docker.service'];

/**
 * Little can be forbidden to what edits accounts and hosts.deny, takes files away from anywhere, and
 * runs people's own scripts as root. What is forbidden here, none of the drivers needs. Nothing that
 * would give it another view of the file systems: what a script mounts or unmounts has to count.
 */
export function systemdUnit({ program }: Layout): string {
  return `[Unit]
Description=Active responses: carries them out, and takes them back on time
Documentation=man:ar-exec(8) man:ar-exec.conf(5)
# These load their rules anew when they start, and would take ours away again.
After=local-fs.target network-pre.target ${firewalls.join(' ')}
# Their reload is one for us as well: what has gone is put back.
ReloadPropagatedFrom=${shapers.join(' ')}
# Never given up: what is held has to be taken back one day.
StartLimitIntervalSec=0

[Service]
${program.kind === 'executable' ? told : 'Type=exec'}
ExecStart=${startOf(program).join(' ')} run
# /bin/kill is of another package.
ExecReload=/bin/sh -c 'kill -HUP $MAINPID'
Restart=always
# From systemd 254 on, what fails again and again is tried more and more seldom.
RestartSec=1
RestartSteps=8
RestartMaxDelaySec=300
# Refused (another agent runs), and a configuration that cannot be used.
RestartPreventExitStatus=4 8
TimeoutStartSec=300
TimeoutStopSec=60
# A manager's agent that was restarted by a response lives in our group, and must outlive us.
KillMode=process
OOMScoreAdjust=-500
LimitNOFILE=16384
LimitCORE=0
UMask=0077
UnsetEnvironment=${nodesOwn}
RuntimeDirectory=ar-exec
StateDirectory=ar-exec
StateDirectoryMode=0700

CapabilityBoundingSet=~CAP_BLOCK_SUSPEND CAP_BPF CAP_LEASE CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_MKNOD CAP_SYS_BOOT CAP_SYS_PACCT CAP_SYS_RAWIO CAP_SYS_TIME CAP_SYS_TTY_CONFIG CAP_WAKE_ALARM
KeyringMode=private
LockPersonality=yes
ProtectHostname=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_PACKET
RestrictRealtime=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=~@clock @cpu-emulation @debug @obsolete @raw-io @reboot @swap

[Install]
WantedBy=multi-user.target
Also=ar-exec-firewall.service
`;
}

/** The executable can tell; a Node of the system's own may not (agent/system/libc.ts). */
const told = `Type=notify
NotifyAccess=main
# A sign of life comes from the event loop twice in that time. There is nothing to be seen in a core file.
WatchdogSec=60
WatchdogSignal=SIGKILL`;

/** Starts whenever one of them does: at its first start, and at each restart. */
export function firewallUnit(): string {
  return `# Tells ar-exec that a firewall was started anew, which may have taken away what is held.
[Unit]
Description=Comparison of what ar-exec holds with the firewall
Documentation=man:ar-exec(8)
After=ar-exec.service ${shapers.join(' ')}

[Service]
Type=oneshot
ExecStart=/bin/systemctl try-reload-or-restart --no-block ar-exec.service

[Install]
WantedBy=${shapers.join(' ')}
`;
}
