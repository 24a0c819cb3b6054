/** rc.d scripts of FreeBSD and DragonFly BSD, OpenBSD and NetBSD. */
import { type Layout, nodesOwn, startOf } from './layout.ts';

/**
 * daemon(8) restarts the agent when it dies and hands its log to syslog. rc.subr puts `${name}_flags`
 * before the arguments of daemon itself, so the agent's own have another name.
 */
export function freebsdScript({ program, runFolder }: Layout): string {
  const [first = '', ...rest] = startOf(program);
  const isModule = program.kind === 'module';
  return `#!/bin/sh
#
# PROVIDE: ar_exec
# REQUIRE: FILESYSTEMS NETWORKING pf ipfw syslogd
# BEFORE: LOGIN
# KEYWORD: shutdown
#
# In /etc/rc.conf:
#   ar_exec_enable="YES"
${isModule ? `#   ar_exec_node="${first}"\n` : ''}#   ar_exec_options=""            options of "ar-exec run"

. /etc/rc.subr

name="ar_exec"
desc="carries out active responses, and takes them back on time"
rcvar="ar_exec_enable"

load_rc_config "$name"
: \${ar_exec_enable:="NO"}
${isModule ? `: \${ar_exec_node:="${first}"}\n` : ''}: \${ar_exec_options:=""}

ar_exec_command="${isModule ? [`\${ar_exec_node}`, ...rest].join(' ') : first}"
ar_exec_folder="${runFolder}"
agent_pidfile="\${ar_exec_folder}/ar-exec.pid"
pidfile="\${ar_exec_folder}/daemon.pid"
command="/usr/sbin/daemon"
command_args="-c -f -R 5 -P \${pidfile} -p \${agent_pidfile} -t ar-exec -S -l daemon -s info -T ar-exec \${ar_exec_command} run \${ar_exec_options}"
start_precmd="ar_exec_before"
extra_commands="reload"
reload_cmd="ar_exec_reload"

# Says so at once if Node is too old, or not there.
ar_exec_before()
{
	unset ${nodesOwn}
	\${ar_exec_command} --version >/dev/null || return 1
	install -d -o root -g wheel -m 755 "\${ar_exec_folder}"
}

# The configuration and the logs anew. Not through daemon(8), which would not pass it on.
ar_exec_reload()
{
	kill -HUP "$(cat "\${agent_pidfile}")"
}

run_rc_command "$1"
`;
}

/** rc.subr(8) knows the agent by what ps shows, and hands its log to syslog. */
export function openbsdScript({ program, runFolder }: Layout): string {
  const start = startOf(program).join(' ');
  const command = program.kind === 'module' ? program.command : program.file;
  return `#!/bin/ksh
#
# rcctl enable ar_exec; options of "ar-exec run": rcctl set ar_exec flags

daemon="${command} run"
daemon_logger="daemon.info"

. /etc/rc.d/rc.subr

pexp="${start} run\${daemon_flags:+ \${daemon_flags}}"
rc_bg=YES

# Says so at once if Node is too old, or not there.
rc_pre() {
	${command} --version >/dev/null || return 1
	install -d -o root -g wheel -m 755 ${runFolder}
}

rc_cmd $1
`;
}

/** NetBSD has no program that puts another into the background, and no shell option for it. */
export function netbsdScript({ program, runFolder }: Layout): string {
  const [first = '', ...rest] = startOf(program);
  const isModule = program.kind === 'module';
  return `#!/bin/sh
#
# PROVIDE: ar_exec
# REQUIRE: NETWORKING mountcritremote npf syslogd
# BEFORE: LOGIN
# KEYWORD: shutdown
#
# In /etc/rc.conf:
#   ar_exec=YES
${isModule ? `#   ar_exec_node="${first}"\n` : ''}#   ar_exec_flags=""              options of "ar-exec run"

$_rc_subr_loaded . /etc/rc.subr

name="ar_exec"
rcvar=$name
start_cmd="ar_exec_start"
stop_cmd="ar_exec_stop"
status_cmd="ar_exec_status"
reload_cmd="ar_exec_reload"
extra_commands="status reload"

load_rc_config $name
${isModule ? `: \${ar_exec_node:="${first}"}\n` : ''}
ar_exec_command="${isModule ? [`\${ar_exec_node}`, ...rest].join(' ') : first} run"
ar_exec_folder="${runFolder}"
pidfile="\${ar_exec_folder}/ar-exec.pid"

# The number of the agent, if it runs: another process can have it by now.
ar_exec_pid()
{
	_pid="$(cat "$pidfile" 2>/dev/null)"
	[ -n "$_pid" ] || return 1
	case "$(ps -ww -o args= -p "$_pid")" in
	"$ar_exec_command"*) echo "$_pid" ;;
	*) return 1 ;;
	esac
}

ar_exec_start()
{
	if ar_exec_pid >/dev/null; then
		echo "\${name} already running? (pid=$(ar_exec_pid))."
		return 1
	fi
	unset ${nodesOwn}
	# Says so at once if Node is too old, or not there.
	\${ar_exec_command% run} --version >/dev/null || return 1
	install -d -o root -g wheel -m 755 "$ar_exec_folder" || return 1
	echo "Starting \${name}."
	# The shell that waits keeps the pipe to logger open as long as the agent lives.
	(
		cd /
		$ar_exec_command $ar_exec_flags &
		echo $! >"$pidfile"
		wait
	) </dev/null 2>&1 | logger -t ar-exec -p daemon.info >/dev/null 2>&1 &
}

ar_exec_stop()
{
	_agent="$(ar_exec_pid)" || {
		echo "\${name} not running?"
		return 1
	}
	echo "Stopping \${name}."
	kill -TERM "$_agent"
	while ar_exec_pid >/dev/null; do
		sleep 1
	done
	rm -f "$pidfile"
}

ar_exec_status()
{
	if ar_exec_pid >/dev/null; then
		echo "\${name} is running as pid $(ar_exec_pid)."
	else
		echo "\${name} is not running."
		return 1
	fi
}

# The configuration and the logs anew.
ar_exec_reload()
{
	_agent="$(ar_exec_pid)" || return 1
	kill -HUP "$_agent"
}

run_rc_command "$1"
`;
}
