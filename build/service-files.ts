/**
 * Writes the service files that are in scripts/: what `ar-exec service install` installs, with the usual
 * paths, for those who make packages. A test compares them.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultPaths } from '../agent/config/default-paths.ts';
import { newsyslogLines, serviceText } from '../agent/service/files.ts';
import { openrcScript, sysvScript } from '../agent/service/init-scripts.ts';
import { layoutOf, usualNode } from '../agent/service/layout.ts';
import { firewallUnit } from '../agent/service/systemd.ts';
import { execqSocketText, standInText } from '../agent/wazuh/files.ts';
import type { Unix } from '../platform/system.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The command that mends them. */
export const command = 'npm run docs';

/** Path → text. DragonFly BSD has the script of FreeBSD. */
export function serviceFiles(): ReadonlyMap<string, string> {
  const of = (system: Unix, node: string | undefined = usualNode[system]) =>
    layoutOf(
      system,
      defaultPaths(system, () => false),
      node,
    );
  // Of Linux: the one file that needs nothing beside it.
  const executable = layoutOf(
    'linux',
    defaultPaths('linux', () => false),
  );
  const rotation = (system: Unix) =>
    `${newsyslogLines(of(system), { folder: '/var/log/ar-exec' }).join('\n')}\n`;
  return new Map([
    ['scripts/rc.d/freebsd/ar_exec', serviceText(of('freebsd'))],
    ['scripts/rc.d/openbsd/ar_exec', serviceText(of('openbsd'))],
    ['scripts/rc.d/netbsd/ar_exec', serviceText(of('netbsd'))],
    ['scripts/launchd/org.ar-exec.agent.plist', serviceText(of('darwin'))],
    ['scripts/newsyslog/freebsd.conf', rotation('freebsd')],
    ['scripts/newsyslog/openbsd.conf', rotation('openbsd')],
    ['scripts/newsyslog/netbsd.conf', rotation('netbsd')],
    ['scripts/newsyslog/macos.conf', rotation('darwin')],
    ['scripts/systemd/ar-exec.service', serviceText(executable)],
    [
      'scripts/systemd/ar-exec-execq.socket',
      execqSocketText('/var/ossec/queue/alerts/execq', 'wazuh'),
    ],
    ['scripts/execd/stand-in', standInText],
    ['scripts/systemd/ar-exec-firewall.service', firewallUnit()],
    ['scripts/openrc/ar-exec', openrcScript(executable)],
    ['scripts/init.d/ar-exec', sysvScript(executable)],
  ]);
}

if (import.meta.main) {
  for (const [file, text] of serviceFiles()) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
}
