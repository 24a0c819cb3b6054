/** Simulated machines with pf, and what tests of pf ask of them. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runPfReference } from '../../agent/system/pf-reference.ts';
import { pf } from '../../platform/bsd/pf.ts';
import type { Settings } from '../../platform/driver.ts';
import type { Runner } from '../../platform/step.ts';
import type { System } from '../../platform/system.ts';
import { type Pf, pfOf } from '../sim/pf-world.ts';
import { simulate } from '../sim/pfctl.ts';
import { createQuickMachine, type QuickMachine } from '../sim/quick-machine.ts';
import type { SimSystem, Switches } from '../sim/simulator.ts';

export type PfSystem = Extract<SimSystem, 'freebsd13' | 'freebsd15' | 'openbsd76' | 'macos14'>;
export const pfSystems: readonly PfSystem[] = ['freebsd13', 'freebsd15', 'openbsd76', 'macos14'];

/** What pf's driver is told on a system when nothing is configured. */
export function settingsOn(system: PfSystem): Settings {
  const names: Record<PfSystem, System> = {
    freebsd13: 'freebsd',
    freebsd15: 'freebsd',
    openbsd76: 'openbsd',
    macos14: 'darwin',
  };
  return { ...pf.defaults, ...pf.defaultsOn?.(names[system]) };
}

export const ownAnchor = (system: PfSystem): string => settingsOn(system)['anchor'] ?? '';

export interface PfMachine extends QuickMachine {
  readonly pf: Pf;
  /** Makes it fail from now on. */
  switch(switches: Switches): void;
  /** Loads a main ruleset, as a person does. */
  load(...lines: readonly string[]): Promise<void>;
}

/** pf is enabled and calls our anchor; on macOS it is disabled, and has the ruleset it comes with. */
export async function createPfMachine(system: PfSystem): Promise<PfMachine> {
  const quick = createQuickMachine(system, { pfctl: simulate });
  const folder = await mkdtemp(join(tmpdir(), 'ar-exec-pf-'));
  const file = (path: string): string => join(folder, path.replaceAll('/', '_'));
  // The files of macOS are not those of this machine.
  const run: Runner = async (step) => {
    if (step.kind === 'pf-reference') {
      return runPfReference({ ...step, path: file(step.path) }, quick.run);
    }
    if (step.kind !== 'read-file') return quick.run(step);
    const stdout = await readFile(file(step.path), 'utf8').catch(() => '');
    return { stdout, stderr: '' };
  };
  const load = async (...lines: readonly string[]): Promise<void> => {
    await quick.exec(['pfctl', '-f', '-'], lines.map((line) => `${line}\n`).join(''));
  };
  const world = pfOf(quick.parts);
  world.enabled = system !== 'macos14';
  const call = system === 'macos14' ? 'com.apple/*' : ownAnchor(system);
  await load(`anchor "${call}"`, 'pass all');
  return {
    ...quick,
    run,
    get pf() {
      return pfOf(quick.parts);
    },
    load,
    switch: (switches) => {
      quick.switches = switches;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
}

/** All that stands, without what is empty, which means nothing. */
export function dumpPf({ pf: world }: PfMachine): string {
  const anchors = Object.entries(world.anchors).filter(
    ([, { rules, tables }]) => rules.length + Object.keys(tables).length > 0,
  );
  const lines = anchors.flatMap(([path, { rules, tables }]) => [
    ...rules.map((rule) => `${path}: ${rule}`),
    ...Object.entries(tables).flatMap(([name, { entries }]) => [
      `${path}: <${name}>`,
      ...entries.map((entry) => `${path}: <${name}> ${entry}`),
    ]),
  ]);
  const enabled = world.enabled ? ['enabled'] : [];
  return [...enabled, ...world.tokens.map(() => 'held'), ...lines.sort()].join('\n');
}
