/** What is installed where, on Linux and on the others: hier(7), and the FHS. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defaultPaths } from '../../agent/config/default-paths.ts';
import { logrotateText } from '../../agent/service/files.ts';
import { openrcScript, sysvScript } from '../../agent/service/init-scripts.ts';
import { layoutOf } from '../../agent/service/layout.ts';
import { firewallUnit, systemdUnit } from '../../agent/service/systemd.ts';
import { completionFiles } from './completions.ts';
import { type Entry, file } from './entry.ts';
import { configurationPage, programPage } from './manual.ts';
import { gzip } from './tar.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path));
/** For who makes ar-exec, not for who runs it. */
const notForUsers = ['architecture.md', 'dependencies.md', 'testing.md'];

/** A package of Linux, with the executable of its platform. */
export function installed(executable: Buffer): Entry[] {
  const layout = {
    ...layoutOf(
      'linux',
      defaultPaths('linux', () => false),
    ),
    program: { kind: 'executable', file: '/usr/bin/ar-exec' },
  } as const;
  const doc = '/usr/share/doc/ar-exec';
  return [
    file('/usr/bin/ar-exec', 0o755, executable),
    { ...file('/etc/ar-exec/ar-exec.conf', 0o644, configuration), config: true } as Entry,
    { ...file('/etc/logrotate.d/ar-exec', 0o644, rotation()), config: true } as Entry,
    { ...file('/etc/init.d/ar-exec', 0o755, sysvScript(layout)), config: true } as Entry,
    file('/usr/lib/systemd/system/ar-exec.service', 0o644, systemdUnit(layout)),
    file('/usr/lib/systemd/system/ar-exec-firewall.service', 0o644, firewallUnit()),
    file(
      '/usr/lib/systemd/system/ar-exec-execq.socket',
      0o644,
      read('scripts/systemd/ar-exec-execq.socket'),
    ),
    file('/usr/lib/sysusers.d/ar-exec.conf', 0o644, sysusers),
    file('/usr/lib/tmpfiles.d/ar-exec.conf', 0o644, tmpfiles),
    file('/usr/lib/ar-exec/execd-stand-in', 0o755, read('scripts/execd/stand-in')),
    ...globbed('scripts/wazuh/*.xml', '/usr/share/ar-exec/wazuh'),
    file('/usr/share/ar-exec/openrc/ar-exec', 0o755, openrcScript(layout)),
    file('/usr/share/man/man8/ar-exec.8.gz', 0o644, gzip(Buffer.from(programPage()))),
    file('/usr/share/man/man5/ar-exec.conf.5.gz', 0o644, gzip(Buffer.from(configurationPage()))),
    ...completionFiles().map(([path, text]) => file(path, 0o644, text)),
    file(`${doc}/copyright`, 0o644, copyright),
    file(`${doc}/CHANGELOG.md`, 0o644, read('CHANGELOG.md')),
    file('/usr/share/lintian/overrides/ar-exec', 0o644, overrides),
    ...documents().map((one) => ({ ...one, path: `${doc}/${one.path.slice(1)}` })),
    ...globbed('scripts/examples/*', `${doc}/examples`),
  ];
}

/** An archive to be unpacked anywhere: "ar-exec service install" puts things in their places. */
export function unpacked(program: Entry, system: 'unix' | 'windows'): Entry[] {
  const shared = [
    program,
    file('/LICENSE', 0o644, read('LICENSE')),
    file('/README.md', 0o644, read('README.md')),
    file('/CHANGELOG.md', 0o644, read('CHANGELOG.md')),
    ...documents().map((one) => ({ ...one, path: `/docs${one.path}` })),
  ];
  if (system === 'windows') return shared;
  return [
    ...shared,
    file('/man/ar-exec.8', 0o644, programPage()),
    file('/man/ar-exec.conf.5', 0o644, configurationPage()),
    ...completionFiles().map(([path, text]) => file(`/completions/${shellOf(path)}`, 0o644, text)),
    ...globbed('scripts/**/*', '/scripts', 'scripts'),
  ];
}

/** The folder after "share" is the shell's. */
function shellOf(path: string): string {
  const [, , , shell = ''] = path.split('/');
  return `${shell.replace('-completion', '')}/${basename(path)}`;
}

function documents(): Entry[] {
  return globSync(['docs/*.md', 'docs/drivers/*.md'], { cwd: root })
    .sort()
    .filter((path) => !notForUsers.includes(basename(path)))
    .map((path) => file(path.replace('docs', ''), 0o644, read(path)));
}

function globbed(pattern: string, to: string, from?: string): Entry[] {
  return globSync(pattern, { cwd: root, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(root.length))
    .sort()
    .map((path) => {
      const text = read(path);
      const name = from === undefined ? `/${basename(path)}` : path.slice(from.length);
      return file(`${to}${name}`, text.toString('latin1', 0, 2) === '#!' ? 0o755 : 0o644, text);
    });
}

const configuration = `<!-- Settings of ar-exec: ar-exec.conf(5). Every one has a default, so that none has to be here.
     "ar-exec config check" looks whether it is in order, and "systemctl reload ar-exec" reads it anew.
     Commands and active responses of an ossec.conf can be here, too. -->
<ar-exec>
  <!-- <never_block>192.0.2.10, 198.51.100.0/24</never_block> -->
</ar-exec>
`;

function rotation(): string {
  return logrotateText({ folder: '/var/log/ar-exec' });
}

const sysusers = `# Whoever is in it may ask the agent.
g ar-exec -
`;

const tmpfiles = `d /var/lib/ar-exec 0700 root root -
d /var/log/ar-exec 0755 root root -
`;

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: ar-exec

Files: *
Copyright: 2026 the authors of ar-exec
License: Apache-2.0
 On Debian systems, the text of the Apache License 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
Comment:
 /usr/bin/ar-exec holds Node.js (MIT, with parts under other licences, see
 https://github.com/nodejs/node/blob/main/LICENSE), and libraries from npm. The bill of
 materials (CycloneDX) that is published beside this package names each of them with
 its version and licence.
`;

const overrides = `# One file that needs nothing beside it: Node.js, as its project builds it, is inside.
ar-exec: embedded-library *
ar-exec: hardening-no-pie *
# It has to start whenever a firewall does.
ar-exec: systemd-service-file-refers-to-unusual-wantedby-target *
# For systems with OpenRC, as a file to copy.
ar-exec: unusual-interpreter */openrc/ar-exec*
# It says what it does itself, with or without the functions of the LSB.
ar-exec: init.d-script-does-not-source-init-functions *
`;
