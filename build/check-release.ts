/**
 * Looks at what is about to be published, build/out/release, as whoever takes it would: sums, the packages by
 * the tools of both families, and each executable that can be started here, at real work with a journal.
 *
 *   node build/check-release.ts
 *
 * As root, since it is root that the agent works as; what it does stays in a folder and in a network of its own.
 * The one for Windows is what the tests in test/wine/ run. Nothing here can start those for macOS.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onArm64 } from './prepare-arm64.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const release = join(root, 'build', 'out', 'release');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'ar-exec-release-'));

try {
  run(['sha256sum', '--check', '--strict', '--quiet', 'SHA256SUMS']);
  done('the sums are right');
  for (const deb of globSync('*.deb', { cwd: release })) {
    const said = run(['lintian', '--allow-root', deb]);
    if (said !== '') throw new Error(`lintian of ${deb}: ${said}`);
    done(`lintian finds nothing in ${deb}`);
  }
  for (const rpm of globSync('*.rpm', { cwd: release })) {
    const said = run(['rpmlint', '--config', join(root, 'build/package/rpmlint.toml'), rpm]);
    if (!said.includes(' 0 errors, 0 warnings, ')) throw new Error(`rpmlint of ${rpm}: ${said}`);
    done(`rpmlint finds nothing in ${rpm}`);
  }
  work('linux-x64', []);
  work('linux-arm64', onArm64);
  tryOut('the file for a Node that is installed', [
    process.execPath,
    join(release, `ar-exec-${version}.mjs`),
  ]);
} finally {
  rmSync(folder, { recursive: true });
}

function work(platform: string, emulator: readonly string[]): void {
  const name = `ar-exec-${version}-${platform}`;
  run(['tar', '-xzf', `${name}.tar.gz`, '-C', folder]);
  tryOut(platform, [...emulator, join(folder, name, 'ar-exec')]);
}

/** Blocks an address and gives it back, without an agent: drivers, journal and files are all at work. */
function tryOut(what: string, program: readonly string[]): void {
  const own = mkdtempSync(join(folder, 'try-'));
  const denied = join(own, 'hosts.deny');
  mkdirSync(join(own, 'state'), { mode: 0o700 });
  writeFileSync(
    join(own, 'ar-exec.conf'),
    `<ar-exec><hosts_deny_file>${denied}</hosts_deny_file><active_responses_log>${own}/log</active_responses_log></ar-exec>`,
  );
  const env = {
    AR_EXEC_CONFIG: join(own, 'ar-exec.conf'),
    AR_EXEC_STATE: join(own, 'state'),
    AR_EXEC_SOCKET: join(own, 'socket'),
  };
  const said = run([...program, '--version'], env).trim();
  if (said !== version) throw new Error(`${what} says that it is ${said}`);
  for (const verb of ['add', 'delete']) {
    const words = [verb, 'host-deny', '--srcip', '203.0.113.7', '--direct'];
    run(['unshare', '--net', ...program, ...words], env);
    const isDenied = existsSync(denied) && readFileSync(denied, 'utf8').includes('203.0.113.7');
    if (isDenied !== (verb === 'add')) throw new Error(`${what}: ${verb} did not do its work`);
  }
  done(`${what} starts, blocks, and takes it back`);
}

function run([command = '', ...args]: readonly string[], env: Record<string, string> = {}): string {
  const result = spawnSync(command, args, {
    cwd: release,
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  if (result.status === 0) return result.stdout;
  const said = result.error?.message ?? `${result.stdout}${result.stderr}`;
  throw new Error(`${command} ${args.join(' ')}: ${said}`);
}

function done(text: string): void {
  process.stdout.write(`✓ ${text}\n`);
}
