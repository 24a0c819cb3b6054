/** `ar-exec service` on Windows: puts it together. */
import { existsSync } from 'node:fs';
import type { Runner } from '../../../platform/step.ts';
import { defaultPaths } from '../../config/default-paths.ts';
import { ArError } from '../../errors.ts';
import { ownerOf } from '../../system/windows/acl.ts';
import { removeAtRestart } from '../../system/windows/remove-later.ts';
import { running, serviceState } from '../../system/windows/service-state.ts';
import { ownSid } from '../../system/windows/tokens.ts';
import { carryOut } from '../carry-out.ts';
import { type Planned, type ProgramWish, programOf } from '../service.ts';
import type { ServiceState } from '../state.ts';
import { serviceName, type WindowsLayout, windowsLayout } from './layout.ts';
import { planWindowsInstall, planWindowsRemove } from './plan.ts';

export interface WindowsServiceWish extends ProgramWish {
  readonly start: boolean;
  /** Runs this machine's commands; absent: this is not Windows, and nothing is done. */
  readonly run?: Runner | undefined;
}

export async function installOnWindows(wish: WindowsServiceWish): Promise<Planned> {
  const { start, run } = wish;
  const layout = windowsLayout(defaultPaths('win32', () => false));
  const from = await windowsProgram(wish);
  if (run !== undefined) refuseForeignFolder(layout);
  const exists = run !== undefined && serviceState(serviceName) !== undefined;
  const changes = planWindowsInstall({ layout, from, exists, start });
  return planned(changes, [], run);
}

export async function removeOnWindows({ run }: WindowsServiceWish): Promise<Planned> {
  const layout = windowsLayout(defaultPaths('win32', () => false));
  const stays = `The configuration, the journal and the logs (${layout.dataFolder}) stay. What is held stays too, and nobody takes it back: see "ar-exec list" before.`;
  return planned(planWindowsRemove(layout), [stays], run);
}

export function stateOnWindows(): ServiceState {
  const found = serviceState(serviceName);
  return { installed: found !== undefined, running: found?.state === running };
}

function planned(
  changes: Planned['changes'],
  remarks: readonly string[],
  run: Runner | undefined,
): Planned {
  const elsewhere = 'This is not Windows: nothing can be done here.';
  const machine = { root: '', run, removeLater: removeAtRestart };
  return {
    changes,
    remarks: run === undefined ? [...remarks, elsewhere] : remarks,
    carryOut: () => carryOut(changes, machine),
  };
}

async function windowsProgram({ program, run }: WindowsServiceWish): Promise<string> {
  if (run === undefined && program === undefined) return 'ar-exec.exe';
  const from = await programOf(program);
  if (from.toLowerCase().endsWith('.exe')) return from;
  throw new ArError(
    'usage-invalid',
    `${from} is not a program of Windows`,
    'Name ar-exec.exe with --program (npm run build:windows makes it).',
  );
}

/** SYSTEM, the administrators, and what Windows itself is installed by; and whoever installs it now. */
const trusted = [
  'S-1-5-18',
  'S-1-5-32-544',
  'S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464',
];

/** Everybody may make a folder in ProgramData, and put a configuration there that SYSTEM would go by. */
function refuseForeignFolder({ dataFolder }: WindowsLayout): void {
  if (!existsSync(dataFolder)) return;
  const owner = ownerOf(dataFolder);
  if (owner !== undefined && (trusted.includes(owner) || owner === ownSid())) return;
  throw new ArError(
    'service-failed',
    `${dataFolder} is there, and belongs to ${owner ?? 'nobody knows whom'}, who could have put anything into it`,
    'Look what is in it, and rename it; or make it yours: icacls C:\\ProgramData\\ar-exec /setowner *S-1-5-32-544 /T /L',
  );
}
