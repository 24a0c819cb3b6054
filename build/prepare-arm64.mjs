/**
 * What starts programs for arm64 on a machine that is none: QEMU's emulation of a process, and the libraries
 * that the executable is linked with, from Debian's packages, unpacked into the cache folder of the account.
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { downloadPackages, run } from './debian-packages.mjs';

const suite = 'bookworm';
const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ar-exec');
const folder = join(cache, `arm64-${suite}-1`);

/** The first words of a command line, up to the program. */
export const onArm64 = [
  join(folder, 'emulator', 'usr', 'bin', 'qemu-aarch64-static'),
  '-L',
  join(folder, 'libraries'),
];

/** Why it cannot be had here; undefined when it is there. */
export function prepareArm64(say) {
  if (existsSync(folder)) return undefined;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return 'arm64 is emulated on Linux, x64';
  say(`unpacking what emulates arm64 into ${folder} (once)`);
  mkdirSync(cache, { recursive: true });
  const making = mkdtempSync(join(cache, 'making-arm64-'));
  const fetch = (name, architecture, packages) => {
    const from = downloadPackages(join(making, architecture), { suite, architecture, packages });
    for (const file of readdirSync(from)) {
      run('dpkg-deb', ['--extract', join(from, file), join(making, 'made', name)]);
    }
  };
  try {
    mkdirSync(join(making, 'made'));
    fetch('emulator', 'amd64', ['qemu-user-static']);
    fetch('libraries', 'arm64', ['libatomic1', 'libc6', 'libgcc-s1', 'libstdc++6']);
    renameSync(join(making, 'made'), folder);
    return undefined;
  } catch (error) {
    return existsSync(folder) ? undefined : `arm64 cannot be emulated: ${error.message}`;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}
