import type { CommandModule } from 'yargs';
import type { BreakerReply } from '../reply.ts';
import { askAgent, type CommonFlags } from './agent.ts';
import { print, printJson } from './output.ts';
import { moment } from './time.ts';

interface BreakerFlags extends CommonFlags {
  readonly action?: 'close' | undefined;
}

export const breakerCommand: CommandModule<object, BreakerFlags> = {
  command: 'breaker [action]',
  describe: 'Show whether what alerts ask for is let through, or let it through again',
  builder: (parser) =>
    parser
      .positional('action', {
        choices: ['close'] as const,
        describe: 'let it through before it is calm',
      })
      .example('$0 breaker', '')
      .example('$0 breaker close', '') as never,
  handler: async (flags) => {
    const close = flags.action === 'close';
    const { breaker } = await askAgent<{ breaker: BreakerReply }>(flags, {
      id: 1,
      command: 'breaker',
      close,
    });
    if (flags.json) printJson(breaker);
    else print(breakerLine(breaker));
  },
};

/** How it is, as a sentence. */
export function breakerLine(breaker: BreakerReply): string {
  const { open, why, since, refused, lastMinute, perMinute, held } = breaker;
  if (!open) {
    const limit = perMinute === 0 ? '' : ` of ${perMinute}`;
    return `breaker: closed; alerts asked for ${lastMinute}${limit} new targets within a minute`;
  }
  const what =
    why === 'held'
      ? `alerts hold ${held} actions or more`
      : `alerts asked for more than ${perMinute} new targets within a minute`;
  const from = since === undefined ? '' : ` since ${moment(since)}`;
  return `breaker: OPEN${from}: ${what}; ${refused ?? 0} requests refused ("ar-exec breaker close" closes it)`;
}
