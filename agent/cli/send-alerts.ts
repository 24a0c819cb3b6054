import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import type { Step } from '../../platform/step.ts';
import { createTriggering, type PassedOver } from '../alerts/triggering.ts';
import { createAnswer } from '../answer.ts';
import { defaultPaths } from '../config/default-paths.ts';
import { ArError, describeError, type ErrorCode, errorCodes } from '../errors.ts';
import { openDialogue } from '../intake/dialogue.ts';
import { reach } from '../reach.ts';
import type { OutcomeReply } from '../reply.ts';
import { loadHere } from '../settle/load-here.ts';
import { sentence } from './act.ts';
import { placesOf } from './agent.ts';
import type { AlertFlags } from './alert.ts';
import { type AlertLine, linesOf } from './alert-lines.ts';
import { Ended, oneLine, print, printJson, remark } from './output.ts';
import { stepText } from './steps.ts';

interface Failure {
  readonly ok: false;
  readonly response?: string;
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string;
}
interface PlanReply {
  readonly ok: true;
  readonly dryRun: true;
  readonly driver: string;
  readonly why: string;
  readonly steps: readonly Step[];
}
interface AlertReply {
  readonly ok: true;
  readonly responses: readonly (OutcomeReply | PlanReply | Failure)[];
  readonly passedOver?: readonly PassedOver[];
}

/** Where alerts are sent. */
interface Addressee {
  ask(request: object): Promise<AlertReply | Failure>;
  close(): void | Promise<void>;
}

/** What is sent besides the alert. */
const envelopeBytes = 128;
/** Alerts that may be in work; the next ones are left in the stream. */
const inWork = 512;

/** Sends what is read, and tells what each alert came to. */
export async function sendAlerts(flags: AlertFlags): Promise<void> {
  const { config: file } = placesOf(flags);
  const { config } = await loadHere(file);
  const stream = flags.file === undefined ? process.stdin : await openFile(flags.file);
  const longest = config.limits.messageBytes - envelopeBytes;
  const addressee = await openAddressee(flags);
  try {
    const failure = await sendAll(addressee, linesOf(stream, longest), flags);
    if (failure !== undefined) throw new Ended(errorCodes[failure]);
  } finally {
    await addressee.close();
  }
}

/** Resolves with the first failure, when all are answered or nobody is there to answer any more. */
async function sendAll(
  addressee: Addressee,
  lines: AsyncIterable<AlertLine>,
  flags: AlertFlags,
): Promise<ErrorCode | undefined> {
  const waiting: Promise<ErrorCode | undefined>[] = [];
  let failure: ErrorCode | undefined;
  let isGone = false;
  const finishOne = async (): Promise<void> => {
    const code = await waiting.shift();
    failure ??= code;
    isGone ||= code === 'agent-unreachable';
  };
  let number = 0;
  for await (const line of lines) {
    number += 1;
    waiting.push(tell(flags, number, send(addressee, line, flags.dryRun), waiting.at(-1)));
    while (waiting.length >= inWork) await finishOne();
    if (isGone) break;
  }
  while (waiting.length > 0) await finishOne();
  return failure;
}

async function openFile(path: string) {
  try {
    const handle = await open(path);
    return createReadStream('', { fd: handle });
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new ArError('usage-invalid', `cannot read alerts: ${said}`, 'Name a file of alerts.', {
      cause,
    });
  }
}

async function openAddressee(flags: AlertFlags): Promise<Addressee> {
  try {
    const socket = flags.socket ?? defaultPaths().socket;
    const dialogue = await reach(socket, () => openDialogue(socket));
    return { ask: (request) => dialogue.ask(request) as never, close: dialogue.close };
  } catch (error) {
    if (!flags.dryRun || !(error instanceof ArError)) throw error;
    remark('no agent answers: planned as if nothing were held');
    return openPlanner(flags);
  }
}

/** Says what an agent would do, without one. */
async function openPlanner(flags: AlertFlags): Promise<Addressee> {
  const { composeInMemory } = await import('./direct.ts');
  const composed = await composeInMemory(flags);
  const answer = createAnswer(composed, {
    status: () => ({}),
    reload: async () => ({}),
    triggered: createTriggering(composed),
  });
  return {
    ask: ({ alert: it }: { alert?: object }) =>
      answer({ ask: { kind: 'alert', alert: it ?? {}, dryRun: true } }) as never,
    close: async () => {
      await composed.flow.stop({ revert: false });
      composed.journal.close();
    },
  };
}

async function send(
  addressee: Addressee,
  line: AlertLine,
  dryRun: boolean,
): Promise<AlertReply | Failure> {
  try {
    if ('tooLong' in line) {
      const hint = 'It was passed over. Raise <message_bytes>.';
      throw new ArError('message-too-large', 'it is longer than the agent takes', hint);
    }
    const request = { command: 'alert', alert: parse(line.text), dryRun };
    return await addressee.ask(request);
  } catch (error) {
    return { ok: false, ...describeError(error) };
  }
}

function parse(text: string): object {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  throw new ArError('message-invalid', 'it is no alert in JSON', 'It was passed over.');
}

/** Prints what became of an alert after what became of those before it; resolves with what failed. */
async function tell(
  { json }: AlertFlags,
  line: number,
  reply: Promise<AlertReply | Failure>,
  before: Promise<unknown> | undefined,
): Promise<ErrorCode | undefined> {
  const said = await reply;
  await before;
  if (json) printJson({ line, ...said });
  else for (const text of sentences(said)) print(`${line}: ${text}`);
  if (!said.ok) return said.code;
  return said.responses.find((one): one is Failure => !one.ok)?.code;
}

function sentences(reply: AlertReply | Failure): string[] {
  if (!reply.ok) return [failed(reply)];
  const { responses, passedOver = [] } = reply;
  return [
    ...responses.map((one) => {
      if (!one.ok) return failed(one);
      return 'dryRun' in one ? planned(one) : sentence(one);
    }),
    ...passedOver.map(({ response, why }) => `${response} does not run: ${oneLine(why)}`),
    ...(responses.length + passedOver.length === 0 ? ['nothing follows from it'] : []),
  ];
}

function failed({ response, code, message }: Failure): string {
  const what = response === undefined ? '' : `${oneLine(response)}: `;
  return `${what}${oneLine(message)} [${code}]`;
}

function planned({ driver, why, steps }: PlanReply): string {
  const head = `${driver} would do it: ${oneLine(why)}`;
  return [head, ...steps.map((step) => `  ${stepText(step).replaceAll('\n', '\n  ')}`)].join('\n');
}
