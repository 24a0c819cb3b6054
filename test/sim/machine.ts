/** A machine whose tools are simulated: executables in a folder of its own, which run as processes. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { createRunner } from '../../agent/system/runner.ts';
import type { Machine } from '../contract/driver-contract.ts';
import type { Parts, SimSystem, Switches } from './simulator.ts';

export interface SimMachine extends Machine {
  readonly folder: string;
  /** Makes tools fail from now on. */
  switch(switches: Switches): Promise<void>;
  /** What stands on it, by part. */
  parts(): Promise<Parts>;
  setParts(parts: Parts): Promise<void>;
  /** Where a path of the machine is here. */
  path(path: string): string;
  /** What a shell says with the tools of this machine in its path; never rejects. */
  shell(script: string): Promise<{ stdout: string; stderr: string; exitCode: number }>;
}

export interface SimOptions {
  readonly system: SimSystem;
  /** Tool → the module in this folder that has its simulator as `simulate`. */
  readonly tools: Readonly<Record<string, string>>;
  /** What stands on it at first. */
  readonly parts?: Parts;
  /** Path → text. */
  readonly files?: Readonly<Record<string, string>>;
}

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

export async function createSimMachine(options: SimOptions): Promise<SimMachine> {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-sim-'));
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'package.json'), '{"type":"module"}');
  for (const [tool, module] of Object.entries(options.tools)) {
    const place = { folder, system: options.system, tool };
    const lines = [
      `#!${process.execPath}`,
      `import { runTool } from ${JSON.stringify(here('./main.ts'))};`,
      `import { simulate } from ${JSON.stringify(here(`./${module}`))};`,
      `runTool(simulate, ${JSON.stringify(place)});`,
    ];
    await writeFile(join(bin, tool), `${lines.join('\n')}\n`);
    await chmod(join(bin, tool), 0o755);
  }
  await writeFile(join(folder, 'parts.json'), JSON.stringify(options.parts ?? {}));
  const path = (inside: string): string => join(folder, 'root', inside);
  for (const [file, text] of Object.entries(options.files ?? {})) {
    await mkdir(dirname(path(file)), { recursive: true });
    await writeFile(path(file), text);
  }
  const system = createRunner({ folders: [bin] });
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  return {
    folder,
    path,
    run: system,
    exec: async ([tool = '', ...args], input = '') =>
      (await execa(join(bin, tool), args, { input, stripFinalNewline: false })).stdout,
    shell: async (script) => {
      const options = { env, reject: false, stripFinalNewline: false, stdin: 'ignore' } as const;
      const { stdout, stderr, exitCode } = await execa('sh', ['-c', script], options);
      return { stdout, stderr, exitCode: exitCode ?? -1 };
    },
    switch: (switches) => writeFile(join(folder, 'switches.json'), JSON.stringify(switches)),
    parts: async () => JSON.parse(await readFile(join(folder, 'parts.json'), 'utf8')) as Parts,
    setParts: (parts) => writeFile(join(folder, 'parts.json'), JSON.stringify(parts)),
    close: () => rm(folder, { recursive: true }),
  };
}
