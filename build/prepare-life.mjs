/**
 * What the tests in test/life/ need: tools that make and look at packages, and a small Debian of each
 * release to boot, which is made once and kept in the cache folder of the account. A later run finds it
 * there, from any clone.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { downloadPackages, mirror } from './debian-packages.mjs';

/** Releases that an installation is led through its life on. */
export const releases = ['bookworm', 'trixie'];

/** What is in them besides what every Debian has: what a server that ar-exec comes to has already. */
const inside = [
  'dbus',
  'firewalld',
  'iproute2',
  'iptables',
  'libatomic1',
  // firewalld needs "logind", which is no package, and debootstrap does not look for who provides it.
  'libpam-systemd',
  'libstdc++6',
  'nftables',
  'systemd',
  'systemd-sysv',
];

/** What starts a Debian that has no systemd; unpacked over the first release by the test that is about it. */
const inits = {
  openrc: ['insserv', 'libeinfo1', 'librc1', 'openrc'],
  sysv: ['initscripts', 'insserv', 'startpar', 'sysv-rc', 'sysvinit-utils'],
};

/** Command → the package of Debian that has it. */
const tools = {
  debootstrap: 'debootstrap',
  'systemd-nspawn': 'systemd-container',
  pgrep: 'procps',
  xz: 'xz-utils',
  strip: 'binutils',
  lintian: 'lintian',
  rpmbuild: 'rpm',
  rpmlint: 'rpmlint',
  man: 'man-db',
  mandoc: 'mandoc',
  zsh: 'zsh',
  fish: 'fish',
  shellcheck: 'shellcheck',
};

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ar-exec');

/** Where the Debian of a release is, once it is made. What it is made of is part of its name. */
export function baseFolder(release) {
  return join(cache, `debian-${release}-${hashOf(inside)}`);
}

function hashOf(packages) {
  return createHash('sha256').update(packages.join(' ')).digest('hex').slice(0, 12);
}

/** Where the packages of an init are, once they have been fetched. */
export function initFolder(init) {
  const [release] = releases;
  return join(cache, `init-${init}-${release}-${hashOf(inits[init])}`);
}

/** Why the tests cannot be run here; undefined when all is there. */
export function prepareLife(say) {
  if (process.platform !== 'linux') return 'an installation on Debian is tested on Linux';
  if (process.getuid() !== 0 || !isHere('apt-get')) {
    return 'making a Debian to boot in tests needs root, and apt';
  }
  const missing = () => Object.keys(tools).filter((tool) => !isHere(tool));
  if (missing().length > 0) install(missing(), say);
  if (missing().length > 0) return `these tools are missing: ${missing().join(', ')}`;
  for (const release of releases) {
    if (existsSync(baseFolder(release))) continue;
    say(`making a Debian of its own to boot in tests: ${release}`);
    const trouble = makeBase(release);
    if (trouble !== undefined) return trouble;
  }
  for (const init of Object.keys(inits)) {
    if (existsSync(initFolder(init))) continue;
    const trouble = fetchInit(init);
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}

function fetchInit(init) {
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-'));
  const [suite] = releases;
  const { arch } = process;
  const architecture = arch === 'x64' ? 'amd64' : arch;
  try {
    renameSync(
      downloadPackages(making, { suite, architecture, packages: inits[init] }),
      initFolder(init),
    );
    return undefined;
  } catch (error) {
    return existsSync(initFolder(init)) ? undefined : error.message;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function install(missing, say) {
  const names = [...new Set(missing.map((tool) => tools[tool]))].sort();
  say(`installing ${names.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = ['-qq', '-o', 'DPkg::Lock::Timeout=120'];
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', ...names]]) {
    const { status, stdout, stderr } = run('apt-get', [...options, ...args], { env });
    if (status !== 0) say(`apt-get ${args[0]} failed:\n${stdout}${stderr}`);
  }
}

/** In memory, since dpkg waits for the disk after every file, and put in its place when it is whole. */
function makeBase(release) {
  const memory = mkdtempSync(join(tmpdir(), 'ar-exec-base-'));
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-'));
  try {
    must('mount', ['-t', 'tmpfs', '-o', 'size=2g,mode=755', 'none', memory]);
    const root = join(memory, 'root');
    const include = `--include=${inside.join(',')}`;
    must('debootstrap', ['--variant=minbase', include, release, root, mirror()]);
    // It is turned on by the test that is about it.
    must('systemctl', ['--root', root, 'disable', 'firewalld.service']);
    rmSync(join(root, 'usr/sbin/policy-rc.d'), { force: true });
    rmSync(join(root, 'var/cache/apt/archives'), { recursive: true });
    writeFileSync(join(root, 'etc/hostname'), `life-${release}\n`);
    must('cp', ['-a', root, join(making, 'root')]);
    renameSync(join(making, 'root'), baseFolder(release));
    return undefined;
  } catch (error) {
    return error.message;
  } finally {
    run('umount', [memory]);
    rmSync(memory, { recursive: true, force: true });
    rmSync(making, { recursive: true, force: true });
  }
}

function must(command, args) {
  const { status, stdout, stderr, error } = run(command, args);
  if (status === 0) return;
  const said = `${stdout}${stderr}`.split('\n').slice(-15).join('\n');
  throw new Error(`${command}: ${error?.message ?? said}`);
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, ...options });
}

function isHere(tool) {
  return run('sh', ['-c', `command -v ${tool}`]).status === 0;
}
