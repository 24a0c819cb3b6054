/** A .deb: deb(5). Written here, so that it needs no Debian, no root, and is the same each time. */
import { createHash } from 'node:crypto';
import type { Packing } from './compress.ts';
import { debianScripts } from './debian-scripts.ts';
import { type Entry, file, withFolders } from './entry.ts';
import type { Publisher } from './publisher.ts';
import { ar, gzip, tar } from './tar.ts';

export interface Package {
  readonly version: string;
  /** As `process.arch` has it. */
  readonly arch: 'x64' | 'arm64';
  readonly entries: readonly Entry[];
  /** When it was made, as everybody is told. */
  readonly seconds: number;
  readonly publisher: Publisher;
  readonly packing: Packing;
}

export const debianArch = { x64: 'amd64', arm64: 'arm64' } as const;

export async function deb(wanted: Package): Promise<Buffer> {
  const { entries, seconds, packing } = wanted;
  const all = withFolders([...entries, changelog(wanted)]);
  const control = [
    file('/control', 0o644, controlText(wanted, all)),
    file('/conffiles', 0o644, configFiles(all)),
    file('/md5sums', 0o644, sums(all)),
    ...Object.entries(debianScripts).map(([name, text]) => file(`/${name}`, 0o755, text)),
  ];
  const root: Entry = { kind: 'folder', path: '/', mode: 0o755 };
  const [controlBytes, dataBytes] = await Promise.all(
    [control, all].map((part) => packing.pack(tar([root, ...part], '.', seconds))),
  );
  if (controlBytes === undefined || dataBytes === undefined) throw new Error('nothing was packed');
  return ar(
    [
      ['debian-binary', Buffer.from('2.0\n')],
      [`control.tar${packing.ending}`, controlBytes],
      [`data.tar${packing.ending}`, dataBytes],
    ],
    seconds,
  );
}

/** What the Node of the lock file is linked with (`readelf -V`), and what the scripts call. */
const needs = 'libatomic1, libc6 (>= 2.28), libgcc-s1 (>= 3.3), libstdc++6 (>= 5.2), passwd';

function controlText(
  { version, arch, publisher: { maintainer, homepage } }: Package,
  entries: readonly Entry[],
): string {
  const bytes = entries.reduce((sum, one) => sum + (one.kind === 'file' ? one.bytes.length : 0), 0);
  return `Package: ar-exec
Version: ${version}
Architecture: ${debianArch[arch]}
Maintainer: ${maintainer}
Installed-Size: ${Math.ceil(bytes / 1_024) + entries.length}
Depends: ${needs}
Pre-Depends: init-system-helpers (>= 1.54~)
Recommends: nftables | iptables
Suggests: conntrack, ipset, logrotate
Section: admin
Priority: optional${homepage === undefined ? '' : `\nHomepage: ${homepage}`}
Description: active-response executor: blocks, and takes it back on time
 Carries out what a detector of attacks asks for, such as to block an address,
 to lock an account or to run a script, with the machine's own tools. What it
 is going to do is written down before, and is taken back when its time is up:
 after a crash, a restart of the machine and a flush of the firewall, too.
 .
 It takes requests from Wazuh and OSSEC agents, from other programs over a local
 socket, and from the command line.
`;
}

/** In the form that Debian's tools read; what it says is in CHANGELOG.md. */
function changelog({ version, seconds, publisher: { maintainer } }: Package): Entry {
  const when = new Date(seconds * 1_000).toUTCString().replace('GMT', '+0000');
  const text = `ar-exec (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md beside this file.\n\n -- ${maintainer}  ${when}\n`;
  return file('/usr/share/doc/ar-exec/changelog.gz', 0o644, gzip(Buffer.from(text)));
}

function configFiles(entries: readonly Entry[]): string {
  return entries.flatMap((one) => ('config' in one ? [`${one.path}\n`] : [])).join('');
}

function sums(entries: readonly Entry[]): string {
  return entries
    .flatMap((one) => {
      if (one.kind === 'folder' || one.config) return [];
      const sum = createHash('md5').update(one.bytes).digest('hex');
      return [`${sum}  ${one.path.slice(1)}\n`];
    })
    .join('');
}
