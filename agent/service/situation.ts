/** What has to be known of a machine before anything is planned for it. Changes nothing. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lineFor } from '../../platform/bsd/pf-main-rules.ts';
import type { Runner } from '../../platform/step.ts';
import type { System } from '../../platform/system.ts';
import { defaultPaths } from '../config/default-paths.ts';
import { ArError } from '../errors.ts';
import type { LogPlace } from './files.ts';
import type { PfLine } from './plan.ts';

/** Systems whose pf.conf has to call the anchor; that of macOS calls all below com.apple already. */
const withAnchor: readonly System[] = ['freebsd', 'openbsd'];

/** Where the packages of Linux put it; what `ar-exec service` writes is elsewhere. */
const packagedUnit = '/usr/lib/systemd/system/ar-exec.service';

/**
 * Throws `service-failed` where a package has made the agent a service: a second program beside its own
 * would win over it, also after each upgrade of the package, and go on when that is removed.
 * `ownFile` is what `ar-exec service install` writes; where it stands it may be taken away.
 */
export function leaveToPackage(exists: (path: string) => boolean, ownFile?: string): void {
  if (!exists(packagedUnit) || (ownFile !== undefined && exists(ownFile))) return;
  throw new ArError(
    'service-failed',
    `a package has made ar-exec a service here (${packagedUnit})`,
    'Nothing was changed. "systemctl enable --now ar-exec" has it run; it is upgraded and removed as a package (apt, dnf). Remove that first if you want another program.',
  );
}

/** Where active-responses.log lies, and who reads it there. */
export async function findLogs(
  system: System,
  root: string,
  exists: (path: string) => boolean,
): Promise<LogPlace> {
  const { activeResponsesLog } = defaultPaths(system, (path) => exists(join(root, path)));
  const folder = activeResponsesLog.slice(0, activeResponsesLog.lastIndexOf('/'));
  if (folder === '/var/log/ar-exec') return { folder };
  const { gid } = await stat(join(root, folder));
  return { folder, group: (await groupName(join(root, '/etc/group'), gid)) ?? String(gid) };
}

/** What would have to be in pf.conf; absent where there is nothing to do. */
export async function findPf(
  system: System,
  run: Runner | undefined,
  anchor: string | undefined,
): Promise<PfLine | undefined> {
  if (anchor === undefined || !withAnchor.includes(system)) return undefined;
  const file = '/etc/pf.conf';
  const line = lineFor(anchor);
  if (run === undefined) return { line, file, loaded: false };
  const info = await run({ kind: 'command', tool: 'pfctl', args: ['-s', 'info'] });
  return { line, file, loaded: /^Status: Enabled/m.test(info.stdout) };
}

/** Throws what makes it unfit for root: somebody else could put another program in its place. */
export async function checkTrusted(path: string, run: Runner): Promise<void> {
  const found = await run({ kind: 'check-executable', path });
  if (found.failure === undefined) return;
  throw new ArError(
    'script-untrusted',
    `root would run what others can change: ${found.stderr}`,
    'Name a Node that belongs to root, with its folders, by --node; a package of nodejs.org does.',
  );
}

async function groupName(file: string, gid: number): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const rows = text.split('\n').map((line) => line.split(':'));
  return rows.find(([, , id]) => id === String(gid))?.[0];
}
