/** Files that the agent takes away while it is killed: at a path of their own in a mount namespace. */
import { chmod, lstat, mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { quarantine } from '../../platform/linux/quarantine.ts';
import type { Step, StepResult } from '../../platform/step.ts';
import type { Facility } from './facilities.ts';

/** Where the agent sees our folders; what is the machine's own there is covered for it. */
const seen = '/srv';
const otherSeen = '/mnt';
const runner = fileURLToPath(new URL('../kernel/mount-runner.ts', import.meta.url));

export const victims = ['dropper', 'first', 'second'].map((name) => `${seen}/place/${name}`) as [
  string,
  string,
  string,
];

/**
 * `between`: the quarantine is another mount than the place of the files, so that nothing can be moved
 * from one to the other but by copying it.
 */
export function withQuarantine(between: boolean): Facility {
  const held = between ? otherSeen : `${seen}/held`;
  const settings = { folder: held, roots: `${seen}/place`, never: '' };
  const outside = (folder: string) => ({
    place: join(folder, 'seen', 'place'),
    held: between ? join(folder, 'held') : join(folder, 'seen', 'held'),
  });
  const inside = (folder: string, argv: readonly string[]): readonly string[] => {
    const script = `mount --bind "$0/seen" ${seen} && mount --bind "$0/held" ${otherSeen} && exec "$@"`;
    return ['unshare', '--mount', 'sh', '-c', script, folder, ...argv];
  };
  return {
    name: between ? 'quarantine, on another file system' : 'quarantine',
    needs: ['unshare', 'mount'],
    tools: [],
    response: 'quarantine-file',
    kind: quarantine,
    settings: () => settings,
    config: `<quarantine><folder>${held}</folder><roots>${settings.roots}</roots></quarantine>`,
    targets: { member: 'file', target: victims[0], bystanders: [victims[1], victims[2]] },
    inside: (folder) => ({
      command: (argv) => inside(folder, argv),
      run: (step) => runInside(inside(folder, [process.execPath, runner]), step),
    }),
    plant: async (_, folder) => {
      const { place, held } = outside(folder);
      await mkdir(place, { recursive: true });
      await mkdir(join(folder, 'held'), { mode: 0o700 });
      await mkdir(held, { recursive: true, mode: 0o700 });
      for (const [index, path] of [...victims, `${seen}/place/theirs`].entries()) {
        const file = join(place, basename(path));
        await writeFile(file, `${path}\n`.repeat(10_000));
        await chmod(file, 0o4750 + index);
        await utimes(file, 1_600_000_000 + index, 1_600_000_000.5 + index);
      }
      await writeFile(join(held, 'theirs'), 'a note\n');
    },
    dump: async (_, folder) => {
      const lines = [];
      for (const [name, path] of Object.entries(outside(folder))) {
        for (const file of (await readdir(path)).sort()) {
          const { mode, uid, gid, mtimeMs } = await lstat(join(path, file));
          const text = await readFile(join(path, file), 'utf8');
          const bits = mode.toString(8);
          lines.push(`${name}/${file} ${bits} ${uid} ${gid} ${mtimeMs} ${text.length}\n`);
        }
      }
      return lines.join('');
    },
    foreign: (dump) =>
      dump.replaceAll(/^(place\/(dropper|first|second)|held\/[0-9a-f]{8}-).*\n/gm, ''),
  };
}

/** Runs one step where the agent does. */
async function runInside(argv: readonly string[], step: Step): Promise<StepResult> {
  const [tool = '', ...args] = argv;
  const input = `${JSON.stringify({ id: 1, step })}\n`;
  const { stdout } = await execa(tool, args, { input });
  const answer = stdout.split('\n').find((line) => line.startsWith('{'));
  return (JSON.parse(answer ?? '{}') as { result: StepResult }).result;
}
