import type { Plan } from '../desk/plan.ts';
import type { Decision } from '../policy/decide.ts';
import { checkScriptFile } from '../system/script-file.ts';
import type { Request } from '../words.ts';
import { isStateful } from './add.ts';
import type { Bench } from './bench.ts';
import { planRun } from './plan-run.ts';
import { mannerOf } from './settings.ts';

/** The run that a request would come to; looks at the file and changes nothing. */
export async function planScript(
  { journal, clock, script, instance, limits }: Bench,
  request: Request,
  { definition, target, facts }: Decision,
): Promise<Plan> {
  const { verb, timeoutSeconds, origin, managerLine } = request;
  const held = journal.holder(definition.name, target.text);
  const plan = (why: string, steps: Plan['steps']): Plan => ({
    kind: 'plan',
    driver: instance.driver,
    why,
    steps,
  });
  if (verb === 'delete' && held === undefined) return plan('nothing is held for it', []);
  const now = clock.now();
  const deadlineAt = timeoutSeconds === undefined ? undefined : now + timeoutSeconds * 1_000;
  const asked = { id: 0, createdAt: now, deadlineAt, origin, facts, managerLine };
  const subject = verb === 'delete' ? (held ?? asked) : asked;
  const step = planRun(script, mannerOf(script.dialect, subject.origin.dialect), subject, {
    verb,
    run: '-',
    deadlineMs: limits(script.name).timeLimitMs,
  });
  const file = await checkScriptFile(script.folder, script.file);
  if (!file.fit) return plan(file.why, []);
  const words = step.wordsFor === 'shell' && !file.takesWords ? [] : step.words;
  const then = isStateful({ script }, request) ? ', and again to take it back' : ', once';
  return plan(`runs ${script.file}${verb === 'add' ? then : ''}`, [
    { ...step, words, wordsFor: 'every-file' },
  ]);
}
