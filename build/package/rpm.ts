/** An .rpm, made by rpmbuild: without root, and the same each time. */
import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Package } from './deb.ts';
import { type Entry, withFolders } from './entry.ts';

export const rpmArch = { x64: 'x86_64', arm64: 'aarch64' } as const;

/** Throws where there is no rpmbuild. */
export async function rpm(wanted: Omit<Package, 'packing'>, quick = false): Promise<Buffer> {
  const entries = wanted.entries.flatMap(forRpm);
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-rpm-'));
  try {
    const files = join(folder, 'files');
    for (const one of withFolders(entries)) {
      const path = join(files, one.path);
      if (one.kind === 'folder') await mkdir(path, { recursive: true });
      else {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, one.bytes, { mode: one.mode });
      }
    }
    const spec = join(folder, 'ar-exec.spec');
    await writeFile(spec, specText(wanted, entries));
    build(folder, spec, wanted, quick);
    const [name = ''] = await readdir(join(folder, 'out', rpmArch[wanted.arch]));
    return await readFile(join(folder, 'out', rpmArch[wanted.arch], name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function build(
  folder: string,
  spec: string,
  { arch, seconds }: Omit<Package, 'packing'>,
  quick: boolean,
): void {
  const macros = {
    _topdir: join(folder, 'top'),
    _rpmdir: join(folder, 'out'),
    _buildhost: 'localhost',
    _binary_payload: quick ? 'w1.gzdio' : 'w7.xzdio',
    _build_id_links: 'none',
    use_source_date_epoch_as_buildtime: '1',
    clamp_mtime_to_source_date_epoch: '1',
    // What is inside the executable must stay where it is.
    __os_install_post: '%{nil}',
    debug_package: '%{nil}',
    ar_exec_files: join(folder, 'files'),
  };
  const defines = Object.entries(macros).flatMap(([name, value]) => [
    '--define',
    `${name} ${value}`,
  ]);
  const args = ['-bb', '--quiet', '--target', rpmArch[arch], ...defines, spec];
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(seconds), LC_ALL: 'C' };
  const { status, stdout, stderr, error } = spawnSync('rpmbuild', args, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`rpmbuild: ${error?.message ?? stderr + stdout}`);
}

/** Where the family of Red Hat and SUSE has things: no scripts of System V, other folders for a shell. */
function forRpm(one: Entry): Entry[] {
  if (one.path.startsWith('/etc/init.d/') || one.path.endsWith('/copyright')) return [];
  if (one.path.startsWith('/usr/share/lintian/')) return [];
  return [{ ...one, path: one.path.replace('/zsh/vendor-completions/', '/zsh/site-functions/') }];
}

function specText(
  { version, seconds, publisher: { maintainer, homepage } }: Omit<Package, 'packing'>,
  entries: readonly Entry[],
): string {
  const ours = /^\/(?:etc|usr\/lib|usr\/share|usr\/share\/doc)\/ar-exec(?:\/|$)/;
  const folders = withFolders(entries).filter(
    (one) => one.kind === 'folder' && ours.test(one.path),
  );
  const lines = [
    ...folders.map(({ path }) => `%dir %attr(0755, root, root) ${path}`),
    ...entries.map((one) => {
      const kind =
        'config' in one
          ? '%config(noreplace) '
          : one.path.startsWith('/usr/share/doc/')
            ? '%doc '
            : '';
      return `${kind}%attr(0${one.mode.toString(8)}, root, root) ${one.path}`;
    }),
    '%dir %attr(0700, root, root) /var/lib/ar-exec',
    '%dir %attr(0755, root, root) /var/log/ar-exec',
  ];
  return `Name: ar-exec
Version: ${version.replaceAll('-', '~')}
Release: 1
Summary: Active-response executor that blocks and takes it back on time
License: Apache-2.0
Group: System/Base${homepage === undefined ? '' : `\nURL: ${homepage}`}
Packager: ${maintainer}
AutoReqProv: no
Requires: libatomic.so.1()(64bit)
Requires: libc.so.6(GLIBC_2.28)(64bit)
Requires: libstdc++.so.6(GLIBCXX_3.4.21)(64bit)
Requires: logrotate
Recommends: nftables

%description
Carries out what a detector of attacks asks for, such as to block an address,
to lock an account or to run a script, with the tools of the machine. What it
is going to do is written down before, and is taken back when its time is up:
after a crash, a restart of the machine and a flush of the firewall, too.

%install
mkdir -p %{buildroot}/var/lib/ar-exec %{buildroot}/var/log/ar-exec
cp -a %{ar_exec_files}/. %{buildroot}/

%pre
getent group ar-exec >/dev/null || groupadd --system ar-exec || :

%post
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	# $1: how many are installed. The first time it is enabled as the presets of the system say.
	[ "$1" -gt 1 ] || systemctl preset ar-exec.service ar-exec-firewall.service || :
fi
exit 0

%preun
if [ "$1" -eq 0 ]; then
	if [ -d /run/systemd/system ]; then
		systemctl disable --now ar-exec-firewall.service ar-exec.service || :
	fi
	# Nobody would take it back any more.
	/usr/bin/ar-exec journal revert >/dev/null || echo "ar-exec: not everything could be taken back" >&2
fi
exit 0

%postun
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	# The new agent takes over what the old one held.
	[ "$1" -lt 1 ] || systemctl try-restart ar-exec.service || :
fi
exit 0

%files
${lines.join('\n')}

%changelog
* ${dayOf(seconds)} ${maintainer} - ${version}-1
- As /usr/share/doc/ar-exec has it.
`;
}

/** As rpm wants it: `Thu May 28 2026`. */
function dayOf(seconds: number): string {
  return new Date(seconds * 1_000)
    .toUTCString()
    .replace(/^(\w+), (\d+) (\w+) (\d+) .*$/, '$1 $3 $2 $4');
}
