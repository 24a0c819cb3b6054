/** What every simulated executable does: reads what stands, asks its simulator, writes what stands then. */
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { Parts, SimSystem, Simulator, Switches } from './simulator.ts';

export interface Place {
  /** Holds `parts.json`, `switches.json`, and `root/` with the files of the machine. */
  readonly folder: string;
  readonly system: SimSystem;
  readonly tool: string;
}

const nap = new Int32Array(new SharedArrayBuffer(4));

export function runTool(simulate: Simulator, { folder, system, tool }: Place): void {
  const switches = readJson<Switches>(join(folder, 'switches.json'), {});
  if (switches.hang?.includes(tool)) {
    setInterval(() => {}, 1_000_000);
    return;
  }
  const stdin = process.stdin.isTTY ? '' : readStdin();
  const unlock = lock(join(folder, 'lock'));
  try {
    const file = join(folder, 'parts.json');
    const parts = readJson<Parts>(file, {});
    const rooted = (path: string) => join(folder, 'root', path);
    const { stdout, stderr, exitCode, hangs } = simulate(
      {
        tool,
        args: process.argv.slice(2),
        stdin,
        system,
        switches,
        readFile: (path) =>
          existsSync(rooted(path)) ? readFileSync(rooted(path), 'utf8') : undefined,
        writeFile: (path, text) => {
          mkdirSync(dirname(rooted(path)), { recursive: true });
          writeFileSync(rooted(path), text);
        },
      },
      parts,
    );
    writeFileSync(`${file}.new`, JSON.stringify(parts));
    renameSync(`${file}.new`, file);
    if (hangs === true) {
      setInterval(() => {}, 1_000_000);
      return;
    }
    process.stdout.write(stdout);
    process.stderr.write(stderr);
    process.exitCode = exitCode;
  } finally {
    unlock();
  }
}

function readStdin(): string {
  try {
    return readFileSync(0, 'utf8');
  } catch {
    return '';
  }
}

function readJson<Value>(file: string, otherwise: Value): Value {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Value) : otherwise;
}

/** Two tools at once: one after the other, as the kernel has it. One that was killed leaves its lock. */
function lock(file: string): () => void {
  for (let tries = 0; ; tries += 1) {
    try {
      closeSync(openSync(file, 'wx'));
      return () => rmSync(file, { force: true });
    } catch {
      if (tries > 2_000) rmSync(file, { force: true });
      Atomics.wait(nap, 0, 0, 2);
    }
  }
}
