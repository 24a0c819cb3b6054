import { jail } from './bsd/checks/jail.ts';
import { packetFilters } from './bsd/checks/packet-filters.ts';
import { rights as unixRights } from './bsd/checks/rights.ts';
import { securelevel } from './bsd/checks/securelevel.ts';
import type { Finding, Question } from './driver.ts';
import { clock } from './linux/checks/clock.ts';
import { fastPaths } from './linux/checks/fast-paths.ts';
import { firewallsBeside } from './linux/checks/firewalls-beside.ts';
import { flowTools } from './linux/checks/flow-tools.ts';
import { kernel } from './linux/checks/kernel.ts';
import { rights } from './linux/checks/rights.ts';
import type { System } from './system.ts';
import { rights as windowsRights } from './windows/checks/rights.ts';

/** Something to look at on this machine that is not the business of one driver alone. */
export interface Check {
  readonly name: string;
  readonly systems: readonly System[];
  readonly question: Question<readonly Finding[]>;
}

const linux: readonly System[] = ['linux'];

/** Every check there is; `ar-exec doctor` asks those of its system beside each driver's own. */
export const checks: readonly Check[] = [
  { name: 'rights', systems: linux, question: rights },
  { name: 'kernel', systems: linux, question: kernel },
  { name: 'clock', systems: linux, question: clock },
  { name: 'fast paths', systems: linux, question: fastPaths },
  { name: 'firewalls beside', systems: linux, question: firewallsBeside },
  { name: 'tools for connections', systems: linux, question: flowTools },
  {
    name: 'user',
    systems: ['freebsd', 'openbsd', 'netbsd', 'dragonfly', 'darwin'],
    question: unixRights,
  },
  { name: 'administrator', systems: ['win32'], question: windowsRights },
  { name: 'securelevel 3', systems: ['freebsd', 'dragonfly'], question: securelevel(3) },
  { name: 'securelevel 2', systems: ['openbsd', 'netbsd'], question: securelevel(2) },
  { name: 'jail', systems: ['freebsd'], question: jail },
  { name: 'packet filters', systems: ['freebsd'], question: packetFilters },
];

export function checksOn(system: System): readonly Check[] {
  return checks.filter(({ systems }) => systems.includes(system));
}
