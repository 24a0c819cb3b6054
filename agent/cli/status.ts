import type { CommandModule } from 'yargs';
import { describeDuration } from '../config/duration.ts';
import type { BreakerReply } from '../reply.ts';
import { askAgent, type CommonFlags } from './agent.ts';
import { breakerLine } from './breaker.ts';
import { oneLine, print, printJson } from './output.ts';

interface StatusReply {
  readonly version: string;
  readonly pid: number;
  readonly healthy: boolean;
  readonly upSeconds: number;
  readonly actions: Readonly<Record<string, number>>;
  readonly pending: number;
  readonly connections: number;
  readonly journal: string;
  readonly journalMishaps?: readonly { readonly kind: string; readonly what: string }[];
  readonly execd?: {
    readonly manager: string;
    readonly waiting: number;
    readonly sockets: readonly { readonly path: string; readonly trouble?: string }[];
  };
  readonly drivers: readonly {
    readonly driver: string;
    readonly usable: boolean;
    readonly why: string;
    readonly trouble?: readonly string[];
    readonly notWatched?: readonly string[];
    readonly repairs?: number;
    readonly lastRepair?: {
      readonly at: string;
      readonly noticedBy: string;
      readonly what?: string;
    };
    readonly fighting?: boolean;
  }[];
  readonly choices: readonly string[];
  /** Absent of an agent that is older than this command. */
  readonly breaker?: BreakerReply;
}

export const statusCommand: CommandModule<object, CommonFlags> = {
  command: 'status',
  describe: 'Show how the agent is: what it holds, which drivers it has, what troubles it',
  builder: (parser) => parser.example('$0 status', '').example('$0 status --json', '') as never,
  handler: async (flags) => {
    const reply = await askAgent<StatusReply>(flags, { id: 1, command: 'status' });
    if (flags.json) printJson(reply);
    else print(describe(reply));
  },
};

function describe(status: StatusReply): string {
  const counts = Object.entries(status.actions).map(([state, number]) => `${number} ${state}`);
  return [
    `ar-exec ${status.version}, process ${status.pid}, up ${describeDuration(status.upSeconds)}: ${
      status.healthy ? 'all is as it should be' : 'something is not as it should be'
    }`,
    `actions: ${counts.join(', ')}; ${status.pending} waiting; ${status.connections} connections`,
    ...(status.breaker?.open === true ? [breakerLine(status.breaker)] : []),
    `journal: ${status.journal}`,
    ...(status.journalMishaps ?? []).map(({ kind, what }) => `  ${kind}: ${oneLine(what)}`),
    ...describeExecd(status),
    'drivers:',
    ...status.drivers.flatMap((driver) => [
      `  ${driver.driver}: ${driver.usable ? 'usable' : 'not usable'} (${oneLine(driver.why)})`,
      ...(driver.trouble ?? []).map((one) => `    trouble: ${oneLine(one)}`),
      ...describeRepairs(driver),
    ]),
    'choices:',
    ...status.choices.map((choice) => `  ${oneLine(choice)}`),
  ].join('\n');
}

function describeRepairs(driver: StatusReply['drivers'][number]): string[] {
  const { repairs = 0, lastRepair, notWatched = [], fighting = false } = driver;
  const what = lastRepair?.what === undefined ? '' : `: ${oneLine(lastRepair.what)}`;
  return [
    ...notWatched.map((why) => `    not watched, only looked at now and then: ${oneLine(why)}`),
    ...(lastRepair === undefined
      ? []
      : [`    put right ${repairs} times, last ${lastRepair.at} (${lastRepair.noticedBy}${what})`]),
    ...(fighting ? ['    somebody undoes it again and again: it is put back more slowly'] : []),
  ];
}

function describeExecd({ execd }: StatusReply): string[] {
  if (execd === undefined) return [];
  return [
    `in place of execd: ${execd.manager}, ${execd.waiting} messages waiting`,
    ...execd.sockets.map(
      ({ path, trouble }) => `  ${path}: ${trouble === undefined ? 'open' : oneLine(trouble)}`,
    ),
  ];
}
