/**
 * A Windows machine for one test file: a copy of the prepared drive C, and namespaces of its own (processes,
 * mounts, network). All that runs in it ends with it, and with the test run, however that ends.
 */
import { type ChildProcess, execFile as execFileOf, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { mountInside, wineRoot } from '../../build/prepare-wine.mjs';
import { type Answer, compiled, type Recorder, record } from './recorder.ts';

export interface Ended {
  /** As Linux sees it: the last byte of what Windows does. Undefined for one that was killed. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  /** What it has written so far. */
  output(): Promise<string>;
  readonly ended: Promise<Ended>;
  /** Ends it as a power cut would: no handler of it runs. */
  kill(): Promise<void>;
}

export interface WineMachine {
  /** The folder that is drive C. */
  readonly drive: string;
  /** Runs a Windows program; `file` is a path of Windows. */
  run(file: string, args?: readonly string[], options?: RunOptions): Promise<Ended>;
  start(file: string, args?: readonly string[], options?: RunOptions): Promise<Running>;
  /** Runs a program of Linux in the network of the machine. */
  inNetwork(file: string, args: readonly string[]): Promise<Ended>;
  record(tools: readonly string[], answer: Answer): Promise<Recorder>;
  /** Compiles `<name>.c` of this folder, and puts it on drive C; resolves with its path of Windows. */
  compile(name: string): Promise<string>;
  /** Compiles `<name>.c` of this folder, and puts it in the place of that library of Windows. */
  replaceLibrary(name: string): Promise<void>;
  close(): Promise<void>;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
}

export const system32 = 'windows/system32';
/** Where `newWineMachine` puts what was built. */
export const arExec = 'C:\\ar-exec\\ar-exec.exe';

/** The tools of Windows that a test may put a recorder in the place of. */
const replaceable = [
  ...['netsh', 'route', 'net', 'net1', 'reg', 'sc', 'schtasks', 'icacls', 'powershell', 'wevtutil'],
  ...['eventcreate', 'taskkill', 'tasklist', 'shutdown', 'logoff', 'query', 'quser', 'ipconfig'],
];
const execFile = promisify(execFileOf);
const prefixes = join(wineRoot, 'prefixes');
const setUp = `${mountInside} && ip link set lo up && echo ready && exec cat`;

export async function newWineMachine(): Promise<WineMachine> {
  const prefix = await mkdtemp(join(prefixes, 'test-'));
  await copyTree(join(wineRoot, 'prefix'), prefix);
  await preferFiles(prefix);
  const drive = join(prefix, 'drive_c');
  const outputs = join(prefix, 'outputs');
  await mkdir(outputs);
  await mkdir(join(drive, 'ar-exec'));
  await copyFile(resolve('build/out/ar-exec.exe'), join(drive, 'ar-exec', 'ar-exec.exe'));
  const namespaces = ['--mount', '--net', '--pid', '--fork', '--kill-child'];
  const keeper = spawn('unshare', [...namespaces, 'bash', '-c', setUp, wineRoot], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await saidReady(keeper);
  const inside = await childOf(keeper.pid);
  const entering = ['-t', inside, '--net'];
  const env = {
    PATH: process.env['PATH'] ?? '',
    WINEDEBUG: '-all',
    WINEPREFIX: prefix.slice(wineRoot.length),
    WINESERVER: '/usr/lib/wine/wineserver64',
    HOME: '/prefixes',
    LC_ALL: 'C.UTF-8',
  };
  const recorders: Recorder[] = [];
  let count = 0;

  const begin = (words: readonly string[], extra: RunOptions['env'] = {}): Running => {
    count += 1;
    const file = join(outputs, String(count));
    // A pipe of Linux cannot be opened by Node for Windows (EBADF).
    const [out, err] = [openSync(file, 'w'), openSync(`${file}.err`, 'w')];
    const child = spawn('nsenter', words, {
      stdio: ['ignore', out, err],
      env: { ...env, ...extra },
    });
    closeSync(out);
    closeSync(err);
    const output = () => readFile(file, 'utf8');
    const ended = new Promise<Ended>((done, fail) => {
      child.once('error', fail);
      child.once('exit', async (code) => {
        const stderr = await readFile(`${file}.err`, 'utf8');
        done({ exitCode: code ?? undefined, stdout: await output(), stderr });
      });
    });
    const kill = async (): Promise<void> => {
      process.kill(Number(await childOf(child.pid)), 'SIGKILL');
      await ended;
    };
    return { output, ended, kill };
  };
  const wine = (file: string, args: readonly string[]) => [
    ...[...entering, '--mount', '--pid', 'chroot', wineRoot, '/usr/lib/wine/wine64'],
    ...[file, ...args],
  ];

  return {
    drive,
    start: async (file, args = [], options = {}) => begin(wine(file, args), options.env),
    run: (file, args = [], options = {}) => begin(wine(file, args), options.env).ended,
    inNetwork: (file, args) => begin([...entering, file, ...args]).ended,
    record: async (tools, answer) => {
      const recorder = await record(drive, tools, answer);
      recorders.push(recorder);
      return recorder;
    },
    compile: async (name) => {
      await copyFile(await compiled(name), join(drive, `${name}.exe`));
      return `C:\\${name}.exe`;
    },
    replaceLibrary: async (name) => {
      const file = join(drive, system32, `${name}.dll`);
      // What is there has other names elsewhere: it must not be written into.
      await rm(file);
      await copyFile(await compiled(name, 'dll'), file);
    },
    close: async () => {
      for (const recorder of recorders) recorder.close();
      const over = new Promise((done) => keeper.once('exit', done));
      keeper.stdin.end();
      await over;
      await rm(prefix, { recursive: true, force: true });
    },
  };
}

/** Files are linked, not copied, but for those that Wine writes into where they are. */
async function copyTree(from: string, to: string): Promise<void> {
  await execFile('cp', ['-al', `${from}/.`, to]);
  for (const name of ['system.reg', 'user.reg', 'userdef.reg']) {
    await rm(join(to, name));
    await copyFile(join(from, name), join(to, name));
  }
}

/** Wine takes a program of its own before a file of that name, unless it is told otherwise. */
async function preferFiles(prefix: string): Promise<void> {
  const libraries = ['netapi32'];
  const names = [...replaceable.map((name) => `*${name}.exe`), ...libraries];
  const lines = names.map((name) => `"${name}"="native,builtin"`);
  const section = ['', '[Software\\\\Wine\\\\DllOverrides] 1', ...lines, ''];
  await appendFile(join(prefix, 'user.reg'), section.join('\n'));
}

async function saidReady({ stdout }: { readonly stdout: NodeJS.ReadableStream }): Promise<void> {
  for await (const chunk of stdout) if (String(chunk).includes('ready')) return;
  throw new Error('the namespaces of a Windows machine could not be made');
}

/** The one child of a process that has one; it may be about to be started. */
async function childOf(pid: ChildProcess['pid']): Promise<string> {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    const [child = ''] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ');
    if (child !== '') return child;
    await new Promise((again) => setTimeout(again, 5));
  }
  throw new Error(`process ${pid} has no child`);
}
