import type { Finding, Question } from './driver.ts';
import { clock } from './linux/checks/clock.ts';
import { fastPaths } from './linux/checks/fast-paths.ts';
import { firewallsBeside } from './linux/checks/firewalls-beside.ts';
import { flowTools } from './linux/checks/flow-tools.ts';
import { kernel } from './linux/checks/kernel.ts';
import { rights } from './linux/checks/rights.ts';

/** Something to look at on this machine that is not the business of one driver alone. */
export interface Check {
  readonly name: string;
  readonly question: Question<readonly Finding[]>;
}

/** Every check there is; `ar-exec doctor` asks them beside each driver's own. */
export const checks: readonly Check[] = [
  { name: 'rights', question: rights },
  { name: 'kernel', question: kernel },
  { name: 'clock', question: clock },
  { name: 'fast paths', question: fastPaths },
  { name: 'firewalls beside', question: firewallsBeside },
  { name: 'tools for connections', question: flowTools },
];
