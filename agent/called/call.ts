/** The executable as a manager's agent starts it, under the name of a response. */
import { writeSync } from 'node:fs';
import { defaultPaths } from '../config/default-paths.ts';
import { describeError } from '../errors.ts';
import { askAgent, type Reply } from './ask-agent.ts';
import { converse, type Door, refusedStatus } from './conversation.ts';
import { createCallLog, logFile } from './log.ts';
import type { Called } from './name.ts';
import { createLineReader } from './standard-input.ts';
import { runWords } from './words.ts';

/** execd answers at once, and has nothing else to do meanwhile. */
const lineSeconds = 30;
/** A tool may use its whole time limit, and a failed batch is tried again in parts. */
const replySeconds = 120;

/** Does what a call asks for; resolves with the exit status. Without words it is told on standard input. */
export async function call(called: Called, words: readonly string[]): Promise<number> {
  if (called.misplaced !== undefined) {
    process.stderr.write(`${called.misplaced}: nothing is done\n`);
    return 1;
  }
  const limit = Number(process.env['AR_EXEC_CALL_SECONDS'] ?? 0) * 1_000;
  const file = logFile(called) ?? (await configuredLog());
  let readLine: Door['readLine'] | undefined;
  const door: Door = {
    log: createCallLog(file, called),
    readLine: () => {
      readLine ??= createLineReader(process.stdin, limit || lineSeconds * 1_000);
      return readLine();
    },
    print,
    ask: (request) => ask(request, limit || replySeconds * 1_000),
  };
  try {
    const done = words.length > 0 ? runWords(called, words, door) : converse(called, door);
    return statusHere(await done, called);
  } catch (error) {
    door.log.line(describeError(error).message);
    return statusHere(refusedStatus, called);
  }
}

/** What is 255 elsewhere is -1 as it stands on Windows. */
function statusHere(status: number, { home }: Called): number {
  return home !== undefined && status === refusedStatus ? -1 : status;
}

/** execd closes its end before it waits for us. */
function print(text: string): void {
  try {
    writeSync(1, text);
  } catch {
    // Who does not read it gets on without it, as with upstream.
  }
}

async function ask(request: object, limitMs: number): Promise<Reply> {
  const socket = process.env['AR_EXEC_SOCKET'] || defaultPaths().socket;
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      return (await askAgent(socket, request, limitMs)) ?? (await actWithoutAgent(request));
    } catch (error) {
      const failure = { ok: false, ...describeError(error) } as const;
      // An agent that is about to start or to stop, or another call: one of them answers in the end.
      if (failure.code !== 'journal-locked' || performance.now() >= end) return failure;
    }
  }
}

/** Waits for the journal for some seconds. */
async function actWithoutAgent(request: object): Promise<Reply> {
  const { actDirect } = await import('../cli/direct.ts');
  const { AR_EXEC_CONFIG: config, AR_EXEC_STATE: state } = process.env;
  const places = { ...(config ? { config } : {}), ...(state ? { state } : {}) };
  return (await actDirect({ json: false, ...places }, request)) as Reply;
}

async function configuredLog(): Promise<string> {
  const { findManagerLog } = await import('../cli/direct.ts');
  const { AR_EXEC_CONFIG: config } = process.env;
  // A configuration that cannot be understood: whoever reads this log is told of it there.
  return findManagerLog({ json: false, config }).catch(() => defaultPaths().activeResponsesLog);
}
