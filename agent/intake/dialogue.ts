import { IPCModule } from 'node-ipc';
import { longestReplyBytes, unreachable } from './client.ts';
import { createLineParser } from './line-parser.ts';
import { connectable } from './pipe.ts';

/** One connection to the agent that carries any number of requests at a time. */
export interface Dialogue {
  /** Resolves with the reply; rejects with `agent-unreachable` when the connection ends before. */
  ask(request: object): Promise<object>;
  close(): void;
}

interface Waiting {
  resolve(reply: object): void;
  reject(error: unknown): void;
}

/** Connects to the agent that listens on `path`. Throws `agent-unreachable`. */
export function openDialogue(path: string): Promise<Dialogue> {
  const name = 'agent';
  const ipc = new IPCModule();
  ipc.config.silent = true;
  ipc.config.parser = createLineParser(longestReplyBytes);
  ipc.config.stopRetrying = true;
  ipc.config.maxRetries = 0;
  const waiting = new Map<number, Waiting>();
  let last = 0;
  let ended: unknown;

  return new Promise((resolve, reject) => {
    const end = (said: string, cause?: unknown): void => {
      ended ??= unreachable(path, said, cause);
      ipc.disconnect(name);
      reject(ended);
      for (const one of waiting.values()) one.reject(ended);
      waiting.clear();
    };
    const answered = (line: string): void => {
      const { id, ...reply } = JSON.parse(line) as { id?: number };
      // What has no id is told of the connection: why it is closed.
      if (id === undefined) end((reply as { message?: string }).message ?? 'it was refused');
      else waiting.get(id)?.resolve(reply);
      waiting.delete(id ?? 0);
    };
    ipc.connectTo(name, connectable(path), () => {
      const agent = ipc.of[name];
      agent?.on('line', answered);
      agent?.on('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message, error));
      agent?.on('disconnect', () => end('the connection was closed'));
      agent?.on('connect', () =>
        resolve({
          ask: (request) =>
            new Promise((done, failed) => {
              if (ended !== undefined) {
                failed(ended);
                return;
              }
              last += 1;
              waiting.set(last, { resolve: done, reject: failed });
              agent.emit('line', JSON.stringify({ id: last, ...request }));
            }),
          close: () => ipc.disconnect(name),
        }),
      );
    });
  });
}
