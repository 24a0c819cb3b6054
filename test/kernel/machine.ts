import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { createRunner } from '../../agent/system/runner.ts';
import type { Machine } from '../contract/driver-contract.ts';

/** A network namespace of its own, with nothing in it: a machine as far as a firewall goes. */
export async function kernelMachine(): Promise<Machine> {
  const name = `ar-m-${randomBytes(3).toString('hex')}`;
  const inside = (argv: readonly string[]) => ['netns', 'exec', name, ...argv];
  const run = createRunner();
  await execa('ip', ['netns', 'add', name]);
  return {
    run: (step) =>
      step.kind === 'command'
        ? run({ ...step, tool: 'ip', args: inside([step.tool, ...step.args]) })
        : run(step),
    exec: async (argv, input = '') => (await execa('ip', inside(argv), { input })).stdout,
    close: async () => {
      await execa('ip', ['netns', 'del', name]);
    },
  };
}
