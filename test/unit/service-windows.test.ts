/** `ar-exec service` on Windows: what is planned, and what comes of it with its tools played. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultPaths } from '../../agent/config/default-paths.ts';
import { carryOut } from '../../agent/service/carry-out.ts';
import type { Change } from '../../agent/service/change.ts';
import { windowsLayout } from '../../agent/service/windows/layout.ts';
import { planWindowsInstall, planWindowsRemove } from '../../agent/service/windows/plan.ts';
import { windowsText } from '../../agent/service/windows/text.ts';
import { controlHandler, serviceMain } from '../../agent/system/windows/service-stubs.ts';
import { type WindowsMachine, windowsMachine } from '../sim/windows-services.ts';

const layout = windowsLayout(defaultPaths('win32', () => false));
const wish = { layout, from: 'C:\\new\\ar-exec.exe', exists: false, start: true };

test('the whole plan, as a person sees it', () => {
  expect(planWindowsInstall(wish).map(windowsText).join('\n')).toMatchInlineSnapshot(`
    "mkdir "C:\\Program Files\\ar-exec"
    copy C:\\new\\ar-exec.exe "C:\\Program Files\\ar-exec\\ar-exec.exe"
    mkdir C:\\ProgramData\\ar-exec
    icacls.exe C:\\ProgramData\\ar-exec /setowner *S-1-5-32-544 /Q
    icacls.exe C:\\ProgramData\\ar-exec /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F /Q
    mkdir C:\\ProgramData\\ar-exec\\state
    mkdir C:\\ProgramData\\ar-exec\\logs
    mkdir C:\\ProgramData\\ar-exec\\responses
    reg.exe add HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\ar-exec /v EventMessageFile /t REG_EXPAND_SZ /d %SystemRoot%\\System32\\EventCreate.exe /f
    reg.exe add HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\ar-exec /v TypesSupported /t REG_DWORD /d 7 /f
    reg.exe add HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\ar-exec /v CustomSource /t REG_DWORD /d 1 /f
    sc.exe create ar-exec type= own start= auto error= normal binPath= "\\"C:\\Program Files\\ar-exec\\ar-exec.exe\\" run --service" obj= LocalSystem DisplayName= "ar-exec (active responses)"
    sc.exe description ar-exec "Carries out active responses, and takes them back on time."
    sc.exe failure ar-exec reset= 86400 actions= restart/2000/restart/10000/restart/60000
    net.exe stop ar-exec  & rem if something has changed
    net.exe start ar-exec  & rem if something has changed"
  `);
  expect(planWindowsRemove(layout).map(windowsText).join('\n')).toMatchInlineSnapshot(`
    "net.exe stop ar-exec
    sc.exe delete ar-exec
    reg.exe delete HKLM\\SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\ar-exec /f
    del "C:\\Program Files\\ar-exec\\ar-exec.exe"
    rmdir "C:\\Program Files\\ar-exec""
  `);
});

test('a word that cmd.exe would take apart is quoted as Windows reads it', () => {
  const line = (...argv: string[]) => windowsText({ kind: 'run', argv });
  expect(line('a', '"C:\\x y\\"', 'C:\\z\\', 'C:\\z z\\')).toBe(
    'a "\\"C:\\x y\\\\\\"" C:\\z\\ "C:\\z z\\\\"',
  );
});

test('what the service control manager calls is what the comments say', () => {
  expect(controlHandler.toString('hex')).toBe('f0410fab0931c0c3');
  const code = serviceMain({
    name: 0x1111_1111_1111_1111n,
    handler: 0x2222_2222_2222_2222n,
    controls: 0x3333_3333_3333_3333n,
    registerServiceCtrlHandlerExW: 0x4444_4444_4444_4444n,
    handle: 0x5555_5555_5555_5555n,
  });
  expect(code.toString('hex')).toBe(
    [
      '4883ec28',
      `48b9${'11'.repeat(8)}`,
      `48ba${'22'.repeat(8)}`,
      `49b8${'33'.repeat(8)}`,
      `48b8${'44'.repeat(8)}`,
      'ffd0',
      `48b9${'55'.repeat(8)}`,
      '488901',
      '4883c428',
      'c3',
    ].join(''),
  );
});

describe('a machine, its tools played', () => {
  let root: string;
  let machine: WindowsMachine;
  let later: string[];
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'ar-exec-'));
    later = [];
    machine = windowsMachine(new Set([layout.dataFolder]));
  });
  afterEach(async () => {
    await rm(root, { recursive: true });
  });

  /** Files are made in a folder of this machine; commands see the paths of Windows. */
  const here = (path: string) => `/${path.replaceAll('\\', '/').replace(':', '')}`;
  const carry = (changes: readonly Change[]) =>
    carryOut(
      changes.map((change) => {
        if (change.kind === 'run') return change;
        const moved = { ...change, path: here(change.path) };
        return moved.kind === 'copy' ? { ...moved, from: join(root, 'new.exe') } : moved;
      }),
      { root, run: machine.run, removeLater: (path) => void later.push(path) },
    );
  const installed = () => machine.services.get('ar-exec');
  const install = async (program = 'one', exists = installed() !== undefined) => {
    await writeFile(join(root, 'new.exe'), program);
    return carry(planWindowsInstall({ ...wish, exists }));
  };

  test('is a service, started with the machine and after a failure, with rights for two alone', async () => {
    await install();
    expect(installed()).toMatchObject({
      'binPath=': '"C:\\Program Files\\ar-exec\\ar-exec.exe" run --service',
      'start=': 'auto',
      'obj=': 'LocalSystem',
      'actions=': 'restart/2000/restart/10000/restart/60000',
      running: 'yes',
    });
    expect(machine.rights.get(layout.dataFolder)).toEqual({
      owner: '*S-1-5-32-544',
      granted: ['*S-1-5-18:(OI)(CI)F', '*S-1-5-32-544:(OI)(CI)F'],
      inherits: false,
    });
    const [source] = machine.registry.values();
    expect(source?.get('EventMessageFile')).toBe('%SystemRoot%\\System32\\EventCreate.exe');
  });

  test('the same again changes nothing, and does not restart it', async () => {
    await install();
    const services = structuredClone([...machine.services]);
    machine.ran.length = 0;
    await install();
    expect([...machine.services]).toEqual(services);
    expect(machine.ran.filter(([tool]) => tool === 'net.exe')).toEqual([]);
  });

  test('another version takes the place of the one that runs, which is restarted', async () => {
    await install('one');
    machine.ran.length = 0;
    await install('two');
    expect(await readFile(join(root, here(layout.program)), 'utf8')).toBe('two');
    expect(machine.ran.filter(([tool]) => tool === 'net.exe')).toEqual([
      ['net.exe', 'stop', 'ar-exec'],
      ['net.exe', 'start', 'ar-exec'],
    ]);
  });

  test("removed, nothing is left of it but what is the user's", async () => {
    await install();
    await writeFile(join(root, here(layout.stateFolder), 'journal.db'), '');
    await carry(planWindowsRemove(layout));
    expect(installed()).toBeUndefined();
    expect(machine.registry.size).toBe(0);
    await expect(readFile(join(root, here(layout.program)))).rejects.toThrow('ENOENT');
    await expect(mkdir(join(root, 'C/Program Files/ar-exec'))).resolves.toBeUndefined();
    await readFile(join(root, here(layout.stateFolder), 'journal.db'));
  });

  test('removed twice, or without having been there, is no failure', async () => {
    const done = await carry(planWindowsRemove(layout));
    expect(done.map(({ outcome }) => outcome)).toEqual(['no', 'no', 'no', 'same', 'same']);
  });

  test('one that does not start is told, and what was done stays', async () => {
    machine.starts = 'badly';
    await expect(install()).rejects.toMatchObject({
      code: 'service-failed',
      message: expect.stringContaining('The service could not be started.'),
    });
    expect(installed()).toBeDefined();
  });

  test('a service that is there is changed, and not made again', async () => {
    await install();
    await expect(install('two', false)).rejects.toMatchObject({
      message: expect.stringContaining('1073'),
    });
    await install('two', true);
    expect(installed()).toMatchObject({ 'start=': 'auto' });
  });
});
