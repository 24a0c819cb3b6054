/** What stands in the files that `ar-exec wazuh install` makes. The same text is in scripts/. */

/** The socket unit, for a queue (a path) and the name of the group of the manager's agent. */
export function execqSocketText(queue: string, group: string): string {
  return `# The queue by which a manager's agent hands on what the manager asks for, kept open while ar-exec is
# restarted: the agent looks for it only when it starts. docs/execd.md
[Unit]
Description=Active responses of a manager's agent, for ar-exec
Documentation=file:///usr/share/doc/ar-exec/execd.md
Before=wazuh-agent.service wazuh-manager.service ossec-hids.service ossec.service

[Socket]
# Wazuh up to 4.14 and OSSEC. Of Wazuh 5: /var/ossec/queue/sockets/execq
ListenDatagram=${queue}
FileDescriptorName=ar-exec-execq
Service=ar-exec.service
SocketUser=root
# The group of the manager's agent: wazuh since 4.3, ossec before and of OSSEC.
SocketGroup=${group}
SocketMode=0660
# The longest message has 65535 bytes.
ReceiveBuffer=212992
# Made by the package of the agent, with other rights than systemd would give it.
DirectoryMode=0750

[Install]
WantedBy=sockets.target
`;
}

/** Stands where execd stood. */
export const standInText = `#!/bin/sh
# Stands where a manager's execd stood, while ar-exec does its work (docs/execd.md).
#
# The manager's control script starts every program in bin, asks each with -t whether the configuration
# is in order, and takes the whole for failed if one of them leaves no process behind. So this one says
# yes, and leaves a process that does nothing. It has to be called wazuh-execd or ossec-execd: control
# scripts look for that name among the processes.

name=$(basename "$0")
home=$(cd "$(dirname "$0")/.." && pwd) || exit 1

case "$1" in
--wait)
    trap 'kill "$sleeper" 2>/dev/null; rm -f "$home/var/run/$name-$$.pid"; exit 0' TERM INT HUP
    echo $$ >"$home/var/run/$name-$$.pid"
    while :; do
        sleep 86400 &
        sleeper=$!
        wait "$sleeper"
    done
    ;;
-t | -V | -h) ;;
*)
    # As a daemon: execd outlives the control script that started it.
    setsid "$0" --wait </dev/null >/dev/null 2>&1 &
    ;;
esac
exit 0
`;
