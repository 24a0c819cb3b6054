/**
 * A machine whose tools are at fault: programs of ours stand in the place of those in /usr/sbin, in a mount
 * namespace of their own. They do what a test says at the time, and start the real ones otherwise.
 */
import { chmod, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * - `fails`: ends with status 1 and a complaint, and does nothing
 * - `killed`: dies of SIGKILL before it has done anything, as by the OOM killer
 * - `killed-after`: has done its work, and dies of SIGKILL before it says so
 * - `hangs`: for ever, and so does what it has started
 * - `slow`: waits for a second, then does its work
 * - `now-and-then`: fails every second time
 * - `megabytes`: prints without end where results belong
 * - `complains`: prints megabytes where complaints belong, and fails
 */
export type Fault =
  | 'fails'
  | 'killed'
  | 'killed-after'
  | 'hangs'
  | 'slow'
  | 'now-and-then'
  | 'megabytes'
  | 'complains';

export interface FaultyTools {
  /** Words to stand before the agent's: they make the machine and become the agent. */
  readonly before: readonly string[];
  /** The lock of the legacy iptables on this machine. */
  readonly xtablesLock: string;
  /** From now on these tools are at fault. */
  set(fault: Fault, tools: readonly string[]): Promise<void>;
  /** These tools are not there any more. */
  takeAway(tools: readonly string[]): Promise<void>;
  /** All tools are there, and work. */
  mend(): Promise<void>;
  remove(): Promise<void>;
}

/** Where the tools are that drivers use; on merged systems /sbin is the same. */
const place = '/usr/sbin';

const program = (folder: string): string => `#!/bin/sh
name=\${0##*/}
real=${folder}/real/$name
fault=
read -r fault 2>/dev/null <"${folder}/faults/$name"
case "$fault" in
fails) echo "$name: out of order" >&2; exit 1 ;;
killed) kill -KILL $$ ;;
killed-after) "$real" "$@"; kill -KILL $$ ;;
hangs) sleep 1000000 & wait ;;
slow) sleep 1; exec "$real" "$@" ;;
now-and-then)
  if mkdir "${folder}/turn" 2>/dev/null; then echo "$name: not now" >&2; exit 1; fi
  rmdir "${folder}/turn"
  exec "$real" "$@" ;;
megabytes) exec tr '\\000' x </dev/zero ;;
complains) head -c 3000000 /dev/zero | tr '\\000' x >&2; exit 1 ;;
*) exec "$real" "$@" ;;
esac
`;

export async function createFaultyTools(tools: readonly string[]): Promise<FaultyTools> {
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-tools-'));
  const sbin = join(folder, 'sbin');
  const faults = join(folder, 'faults');
  const xtablesLock = join(folder, 'xtables.lock');
  for (const one of [sbin, faults, join(folder, 'real')]) await mkdir(one);
  await writeFile(xtablesLock, '');
  const put = async (tool: string): Promise<void> => {
    // One that is just being started cannot be written to.
    await writeFile(join(folder, 'made'), program(folder));
    await chmod(join(folder, 'made'), 0o755);
    await rename(join(folder, 'made'), join(sbin, tool));
  };
  for (const name of await readdir(place)) {
    if (tools.includes(name)) await put(name);
    else await symlink(join(folder, 'real', name), join(sbin, name));
  }
  const script = [
    'set -e',
    `mount --bind ${place} ${folder}/real`,
    `mount --bind ${sbin} ${place}`,
    '[ -e /run/xtables.lock ] || : >/run/xtables.lock',
    `mount --bind ${xtablesLock} /run/xtables.lock`,
    'exec "$@"',
  ].join('\n');
  return {
    before: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'faulty-tools'],
    xtablesLock,
    set: async (fault, of) => {
      for (const tool of of) await writeFile(join(faults, tool), `${fault}\n`);
    },
    takeAway: async (of) => {
      for (const tool of of) await rm(join(sbin, tool));
    },
    mend: async () => {
      for (const tool of await readdir(faults)) await rm(join(faults, tool));
      for (const tool of tools) await put(tool);
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
