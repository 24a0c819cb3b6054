/** What stands in the files of an installation. The same text is in scripts/, for who makes packages. */
import { type Layout, nodesOwn, type Program, startOf } from './layout.ts';
import { managers } from './linux.ts';
import { freebsdScript, netbsdScript, openbsdScript } from './rc-scripts.ts';

/** The name by which launchd knows the agent. */
export const launchdLabel = 'org.ar-exec.agent';

export function serviceText(layout: Layout): string {
  switch (layout.system) {
    case 'linux':
      return managers[layout.manager].text(layout);
    case 'freebsd':
    case 'dragonfly':
      return freebsdScript(layout);
    case 'openbsd':
      return openbsdScript(layout);
    case 'netbsd':
      return netbsdScript(layout);
    case 'darwin':
      return launchdList(layout);
  }
}

/** The command in front of a program that is one JavaScript file. It is root's: no options from outside. */
export function commandText({ node, file }: Extract<Program, { kind: 'module' }>): string {
  return `#!/bin/sh
# The name that this was called by says what is asked for, as with the executable.
unset ${nodesOwn}
AR_EXEC_CALLED="$0"
export AR_EXEC_CALLED
exec ${quoted(node)} ${quoted(file)} "$@"
`;
}

/** launchd.plist(5). It kills what has not ended after ExitTimeOut seconds. */
function launchdList({ program }: Layout): string {
  const words = [...startOf(program), 'run'].map((word) => `    <string>${xml(word)}</string>`);
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${launchdLabel}</string>
  <key>ProgramArguments</key>
  <array>
${words.join('\n')}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <true/>
  <key>ThrottleInterval</key>
  <integer>5</integer>
  <key>ExitTimeOut</key>
  <integer>60</integer>
  <key>AbandonProcessGroup</key>
  <true/>
  <key>WorkingDirectory</key>
  <string>/</string>
  <key>Umask</key>
  <integer>63</integer>
  <key>StandardOutPath</key>
  <string>/var/log/ar-exec/ar-exec.log</string>
  <key>StandardErrorPath</key>
  <string>/var/log/ar-exec/ar-exec.log</string>
</dict>
</plist>
`;
}

/** Where the logs lie, and whose they are. */
export interface LogPlace {
  readonly folder: string;
  /** Of a manager's agent, which reads active-responses.log. Absent: the folder is ours. */
  readonly group?: string;
}

/**
 * Lines of newsyslog.conf(5): mode, how many are kept, size in KiB, when, flags. `B`: no line of its own
 * in them; `N`: nobody is told, as they are opened for each write. OpenBSD has no `N` and tells syslogd,
 * which does not mind.
 */
export function newsyslogLines({ system }: Layout, { folder, group }: LogPlace): string[] {
  const flags = system === 'openbsd' ? 'ZB' : 'ZBN';
  const owner = `root:${group ?? 'wheel'}`;
  const lineOf = (file: string) =>
    [`${folder}/${file}`, owner, '640', '8', '102400', '168', flags].join('\t');
  return ['active-responses.log', 'ar-exec-results.json'].map(lineOf);
}

/** logrotate(8): the folder of a manager's agent is not root's, so it wants to be told whose rights to use. */
export function logrotateText({ folder, group }: LogPlace): string {
  const files = group === undefined ? `${folder}/*.log ${folder}/*.json` : managersFiles(folder);
  const rights = group === undefined ? '' : `    su root ${group}\n`;
  const afterwards = `    sharedscripts
    postrotate
        systemctl kill --kill-who=main --signal=HUP ar-exec.service 2>/dev/null ||
            /etc/init.d/ar-exec reload >/dev/null 2>&1 || true
    endscript
`;
  return `${files} {
${rights}    weekly
    maxsize 100M
    rotate 8
    missingok
    notifempty
    compress
    delaycompress
    nocreate
${group === undefined ? afterwards : ''}}
`;
}

function managersFiles(folder: string): string {
  return `${folder}/active-responses.log ${folder}/ar-exec-results.json`;
}

/** A word of sh. */
function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
