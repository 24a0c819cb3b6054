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
  const limit = Number(process.env['AR_EXEC_CALL_SECONDS'] ?? 0) * 1_000;
  const file = logFile(called.program) ?? (await configuredLog());
  let readLine: Door['readLine'] | undefined;
  const door: Door = {
    log: createCallLog(file, called.program),
    readLine: () => {
      readLine ??= createLineReader(process.stdin, limit || lineSeconds * 1_000);
      return readLine();
    },
    print,
    ask: (request) => ask(request, limit || replySeconds * 1_000),
  };
  try {
    return words.length > 0 ? await runWords(called, words, door) : await converse(called, door);
  } catch (error) {
    door.log.line(describeError(error).message);
    return refusedStatus;
  }
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
  const { AR_EXEC_CONFIG: config, AR_EXEC_STATE: state, AR_EXEC_SOCKET: named } = process.env;
  const socket = named || defaultPaths().socket;
  try {
    const reply = await askAgent(socket, request, limitMs);
    if (reply !== undefined) return reply;
    const { actDirect } = await import('../cli/direct.ts');
    const flags = {
      json: false,
      ...(config ? { config } : {}),
      ...(state ? { state } : {}),
      socket,
    };
    try {
      return (await actDirect(flags, request)) as Reply;
    } catch (error) {
      // An agent that was about to start, or another call that is done by now.
      if (describeError(error).code !== 'journal-locked') throw error;
      const later = await askAgent(socket, request, limitMs);
      if (later === undefined) throw error;
      return later;
    }
  } catch (error) {
    return { ok: false, ...describeError(error) };
  }
}

async function configuredLog(): Promise<string> {
  const { findManagerLog } = await import('../cli/direct.ts');
  return findManagerLog({ json: false, config: process.env['AR_EXEC_CONFIG'] });
}
