import { connect } from 'node:net';
import { ArError } from '../errors.ts';
import { holdAgent } from '../hold-agent.ts';
import type { OutcomeReply } from '../reply.ts';

/** What the agent says to a call: done, or why not. */
export type Reply = OutcomeReply | Failure;

export interface Failure {
  readonly ok: false;
  readonly code: string;
  readonly message: string;
}

/** How long until a full queue of connections is tried again. */
const busyMs = 50;

/**
 * Sends one request and resolves with its reply; undefined when there is no agent at all, or somebody else
 * listens in its place: the work can be done without it. One that is
 * there and does not answer is an error: it may well be doing what it was asked for.
 *
 * This is the client of intake/client.ts in as little code as start-up allows (docs/decisions/0017).
 */
export async function askAgent(
  path: string,
  request: object,
  limitMs: number,
): Promise<Reply | undefined> {
  const end = performance.now() + limitMs;
  const held = await holdAgent(path);
  if (!('release' in held)) {
    if ('untrusted' in held || held.code === 'ENOENT') return undefined;
    throw unanswered(path, Object.assign(new Error(held.code), { code: held.code }));
  }
  try {
    return await askUntil(end, path, request);
  } finally {
    held.release();
  }
}

async function askUntil(end: number, path: string, request: object): Promise<Reply | undefined> {
  for (;;) {
    try {
      return await askOnce(path, request, end - performance.now());
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
      if (code !== 'EAGAIN' || performance.now() + busyMs > end) throw unanswered(path, error);
      await new Promise((resolve) => setTimeout(resolve, busyMs));
    }
  }
}

function askOnce(path: string, request: object, limitMs: number): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const timer = setTimeout(
      () => fail(new Error(`no reply within ${Math.round(limitMs)} ms`)),
      limitMs,
    );
    let text = '';
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
    };
    const fail = (error: Error): void => {
      finish();
      reject(error);
    };
    socket.setEncoding('utf8');
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`));
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the connection was closed')));
    socket.on('data', (chunk) => {
      text += chunk;
      const end = text.indexOf('\n');
      if (end === -1) return;
      finish();
      try {
        resolve(JSON.parse(text.slice(0, end)));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function unanswered(path: string, cause: unknown): ArError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new ArError(
    'agent-unreachable',
    `the agent on ${path} gave no answer (${code ?? message})`,
    'See "ar-exec status".',
    { cause },
  );
}
