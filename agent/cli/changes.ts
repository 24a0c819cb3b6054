/** Changes to the machine, as the commands that make them show and tell them. */
import { ArError } from '../errors.ts';
import type { Done } from '../service/carry-out.ts';
import { type Change, changeText } from '../service/change.ts';
import type { Planned } from '../service/service.ts';
import type { CommonFlags } from './agent.ts';
import { oneLine, print, printJson, remark } from './output.ts';

/** How a change is shown. */
type Text = (change: Change) => string;

/** Throws `usage-invalid` for whoever is not root. */
export function refuseOthers(words: string): void {
  if (process.getuid?.() === 0) return;
  throw new ArError('usage-invalid', 'only root can do this', `sudo ar-exec ${words}`);
}

/** What would be done. */
export function show(
  { json }: CommonFlags,
  { changes, remarks }: Planned,
  text: Text = changeText,
): void {
  if (json) {
    printJson({ ok: true, changes, remarks });
    return;
  }
  remark('nothing is done');
  print(changes.map(text).join('\n'));
  for (const one of remarks) remark(one);
}

/** What was done; what was so already is passed over. */
export function tell(
  { json }: CommonFlags,
  { remarks }: Planned,
  done: readonly Done[],
  text: Text = changeText,
): void {
  if (json) {
    printJson({
      ok: true,
      done: done.map(({ change, ...rest }) => ({ ...nameOf(change), ...rest })),
      remarks,
    });
    return;
  }
  const lines = done.flatMap(({ change, outcome, said }) => {
    const [what = ''] = text(change).split('\n');
    if (outcome === 'done') return [what];
    return outcome === 'no' ? [`${what}  # ${oneLine(said ?? '')}`] : [];
  });
  print(lines.length === 0 ? 'All is so already.' : lines.join('\n'));
  for (const one of remarks) remark(one);
}

function nameOf(change: Done['change']): object {
  return change.kind === 'run'
    ? { kind: change.kind, argv: change.argv }
    : { kind: change.kind, path: change.path };
}
