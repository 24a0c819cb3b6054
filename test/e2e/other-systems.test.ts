/**
 * The bundle on each other Unix, as far as this machine can play it: Node says that it is that system,
 * and there is neither /proc nor /sys. Only what is made of files can be carried out here.
 */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type System, unixSystems } from '../../platform/system.ts';
import { requires } from '../requirements.ts';

const bundle = resolve('build/out/ar-exec.mjs');
const others = unixSystems.filter((one) => one !== 'linux');
const hide = 'mount -t tmpfs none /proc && mount -t tmpfs none /sys && exec "$@"';

requires('root', 'namespaces')('the bundle without /proc and /sys', () => {
  let home: string;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'ar-exec-'));
  });
  afterEach(async () => {
    await rm(home, { recursive: true });
  });

  /** A command line of that system; `unshare` gives it a network and mounts of its own. */
  const words = (system: System, args: readonly string[]): string[] => [
    ...['--mount', '--net', 'sh', '-c', hide, 'sh'],
    ...[process.execPath, '--require', join(home, `${system}.cjs`), bundle, ...args],
    ...['--config', join(home, 'conf'), '--state', join(home, 'state')],
    ...['--socket', join(home, 'socket')],
  ];

  test.each(others)('runs on %s, and carries out what needs files alone', async (system) => {
    const value = JSON.stringify(system);
    const play = `Object.defineProperty(process, 'platform', { value: ${value} });`;
    await writeFile(join(home, `${system}.cjs`), play);
    await writeFile(
      join(home, 'conf'),
      `<ar-exec>
        <block_folder>${home}/blocked</block_folder>
        <scripts_folder>${home}/scripts</scripts_folder>
        <active_responses_log>${home}/active-responses.log</active_responses_log>
        <manager_home>${home}/ossec</manager_home>
        <manager_queue>ossec</manager_queue>
      </ar-exec>`,
    );
    const logFile = join(home, 'log');
    const agent = execa('unshare', words(system, ['run']), {
      reject: false,
      stdout: { file: logFile },
      stderr: { file: logFile },
    });
    try {
      const log = () => readFile(logFile, 'utf8').catch(() => '');
      await expect.poll(log, { timeout: 15_000 }).toContain('"msg":"ready"');
      const ask = (...args: string[]) => execa('unshare', words(system, args), { reject: false });

      const status = await ask('status', '--json');
      const { ok, drivers } = JSON.parse(status.stdout);
      expect(ok).toBe(true);
      const names = drivers.map(({ driver }: { driver: string }) => driver);
      expect(names).toContain('block-file');
      expect(names).not.toContain('nftables');
      const added = await ask('add', 'ip-customblock', '--srcip', '203.0.113.7');
      expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('is in force') });
      expect(await readdir(join(home, 'blocked'))).toEqual(['203.0.113.7']);
      const deleted = await ask('delete', 'ip-customblock', '--srcip', '203.0.113.7');
      expect(deleted).toMatchObject({ exitCode: 0 });
      expect(await readdir(join(home, 'blocked'))).toEqual([]);
      const doctor = await ask('doctor', '--json');
      expect(doctor.stdout).toContain('"id":"execd-not-replaced"');
      expect(doctor.stdout).not.toMatch(/"id":"(clock-unknown|no-ipv6|modules-missing)"/);
    } finally {
      agent.kill('SIGTERM');
    }
    expect(await agent).toMatchObject({ exitCode: 0 });
  });
});
