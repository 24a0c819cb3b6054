import { IPCModule } from 'node-ipc';
import { ArError } from '../errors.ts';
import { createLineParser } from './line-parser.ts';
import { connectable, pipeName } from './pipe.ts';

/** Replies can be long: a list of a hundred thousand actions is about 30 MB. */
export const longestReplyBytes = 256 * 1024 * 1024;
const peer = 'agent';

/**
 * Sends one request to the agent that listens on `path`, and resolves with its reply.
 * Throws `agent-unreachable`.
 */
export function ask(path: string, request: object, deadlineMs: number): Promise<object> {
  return new Promise((resolve, reject) => {
    const ipc = new IPCModule();
    ipc.config.silent = true;
    ipc.config.parser = createLineParser(longestReplyBytes);
    ipc.config.stopRetrying = true;
    ipc.config.maxRetries = 0;
    const finish = (act: () => void): void => {
      clearTimeout(timer);
      ipc.disconnect(peer);
      act();
    };
    const fail = (said: string, cause?: unknown): void =>
      finish(() => reject(unreachable(path, said, cause)));
    const timer = setTimeout(() => fail(`no reply within ${deadlineMs} ms`), deadlineMs);
    ipc.connectTo(peer, connectable(path), () => {
      const agent = ipc.of[peer];
      agent?.on('connect', () => agent.emit('line', JSON.stringify(request)));
      agent?.on('line', (line: string) => finish(() => resolve(JSON.parse(line))));
      agent?.on('error', (error: NodeJS.ErrnoException) =>
        fail(error.code ?? error.message, error),
      );
      agent?.on('disconnect', () => fail('the connection was closed'));
    });
  });
}

export function unreachable(path: string, said: string, cause?: unknown): ArError {
  if (['EACCES', 'EPERM'].includes(said)) return forbidden(path, said, cause);
  return new ArError(
    'agent-unreachable',
    `no agent answers on ${path} (${said})`,
    'Start it with "ar-exec run", name its socket with --socket, or do the work without it with --direct.',
    cause === undefined ? undefined : { cause },
  );
}

/** There may be an agent; this account is not one that it answers. */
function forbidden(path: string, said: string, cause: unknown): ArError {
  return new ArError(
    'agent-unreachable',
    `this account may not use ${path} (${said})`,
    pipeName(path) === undefined
      ? 'Be root, or a member of the group that the socket belongs to.'
      : 'Run it from an elevated prompt ("Run as administrator"): the agent answers Administrators and SYSTEM only.',
    { cause },
  );
}
