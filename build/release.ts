/**
 * Everything that is published, in build/out/release: an executable for each platform, packages, archives,
 * a bill of materials, and the sums of all.
 *
 *   node build/release.ts
 *
 * The executables have been made before (build/executable.ts all). Two builds of one commit give the same
 * bytes, wherever they are made, with the same versions of strip, xz and rpmbuild. Whom the packages name
 * is in build/package/publisher.ts.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { small } from './package/compress.ts';
import { installed, unpacked } from './package/contents.ts';
import { deb, debianArch } from './package/deb.ts';
import { file } from './package/entry.ts';
import { publisher } from './package/publisher.ts';
import { rpm, rpmArch } from './package/rpm.ts';
import { billOfMaterials } from './package/sbom.ts';
import { gzip, tar, zip } from './package/tar.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'build', 'out');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
const seconds = commitTime();
const publishedBy = publisher(process.env, root);
const made = new Map<string, string>();
const folder = join(out, 'release.making');

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
for (const arch of ['x64', 'arm64'] as const) {
  const executable = await readFile(join(out, `ar-exec-linux-${arch}`));
  await archive(`linux-${arch}`, executable);
  const entries = installed(executable);
  const wanted = { version, arch, entries, seconds, publisher: publishedBy };
  const packed = await deb({ ...wanted, packing: small });
  // What an administrator is told that it stays below.
  if (packed.length >= 32_000_000) throw new Error(`the .deb of ${arch} has become too large`);
  await write(`ar-exec_${version}_${debianArch[arch]}.deb`, packed);
  await write(`ar-exec-${version}-1.${rpmArch[arch]}.rpm`, await rpm(wanted));
}
for (const platform of ['darwin-x64', 'darwin-arm64']) {
  await archive(platform, await readFile(join(out, `ar-exec-${platform}`)));
}
const windows = file('/ar-exec.exe', 0o755, await readFile(join(out, 'ar-exec.exe')));
const name = `ar-exec-${version}-win-x64`;
await write(`${name}.zip`, zip(unpacked(windows, 'windows'), name, seconds));
await write(`ar-exec-${version}.mjs`, await readFile(join(out, 'ar-exec.mjs')));
await write(`ar-exec-${version}.cdx.json`, Buffer.from(billOfMaterials(seconds)));
const sums = [...made].sort(([a], [b]) => (a < b ? -1 : 1)).map(([one, sum]) => `${sum}  ${one}\n`);
await writeFile(join(folder, 'SHA256SUMS'), sums.join(''));
await rm(join(out, 'release'), { recursive: true, force: true });
await rename(folder, join(out, 'release'));

async function archive(platform: string, executable: Buffer): Promise<void> {
  const name = `ar-exec-${version}-${platform}`;
  const entries = unpacked(file('/ar-exec', 0o755, executable), 'unix');
  await write(`${name}.tar.gz`, gzip(tar(entries, name, seconds)));
}

async function write(name: string, bytes: Buffer): Promise<void> {
  await writeFile(join(folder, name), bytes);
  made.set(name, createHash('sha256').update(bytes).digest('hex'));
  process.stderr.write(`build: ${name}, ${(bytes.length / 1e6).toFixed(1)} MB\n`);
}

/** Of the commit, so that it does not depend on when it is built; without one, of the beginning of 2026. */
function commitTime(): number {
  const { SOURCE_DATE_EPOCH: said } = process.env;
  if (said !== undefined) return Number(said);
  const git = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return git.status === 0 ? Number(git.stdout) : 1_767_225_600;
}
