import type { CommandModule } from 'yargs';
import type { ActionReply } from '../reply.ts';
import { askAgent, type CommonFlags } from './agent.ts';
import { oneLine, print, printJson, table } from './output.ts';
import { left, moment } from './time.ts';

interface ListFlags extends CommonFlags {
  readonly history: boolean;
  readonly limit: number;
}

interface ListReply {
  readonly actions: readonly ActionReply[];
  readonly held: number;
}

export const listCommand: CommandModule<object, ListFlags> = {
  command: 'list',
  describe: 'Show what is held: what, whom, since, until, why, by whom',
  builder: (parser) =>
    parser
      .option('history', { type: 'boolean', default: false, describe: 'what is over, instead' })
      .option('limit', {
        type: 'number',
        default: 1_000,
        describe: 'at most so many, newest first',
      })
      .example('$0 list', '')
      .example('$0 list --json', 'for programs')
      .example('$0 list --history --limit 20', 'the last that ended') as never,
  handler: async (flags) => {
    const { history, limit } = flags;
    const reply = await askAgent<ListReply>(flags, { id: 1, command: 'list', history, limit });
    if (flags.json) printJson(reply);
    else print(describe(reply, history));
  },
};

function describe({ actions, held }: ListReply, history: boolean): string {
  if (actions.length === 0) return history ? 'Nothing has ended yet.' : 'Nothing is held.';
  const rows = actions.map((one) => [
    one.response,
    one.target,
    one.state,
    moment(one.since),
    ...(history ? [one.ended === undefined ? '' : moment(one.ended)] : untilAndLeft(one)),
    oneLine(one.trouble ?? whyOf(one)).slice(0, 60),
    oneLine(one.by ?? one.dialect).slice(0, 40),
  ]);
  const times = history ? ['ENDED'] : ['UNTIL', 'LEFT'];
  const text = table(['WHAT', 'WHOM', 'STATE', 'SINCE', ...times, 'WHY', 'BY'], rows);
  const more = held - actions.length;
  return !history && more > 0 ? `${text}\n… and ${more} more (--limit)` : text;
}

function untilAndLeft({ until }: ActionReply): string[] {
  return until === null ? ['deleted', ''] : [moment(until), left(until)];
}

function whyOf({ reason, ruleId }: ActionReply): string {
  if (ruleId === undefined) return reason ?? '';
  return `rule ${ruleId}${reason === undefined ? '' : `: ${reason}`}`;
}
