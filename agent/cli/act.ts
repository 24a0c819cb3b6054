import { userInfo } from 'node:os';
import type { Argv, CommandModule } from 'yargs';
import { parseDuration } from '../config/duration.ts';
import { ArError } from '../errors.ts';
import type { OutcomeReply } from '../reply.ts';
import { askAgent, type CommonFlags } from './agent.ts';
import { print, printJson, remark } from './output.ts';
import { left, moment } from './time.ts';

export interface ActFlags extends CommonFlags {
  readonly response: string;
  readonly srcip?: string | undefined;
  readonly user?: string | undefined;
  readonly file?: string | undefined;
  readonly key?: string | undefined;
  readonly pid?: number | undefined;
  readonly executable?: string | undefined;
  readonly sha256?: string | undefined;
  readonly title?: string | undefined;
  readonly text?: string | undefined;
  readonly level?: number | undefined;
  readonly timeout?: string | undefined;
  readonly reason?: string | undefined;
  readonly dryRun: boolean;
  readonly direct: boolean;
  readonly forceProtected: boolean;
  readonly forget: boolean;
}

export const addCommand: CommandModule<object, ActFlags> = {
  command: 'add <response>',
  describe: 'Apply a response',
  builder: (parser) =>
    common(parser)
      .option('timeout', {
        type: 'string',
        describe: 'take it back after this time (600, 10m, 2h); without it: held until deleted',
      })
      .option('sha256', { type: 'string', describe: 'what --file has to hold' })
      .option('title', { type: 'string', describe: 'for notifications' })
      .option('text', { type: 'string', describe: 'for notifications' })
      .option('level', { type: 'number', describe: 'for notifications: how bad it is, 0 to 16' })
      .option('reason', { type: 'string', describe: 'why, for "ar-exec list"' })
      .option('force-protected', {
        type: 'boolean',
        default: false,
        describe: 'even if the address is on the never-block list',
      })
      .example('$0 add firewall-drop --srcip 203.0.113.7 --timeout 10m --reason "test"', '')
      .example('$0 add firewall-drop --srcip 2001:db8::/48 --timeout 1d', '')
      .example('$0 add route-null --srcip 203.0.113.7 --dry-run', '') as never,
  handler: (flags) => act('add', flags),
};

export const deleteCommand: CommandModule<object, ActFlags> = {
  command: 'delete <response>',
  describe: 'Take a response back',
  builder: (parser) =>
    common(parser)
      .option('forget', {
        type: 'boolean',
        default: false,
        describe: 'only end the record, and leave the machine as it is',
      })
      .example('$0 delete firewall-drop --srcip 203.0.113.7', '') as never,
  handler: (flags) => act('delete', flags),
};

function common(parser: Argv) {
  return parser
    .positional('response', { type: 'string', describe: 'a response; docs/responses.md has all' })
    .option('srcip', { type: 'string', describe: 'the address or prefix that it is about' })
    .option('user', { type: 'string', describe: 'the account that it is about' })
    .option('file', { type: 'string', describe: 'the file that it is about' })
    .option('key', { type: 'string', describe: 'of a script: what "ar-exec list" shows it by' })
    .option('pid', { type: 'number', describe: 'the process that it is about' })
    .option('executable', { type: 'string', describe: 'the program that has to run under --pid' })
    .option('dry-run', {
      type: 'boolean',
      default: false,
      describe: 'print the exact steps and touch nothing',
    })
    .option('direct', {
      type: 'boolean',
      default: false,
      describe: 'without an agent: do the work here, through the same journal',
    });
}

async function act(verb: 'add' | 'delete', flags: ActFlags): Promise<void> {
  const request = toRequest(verb, flags);
  if (flags.dryRun) {
    const { showSteps } = await import('./steps.ts');
    await showSteps(flags, request);
    return;
  }
  const reply = flags.direct
    ? await actDirectly(flags, request)
    : await askAgent<OutcomeReply>(flags, request);
  if (flags.json) printJson(reply);
  else print(sentence(reply));
}

async function actDirectly(flags: ActFlags, request: object): Promise<OutcomeReply> {
  const { actDirect } = await import('./direct.ts');
  const reply = (await actDirect(flags, request)) as OutcomeReply;
  if (reply.state === 'active' && reply.until !== null) {
    remark(
      'no agent was asked; it is taken back on time only if one runs by then, or by the kernel where that can',
    );
  }
  if (reply.nextTry !== undefined) remark('no agent was asked; it is tried again once one runs');
  return reply;
}

/** What the flags ask for, as it is sent to the agent. */
export function toRequest(verb: 'add' | 'delete', flags: ActFlags): object {
  if (flags.srcip === '') {
    throw new ArError('address-missing', '--srcip is empty', 'Name an address or a prefix.');
  }
  return {
    id: 1,
    command: verb,
    response: flags.response,
    srcip: flags.srcip,
    user: flags.user,
    file: flags.file,
    key: flags.key,
    pid: flags.pid,
    executable: flags.executable,
    sha256: flags.sha256,
    title: flags.title,
    text: flags.text,
    level: flags.level,
    by: `${process.env['SUDO_USER'] ?? userInfo().username} (ar-exec ${verb})`,
    ...(flags.timeout === undefined ? {} : { timeoutSeconds: parseDuration(flags.timeout) }),
    ...(flags.reason === undefined ? {} : { reason: flags.reason }),
    ...(flags.forceProtected ? { forceProtected: true } : {}),
    ...(flags.forget ? { forget: true } : {}),
    ...(flags.dryRun ? { dryRun: true } : {}),
  };
}

/** What became of a request, for people. */
export function sentence(reply: OutcomeReply): string {
  const what = `${reply.response} ${reply.target}`;
  if (reply.state === 'active') {
    const until =
      reply.until === null
        ? 'until deleted'
        : `until ${moment(reply.until)} (${left(reply.until)} left)`;
    const how =
      reply.preExisting === true
        ? 'was in force before ar-exec, and is left to whoever made it'
        : `is in force by ${reply.driver}`;
    const refreshed = reply.refreshed === true ? '; it was held already' : '';
    const but = reply.trouble === undefined ? '' : `; but ${reply.trouble}`;
    return `${what} ${how}, held ${until}${refreshed}${but}`;
  }
  if (reply.state === 'done') return `${reply.response} is done (${reply.driver})`;
  if (reply.nextTry !== undefined) {
    const why = reply.trouble ?? 'it was done a moment ago';
    return `${reply.response} is not done yet: ${why}; it is tried again at ${moment(reply.nextTry)}`;
  }
  if (reply.state === 'forgotten') return `${what} is forgotten; the machine is as it was`;
  if (reply.preExisting === true) {
    return `${what} has ended; what was in force before ar-exec is left to whoever made it`;
  }
  const others = reply.stillHeldBy ?? [];
  if (others.length > 0) return `${what} has ended; it stays in force for ${others.join(', ')}`;
  return `${what} is no longer in force`;
}
