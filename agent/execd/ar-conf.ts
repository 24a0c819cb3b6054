/** Keeps up with `ar.conf`, which the manager writes anew whenever its commands change. */
import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Composed } from '../compose.ts';
import { type ArConfEntry, arConfMark, parseArConf, readArConf } from '../config/ar-conf.ts';
import { defaultPaths } from '../config/default-paths.ts';
import type { Log } from '../observe/log.ts';
import type { ArConfLine } from '../policy/commands.ts';

export interface ArConf {
  /** What names stand for here: of several executables the first that this machine has. */
  lines(): ReadonlyMap<string, ArConfLine>;
  /** The executables of a name of which this machine has none. */
  absent(name: string): readonly string[] | undefined;
  /** Whether there is such a file. */
  isThere(): boolean;
  /** Reads the file if it is another one now, or in any case. Never rejects. */
  refresh(anyway?: boolean): Promise<void>;
}

type Needs = Pick<Composed, 'settled'>;

interface State {
  readonly lines: ReadonlyMap<string, ArConfLine>;
  readonly absent: ReadonlyMap<string, readonly string[]>;
  readonly there: boolean;
}

const nothing: State = { lines: new Map(), absent: new Map(), there: false };

/** Resolves when the file was read for the first time. */
export async function openArConf({ settled }: Needs, log: Log): Promise<ArConf> {
  let state = nothing;
  /** What the state was made from. */
  let basis: readonly unknown[] = [];
  let told = '';

  const tell = (facts: object, what: string): void => {
    const text = JSON.stringify(facts);
    if (text !== told) log.warn(facts, what);
    told = text;
  };
  const read = async (file: string, scripts: string): Promise<State> => {
    const { entries, remarks } = parseArConf(await readArConf(file));
    if (remarks.length > 0) tell({ file, remarks }, 'ar.conf has lines that are not taken');
    const isHere = presence(scripts, (name) => settled().define(name) !== undefined);
    const made = { ...(await sort(entries, isHere)), there: true };
    log.debug({ file, names: made.lines.size, absent: made.absent.size }, 'ar.conf read');
    return made;
  };
  const look = async (anyway: boolean): Promise<void> => {
    const { config } = settled();
    const file = join(config.managerHome, 'etc/shared/ar.conf');
    const scripts = config.scriptsFolder ?? defaultPaths().scriptsFolder;
    const mark = await arConfMark(file);
    // A script that comes or goes changes its folder.
    const found = [settled(), file, mark, await arConfMark(scripts)];
    const same = found.every((one, index) => one === basis[index]);
    if (same && (!anyway || mark === undefined)) return;
    try {
      state = mark === undefined ? nothing : await read(file, scripts);
      basis = found;
    } catch (error) {
      tell({ file, err: String(error) }, 'ar.conf cannot be read; what was read before counts');
    }
  };

  let last = Promise.resolve();
  const refresh = (anyway = false): Promise<void> => {
    last = last.then(() => look(anyway));
    return last;
  };
  await refresh();
  return {
    lines: () => state.lines,
    absent: (name) => state.absent.get(name),
    isThere: () => state.there,
    refresh,
  };
}

/** Upstream goes by the first of a name whose file it can open; so lines of other systems do no harm. */
async function sort(
  entries: readonly ArConfEntry[],
  isHere: (executable: string) => Promise<boolean>,
): Promise<Omit<State, 'there'>> {
  const lines = new Map<string, ArConfLine>();
  const absent = new Map<string, string[]>();
  for (const { name, executable, timeoutSeconds } of entries) {
    if (lines.has(name)) continue;
    if (await isHere(executable)) {
      lines.set(name, { executable, timeoutSeconds });
      absent.delete(name);
    } else absent.set(name, [...(absent.get(name) ?? []), executable]);
  }
  return { lines, absent };
}

/** Whether this machine has something by a name; each is looked for once. */
function presence(folder: string, isDefined: (name: string) => boolean) {
  const known = new Map<string, Promise<boolean>>();
  const find = (name: string): Promise<boolean> =>
    isDefined(name)
      ? Promise.resolve(true)
      : lstat(join(folder, name)).then(
          () => true,
          () => false,
        );
  return (name: string): Promise<boolean> => {
    const found = known.get(name) ?? find(name);
    known.set(name, found);
    return found;
  };
}
