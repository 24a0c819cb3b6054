/** Scripts for Linux without systemd: OpenRC (Alpine, Gentoo), and System V (Devuan, antiX). */
import { type Layout, nodesOwn, startOf } from './layout.ts';

/** openrc-run(8). supervise-daemon(8) starts the agent again when it dies, as often as it has to. */
export function openrcScript({ program, runFolder, stateFolder }: Layout): string {
  const [first = '', ...rest] = startOf(program);
  return `#!/sbin/openrc-run
# Options of "ar-exec run": command_args_extra="…" in /etc/conf.d/ar-exec

description="Active responses: carries them out, and takes them back on time"
extra_started_commands="reload"
description_reload="Reads the configuration and opens the logs anew, and compares"

supervisor=supervise-daemon
command="${first}"
command_args="${[...rest, 'run'].join(' ')} \${command_args_extra:-}"
respawn_delay=1
respawn_max=0
retry="TERM/60/KILL/5"
output_logger="logger -t ar-exec -p daemon.info"
error_logger="logger -t ar-exec -p daemon.err"

depend() {
	# Debian's OpenRC has no localmount, and goes on without.
	use localmount logger
	# These load their rules anew when they start, and would take ours away again.
	after nftables iptables ip6tables ipset firewalld ufw bootmisc
}

start_pre() {
	unset ${nodesOwn}
	checkpath --directory --mode 0755 ${runFolder}
	checkpath --directory --mode 0700 ${stateFolder}
}

reload() {
	ebegin "Reloading \${RC_SVCNAME}"
	supervise-daemon "\${RC_SVCNAME}" --signal HUP
	eend $?
}
`;
}

/**
 * A script of init(8), by the LSB. Nothing watches a daemon there, so a shell does: it starts the agent
 * again when it dies, unless it was refused (4) or cannot use its configuration (8).
 */
export function sysvScript({ program, runFolder, stateFolder }: Layout): string {
  const start = startOf(program).join(' ');
  return `#!/bin/sh
### BEGIN INIT INFO
# Provides:          ar-exec
# Required-Start:    $remote_fs
# Required-Stop:     $remote_fs
# Should-Start:      nftables iptables netfilter-persistent firewalld ufw $syslog
# Should-Stop:       $syslog
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Active responses
# Description:       Carries out active responses, and takes them back on time.
### END INIT INFO
# Options of "ar-exec run": AR_EXEC_OPTIONS="…" in /etc/default/ar-exec

PATH=/usr/sbin:/usr/bin:/sbin:/bin
NAME=ar-exec
FOLDER=${runFolder}
STATE=${stateFolder}
# Of the agent, and of the shell that watches it.
PIDFILE="$FOLDER/ar-exec.pid"
WATCHER="$FOLDER/watcher.pid"
AR_EXEC_OPTIONS=

# shellcheck disable=SC1091
[ ! -r /etc/default/ar-exec ] || . /etc/default/ar-exec
unset ${nodesOwn}

# The number in a file, if that process runs and is ours: another can have it by now.
running()
{
	_pid="$(cat "$1" 2>/dev/null)" || return 1
	[ -n "$_pid" ] || return 1
	tr '\\0' ' ' <"/proc/$_pid/cmdline" 2>/dev/null | grep -q "$NAME" || return 1
	echo "$_pid"
}

watch()
{
	trap 'kill -TERM "$agent" 2>/dev/null; ended=yes' TERM
	ended=no
	while [ $ended = no ]; do
		# shellcheck disable=SC2086
		${start} run $AR_EXEC_OPTIONS &
		agent=$!
		echo $agent >"$PIDFILE"
		wait $agent
		status=$?
		# A signal ends the first wait, and the agent has not ended yet.
		while kill -0 $agent 2>/dev/null; do
			wait $agent
			status=$?
		done
		case $status in 4 | 8) break ;; esac
		[ $ended = yes ] || sleep 1
	done
	rm -f "$PIDFILE" "$WATCHER"
}

case "$1" in
start)
	if running "$PIDFILE" >/dev/null; then
		echo "$NAME is running already."
		exit 0
	fi
	# Says so at once if it cannot be started at all.
	${start} --version >/dev/null || exit 5
	mkdir -p -m 755 "$FOLDER" && mkdir -p -m 700 "$STATE" || exit 1
	echo "Starting $NAME."
	setsid "$0" watch </dev/null 2>&1 | logger -t "$NAME" -p daemon.info >/dev/null 2>&1 &
	# Until the first agent is there.
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		running "$PIDFILE" >/dev/null && exit 0
		sleep 1
	done
	exit 1
	;;
watch)
	echo $$ >"$WATCHER"
	watch
	;;
stop)
	watcher="$(running "$WATCHER")" || {
		echo "$NAME is not running."
		exit 0
	}
	echo "Stopping $NAME."
	kill -TERM "$watcher"
	for _ in $(seq 60); do
		running "$WATCHER" >/dev/null || exit 0
		sleep 1
	done
	exit 1
	;;
restart | force-reload)
	"$0" stop && "$0" start
	;;
# The configuration and the logs anew, and a comparison.
reload)
	agent="$(running "$PIDFILE")" && kill -HUP "$agent"
	;;
status)
	if agent="$(running "$PIDFILE")"; then
		echo "$NAME is running as process $agent."
	else
		echo "$NAME is not running."
		exit 3
	fi
	;;
*)
	echo "Usage: $0 {start|stop|restart|force-reload|reload|status}" >&2
	exit 2
	;;
esac
`;
}
