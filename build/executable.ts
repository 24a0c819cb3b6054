/**
 * Builds the agent for this machine: build/out/ar-exec, one file that needs nothing beside it, and
 * its JavaScript, build/out/ar-exec.mjs, for systems that have a Node of their own.
 *
 * To be run by the Node that goes into it. With the same inputs a second run does nothing.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'build', 'out');
const inputs = [
  'agent/**/*.ts',
  'platform/**/*.ts',
  'build/executable.ts',
  'package.json',
  'package-lock.json',
];

const wanted = await fingerprint();
const stamp = join(out, 'ar-exec.inputs');
const upToDate =
  existsSync(join(out, 'ar-exec')) &&
  existsSync(join(out, 'ar-exec.mjs')) &&
  (await readFile(stamp, 'utf8').catch(() => '')) === wanted;
if (!upToDate) await build();

/** What the result depends on: the sources, the libraries' versions and the Node that goes into it. */
async function fingerprint(): Promise<string> {
  const hash = createHash('sha256');
  hash.update(`${process.version} ${process.platform} ${process.arch}\n`);
  for (const file of globSync(inputs, { cwd: root }).sort()) {
    const content = await readFile(join(root, file));
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** Everything is made elsewhere and renamed, so that a running agent or test never sees half a file. */
async function build(): Promise<void> {
  const started = performance.now();
  await mkdir(out, { recursive: true });
  const folder = await mkdtemp(join(out, 'making-'));
  try {
    await bundle(join(folder, 'ar-exec.mjs'));
    await makeExecutable(folder, makeBase(folder));
    await rename(join(folder, 'ar-exec.mjs'), join(out, 'ar-exec.mjs'));
    await rename(join(folder, 'ar-exec'), join(out, 'ar-exec'));
    await writeFile(stamp, wanted);
  } finally {
    await rm(folder, { recursive: true });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`build: build/out/ar-exec made in ${seconds} s\n`);
}

/**
 * One ES module. Code splitting stays off: a single executable can import built-in modules only.
 * What is imported dynamically still runs at its first import and not before.
 */
async function bundle(outfile: string): Promise<void> {
  const esbuild = await import('esbuild');
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await esbuild.build({
    absWorkingDir: root,
    entryPoints: ['agent/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node26',
    define: { AR_EXEC_VERSION: JSON.stringify(version) },
    // pino is CommonJS and requires built-in modules; a module has no `require` of its own.
    banner: {
      js: [
        "import { createRequire as createBundleRequire } from 'node:module';",
        'const require = createBundleRequire(import.meta.url);',
      ].join('\n'),
    },
    logLevel: 'warning',
  });
}

/**
 * The Node that carries the bundle: the running one, without its symbol table where `strip` is at
 * hand (151 → 118 MB; the same input gives the same bytes).
 */
function makeBase(folder: string): string {
  if (process.platform !== 'linux') return process.execPath;
  const base = join(folder, 'node');
  const result = spawnSync('strip', ['-o', base, process.execPath], { stdio: 'ignore' });
  return result.status === 0 ? base : process.execPath;
}

async function makeExecutable(folder: string, executable: string): Promise<void> {
  await writeFile(
    join(folder, 'executable.json'),
    JSON.stringify({
      // The names become part of the executable: relative ones are the same on every machine.
      main: 'ar-exec.mjs',
      mainFormat: 'module',
      executable,
      output: 'ar-exec',
      disableExperimentalSEAWarning: true,
      // Otherwise NODE_OPTIONS=--require=x.cjs would run x.cjs inside a daemon that is root.
      execArgvExtension: 'none',
      // Both make two builds of the same sources differ, and gain a few milliseconds.
      useSnapshot: false,
      useCodeCache: false,
    }),
  );
  const options = { cwd: folder, encoding: 'utf8' } as const;
  const result = spawnSync(process.execPath, ['--build-sea', 'executable.json'], options);
  if (result.status !== 0) throw new Error(`node --build-sea: ${result.stderr || result.stdout}`);
}
