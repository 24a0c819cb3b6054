/** Does pf act on what is in the table? A table alone blocks nothing. */
import type { CommandStep, StepResult } from '../step.ts';
import { inAnchor, type Place, pfctl, said, worked } from './pf-commands.ts';
import { type Evaluation, evaluate, lineFor } from './pf-main-rules.ts';

/** Whether pf is enabled, and the main ruleset. */
export const askMain: readonly CommandStep[] = [pfctl(['-s', 'info']), pfctl(['-s', 'rules'])];

export type Main =
  | { readonly known: false; readonly why: string }
  | { readonly known: true; readonly enabled: boolean; readonly evaluation: Evaluation };

export function readMain({ anchor }: Place, results: readonly StepResult[]): Main {
  const [info, rules] = results;
  if (info !== undefined && isUnloaded(info)) return { known: false, why: 'pf is not loaded' };
  if (!worked(info)) return { known: false, why: info === undefined ? 'no answer' : said(info) };
  if (!worked(rules)) return { known: false, why: rules === undefined ? 'no answer' : said(rules) };
  const status = /^Status: (Enabled|Disabled)\b/m.exec(info.stdout)?.[1];
  if (status === undefined) return { known: false, why: 'pfctl -s info does not say the status' };
  const evaluation: Evaluation =
    anchor === '' ? { reached: 'all' } : evaluate(rules.stdout, anchor);
  return { known: true, enabled: status === 'Enabled', evaluation };
}

/** Why nothing of what is in the table is blocked, if so; what we can put right is left out. */
export function unenforced(place: Place, main: Extract<Main, { known: true }>): string | undefined {
  const { evaluation, enabled } = main;
  if (!enabled && place.token === '') return 'not enforced: pf is disabled';
  if (evaluation.reached === 'no') {
    return `not enforced: the main ruleset does not call our anchor, ${lineFor(place.anchor)}`;
  }
  if (evaluation.passedBy?.families.length === 2) {
    return `not enforced: "${evaluation.passedBy.rule}" stands before ${lineFor(place.anchor)}`;
  }
  return undefined;
}

/** FreeBSD has pf as a module, without which there is no such device. */
export function isUnloaded({ stderr }: StepResult): boolean {
  return stderr.includes('/dev/pf: No such file');
}

/** The families that reach the anchor. */
export function familiesOf({ passedBy }: Evaluation): (4 | 6)[] {
  return ([4, 6] as const).filter((family) => passedBy?.families.includes(family) !== true);
}

/** The rules of the anchor. */
export function askRules(place: Place): CommandStep {
  return pfctl([...inAnchor(place), '-s', 'rules']);
}
