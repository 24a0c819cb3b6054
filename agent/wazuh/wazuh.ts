/** `ar-exec wazuh`: puts it together. */
import { isSea } from 'node:sea';
import { defaultPaths } from '../config/default-paths.ts';
import { ArError } from '../errors.ts';
import { carryOut } from '../service/carry-out.ts';
import type { Change } from '../service/change.ts';
import type { Planned } from '../service/service.ts';
import { loadHere } from '../settle/load-here.ts';
import { createRunner } from '../system/runner.ts';
import {
  chosen,
  isKnown,
  planExecd,
  planExecdBack,
  planNames,
  planNamesBack,
  type Way,
} from './plan.ts';
import { keptOf, look, type Product, type Situation } from './situation.ts';

export interface WazuhWish {
  readonly way: Way;
  /** The folder of the manager's agent; absent: as configured. */
  readonly home?: string | undefined;
  readonly as?: Product | undefined;
  /** Names of executables; absent: all that ar-exec has a response for. */
  readonly only?: readonly string[] | undefined;
  /** What the links lead to; absent: this program. */
  readonly program?: string | undefined;
  readonly config?: string | undefined;
}

/** Throws `usage-invalid` where there is nothing that could be replaced. */
export async function installBeside(wish: WazuhWish): Promise<Planned> {
  const { situation, configFile } = await lookAround(wish);
  if (wish.way === 'execd') {
    if (situation.execd.now === 'absent') throw noExecd(situation);
    return planned(planExecd(situation, configFile), remarksOf(situation));
  }
  refuseUnknown(wish.only);
  const names = chosen(situation, wish.only);
  if (names.length === 0) {
    throw new ArError(
      'usage-invalid',
      `nothing in ${situation.home}/active-response/bin has the name of a response of ar-exec`,
      'docs/responses.md has the names; --only takes one that is not there yet.',
    );
  }
  return planned(planNames(situation, names, programOf(wish.program)), remarksOf(situation));
}

/** All that is not as it was: names and execd alike. */
export async function uninstallBeside(wish: WazuhWish): Promise<Planned> {
  const { situation, configFile } = await lookAround(wish);
  const ours = situation.executables.filter(
    ({ name, now, kept }) =>
      (now === 'ours' || kept) && (wish.only === undefined || wish.only.includes(name)),
  );
  const { execd } = situation;
  const execdToo = wish.only === undefined && (execd.now === 'ours' || execd.kept);
  const stays =
    'What ar-exec holds stays, and is taken back on time while it runs: see "ar-exec list".';
  return planned(
    [
      ...(ours.length > 0 ? planNamesBack(situation, ours) : []),
      ...(execdToo ? planExecdBack(situation, configFile) : []),
    ],
    [stays],
  );
}

async function lookAround({ home, as, config }: WazuhWish) {
  const loaded = await loadHere(config);
  const folder = home ?? loaded.config.managerHome;
  return {
    situation: await look(folder, as, createRunner()),
    configFile: loaded.file ?? config ?? defaultPaths().configFile,
  };
}

function planned(changes: readonly Change[], remarks: readonly string[]): Planned {
  const machine = { root: '/', run: createRunner() };
  return { changes, remarks, carryOut: () => carryOut(changes, machine) };
}

function remarksOf({ home, executables, execd }: Situation): string[] {
  const packaged = [...executables, execd].some((one) => one.packaged);
  const updates = packaged
    ? 'dpkg puts what the next version of the manager’s agent brings beside what is kept.'
    : 'After an update of the manager’s agent say the same again: it puts its own executables back.';
  return [`What was there is kept in ${keptOf(home)}. ${updates}`];
}

function refuseUnknown(only: readonly string[] = []): void {
  const unknown = only.find((name) => name.includes('/') || !isKnown(name));
  if (unknown === undefined) return;
  throw new ArError(
    'usage-invalid',
    `ar-exec has no response that ${unknown} would stand for`,
    'docs/responses.md has the names, with those that managers use.',
  );
}

function noExecd({ home, execd }: Situation): ArError {
  return new ArError(
    'usage-invalid',
    `there is no ${home}/bin/${execd.name}`,
    'Take the names instead: ar-exec wazuh install --way names.',
  );
}

/** execd starts it by the name of the link, which a bundle for a system's own Node needs a command for. */
function programOf(named: string | undefined): string {
  const file = named ?? (isSea() ? process.execPath : undefined);
  if (file !== undefined) return file;
  throw new ArError(
    'usage-invalid',
    'this is not the executable that the links could lead to',
    'Name it with --program: /usr/bin/ar-exec, or the command that "ar-exec service install" made.',
  );
}
