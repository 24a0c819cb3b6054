/**
 * Wine for the tests of Windows: Debian's packages of it, unpacked into the cache folder of the account
 * and never installed, with a prepared folder of drive C. A later run finds it there, from any clone.
 *
 * Wine 10 of Debian 13 is taken whatever Debian this is: older ones do not start Node 24 and later. So it
 * has its own C library, and runs under chroot in namespaces of its own (test/wine/machine.ts).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { downloadPackages, run } from './debian-packages.mjs';

/** To be raised when something below makes another root of the same packages. */
const version = 3;
const suite = 'trixie';

/** Of what Wine depends on, what programs without a window need. Sound, video and printers are not. */
const packages = [
  'wine64 libwine libz-mingw-w64 libc6 libc-bin libgcc-s1 libunwind8 liblzma5 zlib1g libfreetype6 libpng16-16t64',
  'libbrotli1 libbz2-1.0 libfontconfig1 libexpat1',
  // The compiler of test/wine/recorder.c.
  'gcc-mingw-w64-x86-64-win32 gcc-mingw-w64-x86-64-win32-runtime binutils-mingw-w64-x86-64',
  'mingw-w64-x86-64-dev mingw-w64-common libstdc++6 libgmp10 libmpfr6 libmpc3 libisl23 libzstd1',
].flatMap((line) => line.split(' '));

/** What of them is left out. Without programs of 32 bits it is half as large. */
const leftOut = [
  '*/i386-windows',
  '*/i686-w64-mingw32',
  '*/x86_64-w64-mingw32ucrt',
  './usr/share/doc',
];

const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ar-exec');

/** The folder that becomes the root; another list of packages, or another way to set up, is another one. */
export const wineRoot = join(
  cache,
  `wine-${hashOf([version, ...packages, ...leftOut].join('\n'))}`,
);

/** Why Wine cannot be had here; undefined when it is there. */
export function prepareWine(say) {
  if (existsSync(wineRoot)) return undefined;
  if (process.platform !== 'linux' || process.arch !== 'x64') return 'Wine is set up on Linux, x64';
  if (process.getuid() !== 0) return 'setting up Wine needs root (chroot)';
  if (spawnSync('dpkg-deb', ['--version']).status !== 0) return 'Wine is set up on Debian only';
  say(`setting up Wine in ${wineRoot} (once; a minute or two)`);
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-wine-'));
  try {
    const root = join(making, 'root');
    unpack(downloadPackages(making, { suite, packages }), root);
    makeDrive(root);
    renameSync(root, wineRoot);
    return undefined;
  } catch (error) {
    return existsSync(wineRoot) ? undefined : `Wine could not be set up: ${error.message}`;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function unpack(folder, root) {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(root, 'usr', name), { recursive: true });
    symlinkSync(`usr/${name}`, join(root, name));
  }
  const exclude = leftOut.map((pattern) => `--exclude=${pattern}`);
  const [archives, into] = ['"$0"', '"$1"'];
  const each = `for file in ${archives}/*.deb; do dpkg-deb --fsys-tarfile "$file" | tar -xC ${into} "\${@:2}" || exit; done`;
  run('bash', ['-o', 'pipefail', '-c', each, folder, root, ...exclude]);
  markBuiltin(root);
  for (const name of ['proc', 'sys', 'dev', 'tmp', 'etc/fonts', 'prefixes', 'recorders']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  writeFileSync(
    join(root, 'etc/fonts/fonts.conf'),
    '<fontconfig><cachedir>/tmp</cachedir></fontconfig>\n',
  );
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0:root:/prefixes:/bin/sh\n');
}

/** What the package's own script does when it is installed: a DLL of another package, as one of Wine's. */
function markBuiltin(root) {
  const library = readFileSync(join(root, 'usr/x86_64-w64-mingw32/lib/zlib1.dll'));
  Buffer.concat([Buffer.from('Wine builtin DLL'), Buffer.alloc(16)]).copy(library, 64);
  writeFileSync(join(root, 'usr/lib/x86_64-linux-gnu/wine/x86_64-windows/zlib1.dll'), library);
}

/** For a shell in namespaces of its own, whose $0 is the root. */
export const mountInside = [
  'mount --make-rprivate /',
  'mount -t proc proc "$0"/proc',
  'mount -t sysfs sysfs "$0"/sys',
  'mount --rbind /dev "$0"/dev',
].join(' && ');

function makeDrive(root) {
  // The server writes the registry down when it ends, which is after the last program has.
  const inside = [
    mountInside,
    'chroot "$0" /usr/lib/wine/wine64 wineboot -i',
    'chroot "$0" "$WINESERVER" -w',
  ];
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child'];
  run('unshare', [...namespaces, 'bash', '-c', inside.join(' && '), root], {
    timeout: 300_000,
    env: {
      PATH: process.env.PATH,
      WINEDEBUG: '-all',
      WINEPREFIX: '/prefix',
      WINESERVER: '/usr/lib/wine/wineserver64',
      LC_ALL: 'C.UTF-8',
    },
  });
}

function hashOf(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
