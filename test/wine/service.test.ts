/**
 * The agent as a service of Windows, with Wine's own service control manager, registry and event log: from
 * `service install` to `service remove`. Wine's sc.exe knows half of its verbs, and its icacls.exe does
 * nothing: recorders stand in their place, which have the real sc.exe do what it can.
 */

import { existsSync } from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { requires } from '../requirements.ts';
import { arExec, newWineMachine, system32, type WineMachine } from './machine.ts';
import type { Call, Reply } from './recorder.ts';

const installed = 'C:\\Program Files\\ar-exec\\ar-exec.exe';
const commandLineOf = '"C:\\Program Files\\ar-exec\\ar-exec.exe" run --service';

requires('root', 'wine')('the service of Windows', () => {
  let machine: WineMachine;
  let calls: readonly Call[];
  beforeAll(async () => {
    machine = await newWineMachine();
    const file = (name: string) => join(machine.drive, system32, name);
    await copyFile(file('sc.exe'), join(machine.drive, 'sc-of-wine.exe'));
    // While one program runs, Wine's services do.
    const keeper = await machine.record(['keeper.exe'], () => new Promise<Reply>(() => {}));
    // What Wine's event log is told stands in what it says of itself; services have that from the first.
    await machine.start('C:\\keeper.exe', [], { env: { WINEDEBUG: '-all,+eventlog' } });
    await vi.waitFor(() => expect(keeper.calls).toHaveLength(1), 60_000);
    const tools = ['sc', 'icacls', 'netsh', 'route'].map((name) => `${system32}/${name}.exe`);
    ({ calls } = await machine.record(tools, async ({ tool, commandLine }) => {
      if (tool !== 'sc') return { exitCode: tool === 'icacls' ? 0 : 1 };
      const words = wordsOf(commandLine).slice(1);
      if (words[0] === 'description' || words[0] === 'failure') return {};
      if (words[0] === 'config') return {};
      const { exitCode = 1, stdout } = await machine.run('C:\\sc-of-wine.exe', words);
      return { exitCode, stdout };
    }));
  });
  afterAll(() => machine?.close());

  const arExecSays = (...words: string[]) => machine.run(arExec, words);
  const state = async () => {
    const { stdout } = await machine.run('C:\\sc-of-wine.exe', ['query', 'ar-exec']);
    return /STATE\s+: (\d)/.exec(stdout)?.[1];
  };
  const until = async (wanted: string | undefined) => {
    for (let tries = 0; tries < 40 && (await state()) !== wanted; tries += 1);
    expect(await state()).toBe(wanted);
  };
  /** The texts of all entries, in their order. */
  const eventLog = async () => {
    const folder = join(machine.drive, '..', 'outputs');
    const said = await readFile(join(folder, '1.err'), 'utf8');
    return [...said.matchAll(/:ReportEventW L"(.*)"/g)].map(([, text = '']) => text);
  };
  /** Wine's net.exe does not wait until the end; that of Windows does. */
  const stop = async () => {
    expect(await machine.run('net', ['stop', 'ar-exec'])).toMatchObject({ exitCode: 0 });
    await until('1');
  };
  const processOf = async () => {
    const { stdout } = await arExecSays('status', '--json');
    return JSON.parse(stdout).pid as number;
  };

  it('is none at first', async () => {
    expect(await arExecSays('service', 'status')).toMatchObject({
      exitCode: 10,
      stdout: 'ar-exec is no service of this machine.\n',
    });
  });

  it('cannot be started as one by hand', async () => {
    const { exitCode, stderr } = await arExecSays('run', '--service');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('the service control manager of Windows did not start this');
  });

  it('is installed, started, and answers on its pipe', async () => {
    const { exitCode, stdout, stderr } = await arExecSays('service', 'install');
    expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' });
    await until('4');
    expect(await arExecSays('service', 'status', '--json')).toMatchObject({
      exitCode: 0,
      stdout: '{"ok":true,"installed":true,"running":true}\n',
    });
    expect(await processOf()).toBeGreaterThan(0);
    const { stdout: key } = await machine.run('reg', [
      'query',
      'HKLM\\SYSTEM\\CurrentControlSet\\Services\\ar-exec',
    ]);
    expect(key).toContain(commandLineOf);
    expect(key).toMatch(/Start\s+REG_DWORD\s+0x2\b/);
    expect(key).toMatch(/ObjectName\s+REG_SZ\s+LocalSystem/);
    const { stdout: source } = await machine.run('reg', [
      'query',
      'HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\ar-exec',
    ]);
    expect(source).toMatch(
      /EventMessageFile\s+REG_EXPAND_SZ\s+%SystemRoot%\\System32\\EventCreate\.exe/,
    );
  });

  it('had its tools called by their full path, with these words byte for byte', () => {
    const folder = 'c:\\windows\\system32';
    const lines = calls
      .map(({ tool, image, commandLine }) => ({
        tool,
        image,
        words: wordsOf(commandLine).slice(1),
      }))
      // The agent looks for a manager's service.
      .filter(({ tool, words }) => tool === 'icacls' || (tool === 'sc' && words[0] !== 'query'));
    expect(lines.map(({ image }) => image.toLowerCase())).toEqual([
      ...Array(2).fill(`${folder}\\icacls.exe`),
      ...Array(3).fill(`${folder}\\sc.exe`),
    ]);
    expect(lines.map(({ words }) => words)).toEqual([
      ['C:\\ProgramData\\ar-exec', '/setowner', '*S-1-5-32-544', '/Q'],
      [
        'C:\\ProgramData\\ar-exec',
        '/inheritance:r',
        '/grant:r',
        '*S-1-5-18:(OI)(CI)F',
        '*S-1-5-32-544:(OI)(CI)F',
        '/Q',
      ],
      [
        ...['create', 'ar-exec', 'type=', 'own', 'start=', 'auto', 'error=', 'normal'],
        ...['binPath=', commandLineOf, 'obj=', 'LocalSystem'],
        ...['DisplayName=', 'ar-exec (active responses)'],
      ],
      ['description', 'ar-exec', 'Carries out active responses, and takes them back on time.'],
      [
        ...['failure', 'ar-exec', 'reset=', '86400'],
        ...['actions=', 'restart/2000/restart/10000/restart/60000'],
      ],
    ]);
  });

  it('a second agent is refused, whoever starts it', async () => {
    expect(await machine.run(installed, ['run'])).toMatchObject({
      exitCode: 4,
      stderr: expect.stringContaining('[agent-running]'),
    });
  });

  it('stops cleanly when it is told to, and starts again', async () => {
    const before = await processOf();
    await stop();
    const log = join(machine.drive, 'ProgramData/ar-exec/logs/ar-exec.log');
    expect(await readFile(log, 'utf8')).toMatch(/"msg":"stopped"}\n$/);
    expect(await machine.run('net', ['start', 'ar-exec'])).toMatchObject({ exitCode: 0 });
    await until('4');
    expect(await processOf()).not.toBe(before);
  });

  it('installed again, nothing is changed, and the same agent goes on', async () => {
    const before = await processOf();
    const { exitCode, stdout } = await arExecSays('service', 'install');
    expect(exitCode).toBe(0);
    expect(stdout).toContain('sc.exe config ar-exec');
    expect(stdout).not.toContain('net.exe');
    expect(await processOf()).toBe(before);
  });

  it('with a configuration that is broken it says so, has stopped, and is not to be tried again', async () => {
    const config = join(machine.drive, 'ProgramData/ar-exec/ar-exec.conf');
    await stop();
    await writeFile(config, '<ossec_config><broken');
    await machine.run('net', ['start', 'ar-exec']);
    await until('1');
    const { stdout } = await machine.run('C:\\sc-of-wine.exe', ['query', 'ar-exec']);
    expect(stdout).toMatch(/WIN32_EXIT_CODE\s+: 1066\b/);
    expect(stdout).toMatch(/SERVICE_EXIT_CODE\s+: 8\b/);
    await rm(config);
    expect(await machine.run('net', ['start', 'ar-exec'])).toMatchObject({ exitCode: 0 });
    await until('4');
  });

  it('the event log was told of each start and end, and why it did not run', async () => {
    const texts = (await eventLog()).map((line) => line.replace(/\d+/g, 'N'));
    expect(texts).toEqual([
      'The agent runs, version N.N.N, process N.',
      'The agent has stopped.',
      'The agent runs, version N.N.N, process N.',
      'The agent has stopped.',
      expect.stringMatching(/^The agent does not run: .*ar-exec\.conf/),
      'The agent runs, version N.N.N, process N.',
    ]);
  });

  it('removed, nothing is left of it but what is the user’s', async () => {
    const { exitCode, stderr } = await arExecSays('service', 'remove');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('C:\\ProgramData\\ar-exec) stay');
    expect(await state()).toBeUndefined();
    const { stdout } = await machine.run('reg', [
      'query',
      'HKLM\\SYSTEM\\CurrentControlSet\\Services',
    ]);
    expect(stdout).not.toContain('ar-exec');
    expect(existsSync(join(machine.drive, 'Program Files/ar-exec'))).toBe(false);
    expect(existsSync(join(machine.drive, 'ProgramData/ar-exec/state/journal.db'))).toBe(true);
  });
});

/** A command line, taken apart as Windows' C library does. */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  for (const [found] of line.matchAll(/(?:[^\s"\\]|\\+"?|"(?:[^"\\]|\\+.)*"?)+/g)) {
    const bare = found.replace(/^"(.*)"$/s, '$1').replace(/(\\+)"/g, (_, slashes: string) => {
      const half = '\\'.repeat(Math.floor(slashes.length / 2));
      return slashes.length % 2 === 1 ? `${half}"` : half;
    });
    words.push(bare);
  }
  return words;
}
