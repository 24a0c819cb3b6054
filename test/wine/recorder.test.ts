import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { requires } from '../requirements.ts';
import { arExec, newWineMachine, system32, type WineMachine } from './machine.ts';

requires('root', 'wine')('programs in the place of tools of Windows', () => {
  let machine: WineMachine;
  beforeAll(async () => {
    machine = await newWineMachine();
  });
  afterAll(() => machine?.close());

  it('keep what they were called with, byte for byte, and end as they are told', async () => {
    const { calls } = await machine.record([`${system32}/netsh.exe`], ({ stdin }) => ({
      exitCode: 1,
      stdout: `Für «${stdin}»\r\n`,
      stderr: 'no',
    }));
    const netsh = 'C:\\windows\\system32\\netsh.exe';
    const ended = await machine.run(netsh, ['name=Block 203.0.113.5', 'c"d', '', 'é\\']);
    expect(ended).toEqual({ exitCode: 1, stdout: 'Für «»\r\n', stderr: 'no' });
    expect(calls).toEqual([
      {
        image: netsh,
        tool: 'netsh',
        commandLine: `"${netsh}" "name=Block 203.0.113.5" c\\"d "" é\\`,
        folder: 'Z:\\',
        stdin: '',
      },
    ]);
  });

  it('leave the executable, which runs', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8'));
    const ended = await machine.run(arExec, ['--version']);
    expect(ended).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' });
  });
});
