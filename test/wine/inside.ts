/**
 * Runs in Node for Windows, in a machine of machine.ts: does what the agent does there by the calls of
 * Windows, and prints what came of it as one line of JSON, by name. actions.test.ts compares.
 */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { open, symlink } from 'node:fs/promises';
import { execa } from 'execa';
import { runQuarantine } from '../../agent/system/quarantine/run-quarantine.ts';
import { createCommandRunner } from '../../agent/system/run-command.ts';
import { createScriptRunner } from '../../agent/system/run-script.ts';
import { checkScriptFile } from '../../agent/system/script-file.ts';
import { readGroups, readLocalAccounts } from '../../agent/system/windows/accounts.ts';
import { readAccess } from '../../agent/system/windows/acl.ts';
import { endWindowsProcess } from '../../agent/system/windows/end-process.ts';
import { endWindowsSessions } from '../../agent/system/windows/end-sessions.ts';
import { listProcesses, openProcess } from '../../agent/system/windows/processes.ts';
import { restartService } from '../../agent/system/windows/restart-service.ts';
import { sessionsOf } from '../../agent/system/windows/sessions.ts';
import type {
  EndProcessStep,
  ExaminedFile,
  Runner,
  ScriptStep,
  StepResult,
} from '../../platform/step.ts';
import { renames } from './inside-files.ts';

const results: Record<string, unknown> = {};
const node = process.execPath;

async function note(name: string, task: () => unknown): Promise<void> {
  try {
    results[name] = await task();
  } catch (error) {
    results[name] = { threw: error instanceof Error ? error.message : String(error) };
  }
}

await note('accounts', () => readLocalAccounts());
await note('groups', () => readGroups(process.env['USERNAME'] ?? ''));
await note('groups of nobody', () => readGroups('nobody-here'));
await note('own sessions', () => sessionsOf(process.env['USERNAME'] ?? '').length > 0);
await note('no sessions', () => sessionsOf('nobody-here'));
await note('own account', () => {
  const { accounts } = readLocalAccounts();
  const uid = accounts[0]?.rid ?? 0;
  return endWindowsSessions({ kind: 'end-sessions', system: 'win32', uid });
});
await note('nobody', () =>
  endWindowsSessions({ kind: 'end-sessions', system: 'win32', uid: 4_711 }),
);

await processes();
await scripts();
await quarantine();
await services();
await renames(note);
process.stdout.write(`${JSON.stringify(results)}\n`);

async function processes(): Promise<void> {
  await note('this process', () => {
    const self = openProcess(process.pid);
    if (self === undefined) return undefined;
    const { image, mayEnd, isCritical, startedAt } = self;
    const said = { image, mayEnd, isCritical, hasEnded: self.hasEnded(), owner: self.owner() };
    self.close();
    const age = Date.now() - startedAt;
    return { ...said, startedBeforeNow: age > 0 && age < 600_000 };
  });
  await note('no process', () => openProcess(0xfffc) === undefined);
  writeFileSync(
    'C:\\child.js',
    `require('fs').writeFileSync('C:\\\\running.txt', ''); setInterval(() => {}, 1000);`,
  );
  writeFileSync(
    'C:\\parent.js',
    `require('child_process').spawn(process.execPath, ['C:\\\\child.js'],
       { stdio: 'ignore', detached: true }); setInterval(() => {}, 1000);`,
  );
  const parent = execa(node, ['C:\\parent.js'], { stdio: 'ignore', reject: false });
  const pid = parent.pid ?? 0;
  const children = () => listProcesses().filter((one) => one.parent === pid);
  while (children().length === 0) await new Promise((again) => setTimeout(again, 50));
  const [child] = children();
  // Wine gives up a program that is still being made when its parent ends.
  while (!existsSync('C:\\running.txt')) await new Promise((again) => setTimeout(again, 50));
  const end = async (more: Partial<EndProcessStep>): Promise<unknown> => {
    const { stdout, stderr } = await endWindowsProcess({
      kind: 'end-process',
      system: 'win32',
      pid,
      executable: node.toUpperCase(),
      graceMs: 0,
      family: true,
      never: [],
      ...more,
    });
    return stdout === '' ? stderr : JSON.parse(stdout);
  };
  await note('another program', () => end({ executable: 'C:\\other.exe' }));
  await note('too young', () => end({ startedBefore: Date.now() - 3_600_000 }));
  await note('never ended', () => end({ never: ['c:\\'] }));
  await note('the agent', () => end({ pid: process.pid }));
  await note('ended', () => end({}));
  await note('gone', () => end({}));
  await note('how it ended', async () => (await parent).exitCode);
  await note('its child', () => listProcesses().some((one) => one.pid === child?.pid));
}

