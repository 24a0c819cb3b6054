/** The executable for Windows at its work: it is asked over its pipe, and its tools are simulated. */
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSlots } from '../../platform/windows/netsh-slots.ts';
import { requires } from '../requirements.ts';
import { accountsOf } from '../sim/net.ts';
import type { QuickMachine } from '../sim/quick-machine.ts';
import { createQuickWindows } from '../sim/windows.ts';
import { registryOf, rulesKey } from '../sim/windows-registry.ts';
import { splitCommandLine } from './command-line.ts';
import { arExec, newWineMachine, type Running, system32, type WineMachine } from './machine.ts';
import type { Call, Reply } from './recorder.ts';

const tools = ['net', 'netsh', 'reg', 'sc', 'route'];
const netsh = 'C:\\windows\\system32\\netsh.exe';

requires(
  'root',
  'wine',
  'ip',
)('the agent on Windows', () => {
  let machine: WineMachine;
  let simulated: QuickMachine;
  let calls: readonly Call[];
  let agent: Running;
  /** The status that netsh ends with when it is to change something, if it is to do nothing else. */
  let broken: number | undefined;
  /** The command lines of netsh that never end. */
  let hanging: RegExp | undefined;

  /** Resolves when it says that it is ready, or has ended. */
  const start = async (...words: string[]): Promise<Running> => {
    const running = await machine.start(arExec, ['run', ...words]);
    let over = false;
    void running.ended.then(() => {
      over = true;
    });
    await until(async () => over || (await running.output()).includes('"msg":"ready"'));
    return running;
  };
  const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
    while (!(await condition())) await new Promise((again) => setTimeout(again, 50));
  };
  const ask = async (...words: string[]) => {
    const { exitCode, stdout } = await machine.run(arExec, [...words, '--json']);
    return { exitCode, ...JSON.parse(stdout) };
  };
  /** What the firewall of the machine stops, both ways. */
  const blocked = (): string =>
    readSlots('ar-exec', [
      {
        path: rulesKey,
        values: Object.entries(registryOf(simulated.parts)[rulesKey] ?? {}).map(
          ([name, [type, data]]) => ({ name, type, data }),
        ),
      },
    ])
      .flatMap(({ acting }) => [...acting.in.intersection(acting.out)])
      .sort()
      .join(' ');
  /** What Windows says of the accounts (test/wine/netapi32.c) is what the simulated ones are. */
  const tellAccounts = () => {
    const lines = accountsOf(simulated.parts).map(
      ({ rid, disabled, name }) => `${rid} ${disabled ? 2 : 0} ${name}\n`,
    );
    return writeFile(join(machine.drive, 'accounts'), lines.join(''), 'utf16le');
  };
  const changes = (from: number) =>
    calls
      .slice(from)
      .filter(
        ({ tool, commandLine, stdin }) => tool === 'netsh' && / rule /.test(commandLine + stdin),
      )
      .map(({ commandLine, stdin }) => commandLine + stdin);

  beforeAll(async () => {
    machine = await newWineMachine();
    simulated = createQuickWindows({ language: 'de' });
    const places = tools.map((tool) => `${system32}/${tool}.exe`);
    accountsOf(simulated.parts).push({
      name: 'Zoë Иванова',
      rid: 1_007,
      disabled: false,
      groups: [],
    });
    await machine.replaceLibrary('netapi32');
    await tellAccounts();
    ({ calls } = await machine.record(places, async ({ tool, commandLine, stdin }) => {
      if (tool === 'netsh' && / rule /.test(commandLine) && broken !== undefined) {
        return { exitCode: broken };
      }
      if (hanging?.test(commandLine) === true) return new Promise<Reply>(() => {});
      const answer = simulated.call([tool, ...splitCommandLine(commandLine).slice(1)], stdin);
      if (tool === 'net') await tellAccounts();
      return answer;
    }));
    for (const words of [
      'link add here type veth peer name there',
      'addr add 192.0.2.7/24 dev here',
      'link set here up',
      'link set there up',
      'route add default via 192.0.2.1',
    ]) {
      const { stderr } = await machine.inNetwork('ip', words.split(' '));
      expect(stderr).toBe('');
    }
    agent = await start();
  });
  afterAll(() => machine?.close());

  it('listens on its pipe, and keeps its journal under ProgramData', async () => {
    expect(await agent.output()).toContain('"socket":"\\\\\\\\.\\\\pipe\\\\ar-exec"');
    const journal = join(machine.drive, 'ProgramData/ar-exec/state/journal.db');
    expect((await stat(journal)).isFile()).toBe(true);
    const { exitCode, choices } = await ask('status');
    expect(exitCode).toBe(0);
    expect(JSON.stringify(choices)).toContain('netsh=yes');
  });

  it('blocks with exactly these words, and tells that it does', async () => {
    const before = calls.length;
    const added = await ask('add', 'firewall-drop', '--srcip', '203.0.113.7', '--timeout', '1h');
    expect(added).toMatchObject({ exitCode: 0, ok: true });
    expect(changes(before)).toMatchInlineSnapshot(`
      [
        "C:\\windows\\System32\\netsh.exe advfirewall firewall add rule name=ar-exec-0001 "description=Made and looked after by ar-exec" dir=in remoteip=203.0.113.7 action=block",
        "C:\\windows\\System32\\netsh.exe advfirewall firewall add rule name=ar-exec-0001 "description=Made and looked after by ar-exec" dir=out remoteip=203.0.113.7 action=block",
      ]
    `);
    expect(calls.slice(before).map(({ image, folder }) => [image, folder])).toContainEqual([
      netsh,
      'C:\\windows\\System32',
    ]);
    const { actions } = await ask('list');
    expect(actions).toMatchObject([{ target: '203.0.113.7', state: 'active' }]);
  });

  it('refuses what the machine cannot do without', async () => {
    for (const address of ['192.0.2.7', '192.0.2.1', '127.0.0.1']) {
      const refused = await ask('add', 'firewall-drop', '--srcip', address);
      expect([address, refused.code]).toEqual([address, 'target-protected']);
    }
  });

  it('disables an account of any name with exactly these words, and gives it back', async () => {
    const before = calls.length;
    const user = ['disable-account', '--user', 'Zoë ИВАНОВА'];
    expect(await ask('add', ...user)).toMatchObject({ exitCode: 0, ok: true });
    const { actions } = await ask('list');
    expect(actions).toContainEqual(
      expect.objectContaining({ target: 'zoë иванова', state: 'active' }),
    );
    expect(accountsOf(simulated.parts)).toMatchObject([{ disabled: true }]);
    expect(await ask('delete', ...user)).toMatchObject({ exitCode: 0, ok: true });
    expect(accountsOf(simulated.parts)).toMatchObject([{ disabled: false }]);
    const net = calls.slice(before).filter(({ tool }) => tool === 'net');
    expect(net.map(({ commandLine }) => commandLine)).toEqual([
      'C:\\windows\\System32\\net.exe user "zoë иванова" /active:no',
      'C:\\windows\\System32\\net.exe user "zoë иванова" /active:yes',
    ]);
  });

  it('says with which status a tool has crashed, as Windows gives it, and goes on', async () => {
    broken = 0xc000_0005;
    const refused = await ask('add', 'firewall-drop', '--srcip', '203.0.113.8');
    broken = undefined;
    expect(refused).toMatchObject({ exitCode: 6, ok: false, code: 'driver-failed' });
    expect(refused.message).toContain('netsh: exit -1073741819 (0xC0000005)');
    const { actions } = await ask('list');
    expect(actions).toMatchObject([{ target: '203.0.113.7', state: 'active' }]);
  });

  it('refuses a second agent: on its pipe, and on its journal', async () => {
    const second = await (await start()).ended;
    expect(second.exitCode).toBe(4);
    expect(second.stderr).toContain('agent-running');
    const other = await (await start('--socket', '\\\\.\\pipe\\other')).ended;
    expect(other.exitCode).toBe(7);
    expect(other.stderr).toContain('journal-locked');
  });

  it('keeps no journal in a folder that others can write to', async () => {
    const open = join(machine.drive, 'open');
    await mkdir(open);
    await chmod(open, 0o777);
    const refused = await start('--state', 'C:\\open', '--socket', '\\\\.\\pipe\\other');
    const { exitCode, stderr } = await refused.ended;
    expect({ exitCode, stderr }).toEqual({
      exitCode: 7,
      stderr: expect.stringMatching(/can be changed by S-1-1-0 .*\[state-unusable\]/),
    });
  });

  it.each([
    ['belongs to somebody else', 'O:WDD:(A;;FA;;;WD)', 'belongs to S-1-1-0'],
    ['others may listen on, too', 'O:BAD:(A;;FA;;;SY)(A;;FA;;;WD)', 'can be changed by S-1-1-0'],
  ])('says nothing to who listens on a pipe that %s', async (name, access, why) => {
    const pipe = `\\\\.\\pipe\\${name.replaceAll(' ', '-')}`;
    const squatter = await machine.start(await machine.compile('squatter'), [pipe, access]);
    await until(async () => (await squatter.output()).includes('listens'));
    const refused = await ask('add', 'firewall-drop', '--srcip', '203.0.113.9', '--socket', pipe);
    expect(refused).toMatchObject({ exitCode: 3, ok: false, code: 'agent-untrusted' });
    expect(refused.message).toContain(`that pipe ${why}`);
    expect(await squatter.output()).not.toContain('told');
    await squatter.kill();
  });

  it('killed in the middle of its work and started again, it holds what it held and goes on', async () => {
    const before = calls.length;
    hanging = / dir=out /;
    const asking = machine.run(arExec, [
      'add',
      'firewall-drop',
      '--srcip',
      '203.0.113.9',
      '--json',
    ]);
    await until(() => changes(before).some((line) => line.includes(' dir=out ')));
    await agent.kill();
    hanging = undefined;
    expect(JSON.parse((await asking).stdout)).toMatchObject({ code: 'agent-unreachable' });
    expect(changes(before).map((line) => line.replace(/^.* firewall /, ''))).toEqual([
      'set rule name=ar-exec-0001 dir=in new remoteip=203.0.113.7,203.0.113.9',
      'set rule name=ar-exec-0001 dir=out new remoteip=203.0.113.7,203.0.113.9',
    ]);
    expect(blocked()).toBe('203.0.113.7');
    agent = await start();
    expect(blocked()).toBe('203.0.113.7 203.0.113.9');
    const { actions } = await ask('list');
    expect(actions).toMatchObject([
      { target: '203.0.113.9', state: 'active' },
      { target: '203.0.113.7', state: 'active' },
    ]);
  });

  it('mends what was taken away while it was dead, and takes back what is due', async () => {
    await ask('add', 'firewall-drop', '--srcip', '2001:db8::/48', '--timeout', '3s');
    await agent.kill();
    simulated.call(['netsh', 'advfirewall', 'reset']);
    const before = calls.length;
    agent = await start();
    await until(async () => (await ask('list')).actions.length === 2);
    const made = changes(before).join('\n');
    expect(made).toContain('203.0.113.7');
    expect(blocked()).toBe('203.0.113.7 203.0.113.9');
  });

  it('writes its logs, in folders with any letters and of any length', async () => {
    await agent.kill();
    const folder = `C:\\Zoë Иванова\\${'long '.repeat(40)}x\\${'y'.repeat(100)}`;
    agent = await start('--state', `${folder}\\state`);
    expect(await agent.output()).toContain('"msg":"ready"');
    const here = join(machine.drive, ...folder.split('\\').slice(1), 'state', 'journal.db');
    expect((await stat(here)).isFile()).toBe(true);
    const log = join(machine.drive, 'ProgramData/ar-exec/logs/ar-exec-results.json');
    expect(await readFile(log, 'utf8')).toContain('203.0.113.7');
  });
});
