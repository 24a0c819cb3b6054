/**
 * Programs in the place of Windows' own tools: each call is kept as Windows got it, and is answered by the
 * test. Wine's own netsh, powershell, icacls and schtasks answer 0 whatever they are asked and do nothing,
 * and it has no route.exe: what is said by them is worth nothing.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, watch } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, win32 } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { wineRoot } from '../../build/prepare-wine.mjs';

export interface Call {
  /** The file that was run, as Windows names it. */
  readonly image: string;
  /** Its name in small letters, without `.exe`. */
  readonly tool: string;
  /** What CreateProcess was given, quotes and all. */
  readonly commandLine: string;
  readonly folder: string;
  readonly stdin: string;
}

export interface Reply {
  readonly exitCode?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export type Answer = (call: Call) => Reply | Promise<Reply>;

export interface Recorder {
  /** In the order in which they came. */
  readonly calls: readonly Call[];
  /** Ends the watching; a program that still waits for an answer never gets one. */
  close(): void;
}

const compiler = '/usr/bin/x86_64-w64-mingw32-gcc-win32';

/** Puts the recorder in the place of `tools`, each a path on drive C, and answers them from now on. */
export async function record(
  drive: string,
  tools: readonly string[],
  answer: Answer,
): Promise<Recorder> {
  const program = await compiled('recorder');
  for (const tool of tools) {
    const file = join(drive, tool);
    await mkdir(dirname(file), { recursive: true });
    // What was there has other names elsewhere: it must not be written into.
    await rm(file, { force: true });
    await link(program, file);
  }
  const folder = join(drive, 'recorder');
  await mkdir(folder, { recursive: true });
  const calls: Call[] = [];
  const taken = new Set<string>();
  const take = async (name: string): Promise<void> => {
    if (!name.endsWith('.call') || taken.has(name)) return;
    taken.add(name);
    const call = parseCall(await readFile(join(folder, name)));
    calls.push(call);
    const { exitCode = 0, stdout = '', stderr = '' } = await answer(call);
    const out = Buffer.from(stdout);
    const head = Buffer.alloc(8);
    head.writeUInt32LE(exitCode >>> 0, 0);
    head.writeUInt32LE(out.length, 4);
    const into = join(folder, name.replace(/call$/, 'answer'));
    await writeFile(`${into}.making`, Buffer.concat([head, out, Buffer.from(stderr)]));
    await rename(`${into}.making`, into);
  };
  const look = async (): Promise<void> => {
    for (const name of (await readdir(folder)).sort()) await take(name);
  };
  const watcher = watch(folder, () => void look());
  return { calls, close: () => watcher.close() };
}

function parseCall(bytes: Buffer): Call {
  const words: string[] = [];
  let at = 0;
  for (let end = 0; words.length < 3; end += 2) {
    if (bytes.readUInt16LE(end) !== 0) continue;
    words.push(bytes.toString('utf16le', at, end));
    at = end + 2;
  }
  const [image = '', commandLine = '', folder = ''] = words;
  const tool = win32
    .basename(image)
    .toLowerCase()
    .replace(/\.exe$/, '');
  return { image, tool, commandLine, folder, stdin: bytes.toString('utf8', at) };
}

/** The program or library of `<name>.c` beside this file, compiled once for each state of its source. */
export async function compiled(name: string, ending: 'exe' | 'dll' = 'exe'): Promise<string> {
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  const text = await readFile(source);
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12);
  const folder = join(wineRoot, 'recorders');
  const file = join(folder, `${hash}.${ending}`);
  if (existsSync(file)) return file;
  const making = join(folder, `${hash}-${process.pid}`);
  await copyFile(source, `${making}.c`);
  const inside = (path: string): string => `/recorders/${basename(path)}`;
  const kind = ending === 'dll' ? ['-shared'] : [];
  const made = `${making}.${ending}`;
  const args = [wineRoot, compiler, '-O2', '-s', ...kind, '-o', inside(made)];
  const env = { PATH: '/usr/bin:/usr/sbin', TMPDIR: '/tmp' };
  await promisify(execFile)('chroot', [...args, inside(`${making}.c`)], { env });
  await rename(made, file);
  await rm(`${making}.c`);
  return file;
}