async function scripts(): Promise<void> {
  const folder = 'C:\\ProgramData\\ar-exec\\Antwörten & more';
  mkdirSync(folder, { recursive: true });
  const put = (name: string, text: string): void => writeFileSync(`${folder}\\${name}`, text);
  put(
    'a.cmd',
    '@echo off\r\necho %1,%2,%3,%4,%5>"%~dp0words.txt"\r\nset /p line=\r\necho got %line%\r\nexit /b 3\r\n',
  );
  put('a.py', '');
  put('a.vbs', '');
  copyFileSync(node, `${folder}\\a.exe`);
  await symlink('C:\\windows\\system32\\cmd.exe', `${folder}\\link.exe`).catch(() => {});
  const checks = [
    'a.cmd',
    'A.CMD',
    'none.cmd',
    'nul.cmd',
    '..\\a.cmd',
    'a.cmd.',
    'a.vbs',
    'link.exe',
  ];
  for (const file of checks) await note(`script ${file}`, () => checkScriptFile(folder, file));
  await note('access list', () => readAccess(`${folder}\\a.cmd`).entries?.length);
  const run = createScriptRunner([]);
  const asked: unknown[] = [];
  const start = (file: string, words: readonly string[], more: Partial<ScriptStep> = {}) =>
    run(
      {
        kind: 'script',
        folder,
        file,
        cwd: '/',
        program: file,
        words,
        wordsFor: 'every-file',
        handshake: 'none',
        deadlineMs: 60_000,
        run: 'x',
        ...more,
      },
      {
        keysIn: (line) => (line.startsWith('{') ? [line] : undefined),
        answer: async (keys) => {
          asked.push(keys);
          return '{"command":"continue"}';
        },
      },
    );
  const odd = 'x&echo.>C:\\pwned.txt';
  const words = ['add', 'eve', '203.0.113.7', odd, '%PATH%'];
  await note('batch', () => start('a.cmd', words, { line: 'a line' }));
  await note('words of the batch', () => readFileSync(`${folder}\\words.txt`, 'latin1').trim());
  await note('batch about an odd account', () => start('a.cmd', ['add', odd]));
  await note('pwned', () => existsSync('C:\\pwned.txt'));
  await note('python', () => start('a.py', ['add']));
  writeFileSync(
    'C:\\talk.js',
    `let n = 0;
     require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
       n += 1;
       if (n === 1) console.log(JSON.stringify({ keys: [line, ...process.argv.slice(2)] }));
       else { console.error('then ' + line); process.exit(7); }
     });`,
  );
  const spoken = ['C:\\talk.js', 'a b', 'c"d', '', 'e\\', '%PATH%', 'ж'];
  await note('conversation', () =>
    start('a.exe', spoken, { line: 'first', handshake: 'possible' }),
  );
  await note('asked', () => asked);
  await note('a tool that hangs', () =>
    createCommandRunner(['C:\\'])({
      kind: 'command',
      tool: 'node',
      args: ['C:\\parent.js'],
      deadlineMs: 3_000,
    }),
  );
  await note('too long', () => start('a.exe', ['C:\\parent.js'], { deadlineMs: 3_000 }));
  await note('left of it', async () => {
    const runs = () =>
      listProcesses().filter(
        ({ pid }) => pid !== process.pid && [node, `${folder}\\a.exe`].includes(imageOf(pid)),
      );
    for (let tries = 0; runs().length > 0 && tries < 200; tries += 1) {
      await new Promise((again) => setTimeout(again, 50));
    }
    return runs().length;
  });
}

function imageOf(pid: number): string {
  try {
    const one = openProcess(pid);
    const image = one?.hasEnded() === false ? one.image : '';
    one?.close();
    return image;
  } catch {
    return '';
  }
}

