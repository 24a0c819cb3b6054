import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { requires } from '../requirements.ts';

const executable = resolve('build/out/ar-exec');
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

const start = (args: readonly string[], env: Record<string, string> = {}) =>
  execa(executable, args, { cwd: '/', env, extendEnv: false });

test('the executable needs nothing beside it, and knows its version', async () => {
  expect((await start(['--version'])).stdout).toContain(version);
});

describe('made again elsewhere, at another time, by somebody with other settings', () => {
  let folder: string;
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'ar-exec-')), 'with a space', 'deeper');
  });
  afterEach(() => rm(join(folder, '../..'), { recursive: true }));

  /** What goes into the executable, and the bundler; the Node is this one. */
  async function sources(): Promise<string[]> {
    const { packages } = JSON.parse(await readFile('package-lock.json', 'utf8'));
    const needed = Object.entries<{ dev?: boolean; optional?: boolean }>(packages)
      .filter(([name, { dev, optional }]) => /esbuild/.test(name) || !(dev || optional))
      .map(([name]) => name)
      .filter((name) => name !== '');
    const ours = ['agent', 'platform', 'build', 'tsconfig.json', 'package.json'];
    return [...ours, 'package-lock.json', ...needed];
  }

  test('it is the same, byte for byte', async () => {
    const isMade = (path: string) => path.startsWith(resolve('build/out'));
    for (const path of await sources()) {
      const filter = (from: string) => !isMade(resolve(from));
      await cp(path, join(folder, path), { recursive: true, filter }).catch((error) => {
        // The bundler of another platform.
        if (error.code !== 'ENOENT') throw error;
      });
    }
    const env = { TZ: 'Asia/Tokyo', LC_ALL: 'C', HOME: folder, USER: 'somebody' };
    const umask = "process.umask(0o077); await import('./build/executable.ts')";
    const words = ['--input-type=module', '--eval', umask];
    await execa(process.execPath, words, { cwd: folder, env });
    for (const name of ['ar-exec', 'ar-exec.mjs']) {
      const [here, there] = await Promise.all(
        [resolve('build/out', name), join(folder, 'build/out', name)].map((path) => readFile(path)),
      );
      expect({ name, same: there?.equals(here ?? Buffer.alloc(0)) }).toEqual({ name, same: true });
    }
  });
});

/** As it is, and with what the Node inside would do at the word of whoever starts it. */
describe('the environment has the Node inside do nothing: it may be started as root', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-'));
    await writeFile(join(folder, 'intruder.cjs'), "process.stdout.write('intruder')");
  });
  const node = (env: Record<string, string>) =>
    execa(process.execPath, ['-e', '0'], { env, reject: false });

  test('NODE_OPTIONS', async () => {
    const env = { NODE_OPTIONS: `--require=${join(folder, 'intruder.cjs')}` };
    expect((await start(['--version'], env)).stdout).not.toContain('intruder');
    // The same does run in an ordinary Node, so the test would notice.
    expect((await node(env)).stdout).toBe('intruder');
  });

  /** A provider is a library of native code. That there is none is told by who wants to load it. */
  test('OPENSSL_CONF', async () => {
    const configuration = join(folder, 'openssl.cnf');
    const sections = [
      'nodejs_conf = start\n[start]\nproviders = all\n[all]\nintruder = one',
      `[one]\nmodule = ${join(folder, 'intruder.so')}\nactivate = 1\n`,
    ];
    await writeFile(configuration, sections.join('\n'));
    const env = { OPENSSL_CONF: configuration };
    expect(await start(['--version'], env)).toMatchObject({ exitCode: 0, stdout: version });
    expect((await node(env)).exitCode).not.toBe(0);
  });

  test('folders that Node writes into', async () => {
    const env = {
      NODE_V8_COVERAGE: join(folder, 'coverage'),
      NODE_DEBUG: 'net,http',
      NODE_REDIRECT_WARNINGS: join(folder, 'warnings'),
      AR_EXEC_SOCKET: join(folder, 'none.sock'),
    };
    const before = await readdir(folder);
    const { stderr, exitCode } = await execa(executable, ['list'], {
      env,
      extendEnv: false,
      reject: false,
    });
    expect(exitCode).toBe(3);
    expect(stderr).toMatch(/^ar-exec: no agent answers/);
    expect(await readdir(folder)).toEqual(before);
    await node(env);
    expect(await readdir(folder)).toContain('coverage');
  });

  test('and the name that it is called by counts all the same', async () => {
    const called = join(folder, 'firewall-drop');
    await symlink(executable, called);
    const options = { env: { NODE_DEBUG: 'net' }, extendEnv: false, input: '', reject: false };
    const { stdout, stderr } = await execa(called, [], options as never);
    expect(`${stdout}${stderr}`).not.toMatch(/Say what to do|^NET /);
  });
});

/** The one that is looked at before our first line. That it is read cannot be switched off (docs/install.md). */
requires('strace')('NODE_COMPILE_CACHE', () => {
  test('is not written to, and what is in it is not taken unseen', async () => {
    const cache = join(await mkdtemp(join(tmpdir(), 'ar-exec-')), 'cache');
    const env = { NODE_COMPILE_CACHE: cache };
    await start(['--version'], env);
    const [made = ''] = await readdir(cache);
    expect(await readdir(cache, { recursive: true })).toEqual([made]);
    // Its name is made of that of the entry, and of what is in it.
    const { stderr } = await execa('strace', ['-f', '-e', 'openat', executable, '--version'], {
      env,
    });
    const [, name = ''] = new RegExp(`"${join(cache, made)}/(\\w+)"`).exec(stderr) ?? [];
    expect(name).not.toBe('');
    await writeFile(join(cache, made, name), 'x'.repeat(10_000));
    expect((await start(['--version'], env)).stdout).toBe(version);
  });
});
