/** `ar-exec service`: puts it together. */
import { existsSync } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { isSea } from 'node:sea';
import { ownTable } from '../../platform/bsd/pf-commands.ts';
import type { Runner } from '../../platform/step.ts';
import type { Unix } from '../../platform/system.ts';
import { defaultPaths } from '../config/default-paths.ts';
import { ArError } from '../errors.ts';
import { loadHere } from '../settle/load-here.ts';
import { carryOut, type Done } from './carry-out.ts';
import type { Change } from './change.ts';
import { type Layout, layoutOf, type Manager, usualNode } from './layout.ts';
import { managerOf } from './linux.ts';
import { type PfLine, planInstall, planRemove } from './plan.ts';
import { checkTrusted, findLogs, findPf, leaveToPackage } from './situation.ts';

export interface ServiceWish extends ProgramWish {
  readonly system: Unix;
  /** Ends without a slash, or is `/`. */
  readonly root: string;
  /** What runs it, if it is JavaScript; absent: what runs now. */
  readonly node?: string | undefined;
  readonly config?: string | undefined;
  /** What starts services on this Linux; absent: it is looked for. */
  readonly manager?: Manager | undefined;
  readonly start: boolean;
  /** Asks whether pf.conf is to be changed. */
  pf(line: PfLine): Promise<boolean>;
  /** Runs this machine's commands; absent: the root is that of another machine, or of another system. */
  readonly run?: Runner | undefined;
}

export interface ProgramWish {
  /** The file that becomes the program; absent: what runs now. */
  readonly program?: string | undefined;
}

export interface Planned {
  readonly changes: readonly Change[];
  /** What is for a person to do. */
  readonly remarks: readonly string[];
  carryOut(): Promise<Done[]>;
}

export async function install(wish: ServiceWish): Promise<Planned> {
  const { system, root, start, run } = wish;
  leaveToPackage(existsIn(root));
  const from = await programOf(wish.program);
  const node = from.endsWith('.mjs') ? (wish.node ?? nodeOf(wish)) : undefined;
  if (node !== undefined && run !== undefined) await checkTrusted(node, run);
  const pf = await wantedPf(wish);
  const logs = await findLogs(system, root, existsSync);
  const changes = planInstall({
    layout: layout(wish, node),
    from,
    logs,
    start,
    pf: pf.wanted ? pf.line : undefined,
  });
  return {
    changes,
    remarks: [...pf.remarks, ...(run === undefined ? [elsewhere] : [])],
    carryOut: () => carryOut(changes, { root, run }),
  };
}

export async function remove(wish: ServiceWish): Promise<Planned> {
  const { system, root, run } = wish;
  const placed = layout(wish, usualNode[system]);
  leaveToPackage(existsIn(root), placed.serviceFile);
  const pf = await findPf(system, run, await anchorOf(wish));
  const changes = planRemove({ layout: placed, pf });
  const { stateFolder } = defaultPaths(system);
  const stays = `The configuration, the logs and the journal (${stateFolder}) stay. What is held stays too, and nobody takes it back: see "ar-exec list" before.`;
  return {
    changes,
    remarks: [stays, ...(run === undefined ? [elsewhere] : [])],
    carryOut: () => carryOut(changes, { root, run }),
  };
}

const elsewhere = 'No command is run: that is for the machine that it is for.';

function existsIn(root: string): (path: string) => boolean {
  return (path) => existsSync(`${root === '/' ? '' : root}${path}`);
}

function layout(wish: ServiceWish, node?: string): Layout {
  const { system, root } = wish;
  const exists = existsIn(root);
  const manager = system === 'linux' ? (wish.manager ?? foundManager(root, exists)) : undefined;
  return layoutOf(system, defaultPaths(system, exists), node, manager);
}

function foundManager(root: string, exists: (path: string) => boolean): Manager {
  const found = managerOf(exists) ?? (root === '/' ? undefined : 'systemd');
  if (found !== undefined) return found;
  throw new ArError(
    'service-failed',
    'nothing was found that starts services here: no systemd, no OpenRC, no init of System V',
    'Have whatever starts programs on this machine run "ar-exec run" and start it again when it ends, or name one with --init.',
  );
}

/** The single executable, the bundle, or what was named. Sources are no program. */
export async function programOf(named: string | undefined): Promise<string> {
  const file = named ?? (isSea() ? process.execPath : process.argv[1]);
  if (file === undefined || file.endsWith('.ts')) {
    throw new ArError(
      'usage-invalid',
      'these are the sources of ar-exec, not a program that can be installed',
      'Build it (npm run build), and name build/out/ar-exec or build/out/ar-exec.mjs with --program.',
    );
  }
  await access(file).catch((cause: unknown) => {
    throw new ArError('usage-invalid', `there is no ${file}`, 'Name a file with --program.', {
      cause,
    });
  });
  return realpath(file);
}

function nodeOf({ system, run }: ServiceWish): string {
  return run !== undefined && !isSea() ? process.execPath : usualNode[system];
}

async function wantedPf(wish: ServiceWish) {
  const { system, run } = wish;
  const line = await findPf(system, run, await anchorOf(wish));
  if (line === undefined) return { wanted: false, remarks: [] };
  if (await wish.pf(line)) return { wanted: true, line, remarks: [] };
  const remark = `If pf is to block: put this line before the first rule of ${line.file}, and run "pfctl -f ${line.file}":  ${line.line}`;
  return { wanted: false, line, remarks: [remark] };
}

/**
 * Absent where a table of the administrator's is filled: what that takes is his. A configuration that
 * cannot be read is told by the agent; here its default does.
 */
async function anchorOf({ config, root, system }: ServiceWish): Promise<string | undefined> {
  const file = config ?? (root === '/' ? defaultPaths(system).configFile : undefined);
  if (file === undefined || !existsSync(file)) return 'ar-exec';
  const loaded = await loadHere(file).catch(() => undefined);
  const { anchor = '', table = ownTable } = loaded?.config.pf ?? {};
  if (table !== ownTable) return undefined;
  return anchor === '' ? 'ar-exec' : anchor;
}