async function quarantine(): Promise<void> {
  const folder = 'C:\\ProgramData\\ar-exec\\state\\quarantine';
  const path = 'C:\\Temp\\ä b\\drop.exe';
  mkdirSync('C:\\Temp\\ä b', { recursive: true });
  const put = (text: string): void => writeFileSync(path, text);
  const step = async (more: object): Promise<StepResult> =>
    runQuarantine(
      { system: 'win32', path, folder, deadlineMs: 60_000, ...more } as never,
      async () => ({ stdout: '', stderr: 'none is run' }),
    );
  const examine = async (more: object = {}): Promise<ExaminedFile> => {
    const { stdout, stderr } = await step({ kind: 'examine-file', ...more });
    return stdout === '' ? { fit: false, refusal: 'absent', why: stderr } : JSON.parse(stdout);
  };
  const file = (found: ExaminedFile): object =>
    found.fit ? { name: found.name, sha256: found.sha256, state: found.state } : {};
  const endings = () =>
    readdirSync(folder)
      .map((name) => name.split('.').at(-1))
      .sort();

  put('evil');
  await note('empty', () => step({ kind: 'list-quarantine', path: folder }));
  await note('other bytes', () => examine({ sha256: 'ab' }));
  await note('not there', () => examine({ path: 'C:\\Temp\\x\\y' }));
  await note('a folder', () => examine({ path: 'C:\\Temp\\ä b' }));
  linkSync(path, 'C:\\Temp\\second.exe');
  await note('two names', () => examine());
  rmSync('C:\\Temp\\second.exe');
  const writer = await open(path, 'r+');
  await note('open by others', () => examine());
  await writer.close();
  const found = await examine();
  const known = file(found);
  const access = () => JSON.stringify(readAccess(path));
  const before = access();
  await note('fit', () => found.fit && found.sha256);
  put('changed');
  await note('taken, changed and pinned', () =>
    step({ kind: 'take-file', ...known, pinned: true }),
  );
  put('evil');
  await note('taken', () => step({ kind: 'take-file', ...known, pinned: true }));
  await note('where it is', () => [existsSync(path), endings()]);
  await note('who may open it', () => {
    const [name = ''] = readdirSync(folder).filter((one) => one.endsWith('.file'));
    return readAccess(`${folder}\\${name}`).entries?.map(({ sid }) => sid);
  });
  await note('taken again', () => step({ kind: 'take-file', ...known, pinned: true }));
  await note('listed', async () => {
    const { stdout } = await step({ kind: 'list-quarantine', path: folder });
    const listing = JSON.parse(stdout) as { held: { path: string }[]; leftovers: string[] };
    return [listing.held.map((one) => one.path), listing.leftovers];
  });
  put('mine');
  await note('place taken', () => step({ kind: 'put-back-file', ...known }));
  await note('what is there', () => readFileSync(path, 'utf8'));
  rmSync('C:\\Temp\\ä b', { recursive: true });
  await note('folder gone', () => step({ kind: 'put-back-file', ...known }));
  mkdirSync('C:\\Temp\\ä b');
  await note('put back', () => step({ kind: 'put-back-file', ...known }));
  await note('as it was', () => [readFileSync(path, 'utf8'), endings()]);
  await note('its access list', () => access() === before);
  await note('put back again', () => step({ kind: 'put-back-file', ...known }));

  const far = 'Z:\\tmp\\ar-exec-far.exe';
  writeFileSync(far, 'far');
  const distant = file(await examine({ path: far }));
  await note('taken from afar', () =>
    step({ kind: 'take-file', path: far, ...distant, pinned: true }),
  );
  await note('gone from there', () => [existsSync(far), endings()]);
  await note('put back afar', () => step({ kind: 'put-back-file', path: far, ...distant }));
  await note('as it was there', () => {
    const strays = readdirSync('Z:\\tmp').filter((name) => name.startsWith('.ar-exec'));
    return [readFileSync(far, 'utf8'), endings(), strays];
  });
  rmSync(far);
}

/** Wine's own service manager, sc and net. */
async function services(): Promise<void> {
  const ran: string[] = [];
  const run: Runner = async (step) => {
    if (step.kind !== 'command') throw new Error(step.kind);
    ran.push([step.tool, ...step.args].join(' '));
    const file = `C:\\windows\\system32\\${step.tool}.exe`;
    const { exitCode = -1, stdout, stderr } = await execa(file, step.args, { reject: false });
    return { exitCode, stdout, stderr, ...(exitCode === 0 ? {} : { failure: 'exit' as const }) };
  };
  const restart = (service: string) =>
    restartService({ kind: 'restart-service', service, deadlineMs: 60_000 }, run);
  await note('a service that stands still', () => restart('Spooler'));
  await note('a service', () => restart('Spooler'));
  await note('no service', () => restart('NoSuchService'));
  await note('ran', () => ran.filter((line) => line.startsWith('net')));
}
