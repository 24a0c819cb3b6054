import type { CommandModule } from 'yargs';
import { ArError, exitStatus } from '../errors.ts';
import type { SelfTest } from '../self-test/self-test.ts';
import type { Trial } from '../self-test/try-driver.ts';
import { askAgent, type CommonFlags } from './agent.ts';
import { clip, Ended, oneLine, print, printJson, table } from './output.ts';

interface SelfTestFlags extends CommonFlags {
  readonly here: boolean;
  readonly inside: boolean;
}

export const selfTestCommand: CommandModule<object, SelfTestFlags> = {
  command: 'self-test',
  describe: 'Try what blocks addresses here, with addresses that nobody has, and time it',
  builder: (parser) =>
    parser
      .option('here', {
        type: 'boolean',
        default: false,
        describe: 'on this machine itself: through the agent if one runs, otherwise without',
      })
      // In the network namespace that this process has been started in.
      .option('inside', { type: 'boolean', default: false, hidden: true })
      .example(
        '$0 self-test',
        'on Linux: in a network namespace of its own, beside a running agent',
      )
      .example('$0 self-test --here', 'with the machine’s own firewall') as never,
  handler: async (flags) => {
    const result = await test(flags);
    const ok = !result.trials.some(({ outcome }) => outcome === 'failed');
    if (flags.json) printJson({ ok, ...result });
    else print(describe(result));
    if (!ok) throw new Ended(exitStatus.unwell);
  },
};

async function test(flags: SelfTestFlags): Promise<SelfTest> {
  const { currentSystem } = await import('../config/default-paths.ts');
  const { testHere, testInNamespace, testInside } = await import('../self-test/self-test.ts');
  if (flags.inside) return testInside(flags.config);
  if (!flags.here && currentSystem() === 'linux') return testInNamespace(flags.config);
  return (await throughAgent(flags)) ?? testHere(flags.config);
}

/** Undefined where no agent answers. */
async function throughAgent(flags: SelfTestFlags): Promise<SelfTest | undefined> {
  const { testThroughAgent } = await import('../self-test/through-agent.ts');
  try {
    const trials = await testThroughAgent(
      (request) => askAgent(flags, request),
      () => performance.now(),
    );
    return { ground: 'agent', trials };
  } catch (error) {
    if (error instanceof ArError && error.code === 'agent-unreachable') return undefined;
    throw error;
  }
}

const grounds: Readonly<Record<SelfTest['ground'], string>> = {
  namespace: 'In a network namespace of its own; nothing of this machine was touched.',
  machine: 'On this machine itself, with documentation addresses; they are taken back.',
  agent: 'Through the running agent, with documentation addresses; they are taken back.',
};

function describe({ ground, trials }: SelfTest): string {
  const failed = trials.filter(({ outcome }) => outcome === 'failed').length;
  const works = trials.filter(({ outcome }) => outcome === 'works').length;
  const what = ground === 'agent' ? 'RESPONSE (DRIVER)' : 'DRIVER';
  return [
    grounds[ground],
    '',
    table([what, 'RESULT', 'ADD', 'VERIFY', 'REMOVE', 'PACKETS', 'WHAT'], trials.map(row)),
    '',
    `${works} work, ${failed} failed, ${trials.length - works - failed} not tried`,
  ].join('\n');
}

const results = { works: 'works', failed: 'FAILED', skipped: '–' } as const;

function row({ driver, outcome, addMs, verifyMs, removeMs, packets, why }: Trial): string[] {
  return [
    driver,
    results[outcome],
    ...[addMs, verifyMs, removeMs].map((ms) => (ms === undefined ? '' : `${ms.toFixed(1)} ms`)),
    packets ?? '',
    clip(oneLine(why)),
  ];
}
