/** Runs steps that come as lines of JSON; started by mount-machine.ts in a mount namespace. */
import { createInterface } from 'node:readline';
import { createRunner } from '../../agent/system/runner.ts';
import type { Step } from '../../platform/step.ts';

const run = createRunner();
process.stdout.write('ready\n');
for await (const line of createInterface(process.stdin)) {
  const { id, step } = JSON.parse(line) as { id: number; step: Step };
  void run(step).then((result) => process.stdout.write(`${JSON.stringify({ id, result })}\n`));
}
