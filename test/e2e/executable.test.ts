import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';

const executable = resolve('build/out/ar-exec');
const { version } = JSON.parse(await readFile('package.json', 'utf8'));

const start = (args: readonly string[], env: Record<string, string> = {}) =>
  execa(executable, args, { cwd: '/', env, extendEnv: false });

test('the executable needs nothing beside it, and knows its version', async () => {
  expect((await start(['--version'])).stdout).toContain(version);
});

test('NODE_OPTIONS makes it run nothing: it may be started as root', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-'));
  const script = join(folder, 'intruder.cjs');
  await writeFile(script, "process.stdout.write('intruder')");
  const env = { NODE_OPTIONS: `--require=${script}` };

  expect((await start(['--version'], env)).stdout).not.toContain('intruder');
  // The same does run in an ordinary Node, so the test would notice.
  const node = await execa(process.execPath, ['-e', '0'], { env });
  expect(node.stdout).toBe('intruder');
});
