/**
 * The executable under upstream's names on Windows, started as a manager's agent there starts it: with
 * anonymous pipes, and a path relative to its home (test/wine/execd.c).
 */
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { requires } from '../requirements.ts';
import { answerAs, createQuickWindows } from '../sim/windows.ts';
import { windowsAccounts } from '../sim/windows-accounts.ts';
import { arExec, newWineMachine, system32, type WineMachine } from './machine.ts';
import type { Call } from './recorder.ts';

const home = 'Program Files (x86)/ossec-agent';
const homeOnWindows = 'C:\\Program Files (x86)\\ossec-agent';

/** -1, as Windows keeps it. */
const refused = 4_294_967_295;

const four = (command: string, data: object, program: string) =>
  `${JSON.stringify({ version: 1, origin: { name: 'node01', module: 'wazuh-execd' }, command, parameters: { extra_args: [], alert: { data }, program: `active-response/bin/${program}` } })}\n`;
const five = (command: string, ip: string) =>
  `${JSON.stringify({ wazuh: { active_response: { name: 'block-ip', executable: 'block-ip' } }, source: { ip }, command })}\n`;

requires('root', 'wine')("under the names of a manager's executables", () => {
  let machine: WineMachine;
  let execd: string;
  let bin: string;
  let calls: readonly Call[];
  beforeAll(async () => {
    machine = await newWineMachine();
    execd = await machine.compile('execd');
    bin = join(machine.drive, home, 'active-response', 'bin');
    await mkdir(bin, { recursive: true });
    const built = join(machine.drive, 'ar-exec', 'ar-exec.exe');
    for (const name of [
      ...['netsh.exe', 'block-ip.exe', 'Route-Null.EXE', 'restart-wazuh.exe'],
      'nonsense.exe',
    ]) {
      await copyFile(built, join(bin, name));
    }
    const tools = ['net', 'netsh', 'reg', 'route', 'sc'].map((name) => `${system32}/${name}.exe`);
    const [firewall, others] = [createQuickWindows(), windowsAccounts()];
    others.services['WazuhSvc'] = 4;
    ({ calls } = await machine.record(tools, (call) => {
      const isOfFirewall = call.tool !== 'net' && !call.commandLine.includes('WazuhSvc');
      return answerAs(isOfFirewall ? firewall : others)(call);
    }));
  });
  afterAll(() => machine?.close());
  const log = () => join(machine.drive, home, 'active-response', 'active-responses.log');
  beforeEach(() => rm(log(), { force: true }));

  /** What execd sees: the exit status, and the line that came back. */
  const converse = async (name: string, lines: readonly string[]) => {
    const files = await Promise.all(
      lines.map(async (line, index) => {
        await writeFile(join(machine.drive, `line-${index}`), line);
        return `C:\\line-${index}`;
      }),
    );
    const { stdout } = await machine.run(execd, [
      homeOnWindows,
      `active-response/bin/${name}`,
      ...files,
    ]);
    const [status, keys = ''] = stdout.split('\r\n');
    return { status: Number(status), keys: keys.trim() };
  };
  const logged = async () => (await readFile(log(), 'utf8')).replace(/^.{19} /gm, '');

  it('answers with the keys, and takes an abort, with the lines of upstream', async () => {
    const line = four('add', { srcip: '203.0.113.7' }, 'netsh.exe');
    const abort = four('abort', { srcip: '203.0.113.7' }, 'netsh.exe');
    const { status, keys } = await converse('netsh.exe', [line, abort]);
    expect(keys).toBe(
      '{"version":1,"origin":{"name":"netsh.exe","module":"active-response"},"command":"check_keys","parameters":{"keys":["203.0.113.7"]}}',
    );
    expect(status).toBe(0);
    const by = 'active-response/bin/netsh.exe: ';
    expect(await logged()).toBe(
      [
        `${by}Starting`,
        `${by}${line.trim()}`,
        '',
        `${by}${keys}`,
        `${by}${abort.trim()}`,
        '',
        `${by}Aborted`,
        '',
      ].join('\r\n'),
    );
  });

  it('without an agent does the work itself, and takes it back', async () => {
    const message = (command: string) => four(command, { srcip: '203.0.113.7' }, 'netsh.exe');
    const before = calls.length;
    const added = await converse('netsh.exe', [message('add'), message('continue')]);
    const deleted = await converse('netsh.exe', [message('delete')]);
    expect([added.status, deleted.status], await logged()).toEqual([0, 0]);
    const rules = calls.slice(before).filter(({ commandLine }) => / rule /.test(commandLine));
    expect(rules.map(({ commandLine }) => commandLine.replace(/^.* firewall /, ''))).toEqual([
      expect.stringMatching(/^add rule name=ar-exec-0001 .* dir=in remoteip=203\.0\.113\.7 /),
      expect.stringMatching(/^add rule name=ar-exec-0001 .* dir=out remoteip=203\.0\.113\.7 /),
      'delete rule name=ar-exec-0001',
    ]);
    expect(await logged()).toMatch(/netsh\.exe: Ended\r\n$/);
  });

  it('as restart-wazuh.exe has the service of the manager’s agent restarted', async () => {
    const before = calls.length;
    const { status, keys } = await converse('restart-wazuh.exe', [
      four('add', {}, 'restart-wazuh.exe'),
    ]);
    expect({ status, keys }, await logged()).toEqual({ status: 0, keys: '' });
    const lines = calls
      .slice(before)
      .flatMap(({ tool, commandLine }) => (tool === 'net' ? commandLine.replace(/^\S* /, '') : []));
    expect(lines.filter((line) => !line.includes('/?'))).toEqual([
      'stop WazuhSvc /y',
      'start WazuhSvc',
    ]);
  });

  it('refuses what upstream refuses, with its words and its status', async () => {
    const line = four('add', { srcip: 'nobody' }, 'route-null.exe');
    expect(await converse('Route-Null.EXE', [line])).toEqual({ status: refused, keys: '' });
    expect(await logged()).toContain(
      "active-response/bin/Route-Null.EXE: Cannot read 'srcip' from data\r\n",
    );
  });

  it('reads lines as Windows ends them, and the form of Wazuh 5', async () => {
    const line = five('enable', '203.0.113.7').replace('\n', '\r\n');
    const { keys } = await converse('block-ip.exe', [line, five('abort', '203.0.113.7')]);
    expect(keys).toContain('"keys":["203.0.113.7"]');
    expect(await logged()).toMatch(/: Aborted\r\n$/);
    expect(await logged()).not.toContain('\r\r');
  });

  it('the end of the input in place of an answer ends it', async () => {
    const line = four('add', { srcip: '203.0.113.7' }, 'netsh.exe');
    expect((await converse('netsh.exe', [line])).status).toBe(refused);
    expect(await logged()).toMatch(/: Cannot read input from stdin\r\n$/);
  });

  it('a name that is no response is told in the log', async () => {
    const line = four('add', {}, 'nonsense.exe');
    expect((await converse('nonsense.exe', [line])).status).toBe(refused);
    expect(await logged()).toContain('there is no response nonsense.exe in ar-exec');
  });

  it('as netsh.exe anywhere else it does nothing, whatever it is told', async () => {
    await mkdir(join(machine.drive, 'tools'));
    await copyFile(join(bin, 'netsh.exe'), join(machine.drive, 'tools', 'netsh.exe'));
    const before = calls.length;
    for (const words of [
      ['advfirewall', 'firewall', 'add', 'rule', 'name=x'],
      ['add', '-', '203.0.113.7'],
    ]) {
      const { exitCode, stderr } = await machine.run('C:\\tools\\netsh.exe', words);
      expect({ exitCode, stderr }).toEqual({
        exitCode: 1,
        stderr:
          'C:\\tools\\netsh.exe is ar-exec, and not the netsh.exe of Windows: nothing is done\n',
      });
    }
    expect(calls.length).toBe(before);
  });

  it('in active-response\\bin, with words of netsh, it asks nobody for anything', async () => {
    const before = calls.length;
    const { exitCode, stdout } = await machine.run(
      `${homeOnWindows}\\active-response\\bin\\netsh.exe`,
      ['advfirewall', 'firewall', 'add', 'rule', 'name=x'],
    );
    expect({ exitCode, stdout }).toEqual({
      exitCode: 1,
      stdout: 'active-response/bin/netsh.exe: invalid action: advfirewall\n',
    });
    expect(calls.length).toBe(before);
  });

  it('is no tool of Windows in System32, and no script of somebody’s own', async () => {
    const route = join(machine.drive, system32, 'route.exe');
    await rm(route);
    await copyFile(join(bin, 'netsh.exe'), route);
    const { stdout } = await machine.run(arExec, ['doctor', '--json']);
    expect(stdout).toContain(
      '"driver":"route-null-windows","usable":false,"why":"route is not there"',
    );
    const { responses, findings } = JSON.parse(stdout);
    const names = responses.map(({ response }: { response: string }) => response.toLowerCase());
    expect(names.filter((name: string) => name.endsWith('.exe'))).toEqual([]);
    const untrusted = findings.filter(({ id }: { id: string }) => id === 'script-untrusted');
    expect(untrusted).toMatchObject([
      {
        what: expect.stringMatching(/ nonsense\.exe .* is ar-exec itself, and no script\.$/),
        remedy: expect.stringMatching(/^Let administrators own it /),
      },
    ]);
  });

  it('ar-exec.exe itself stays what it is', async () => {
    expect((await machine.run(arExec, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  });
});
