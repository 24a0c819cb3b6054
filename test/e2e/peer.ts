import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** A reply line, or one that a test wants to see: its members are what the test expects of it. */
export type Reply = Readonly<Record<string, unknown>>;

/** A client of the agent's socket, as simple as a script with `nc` would be. */
export interface Peer {
  readonly socket: Socket;
  /** Sends an object as a line, and text as it is. */
  send(message: object | string): void;
  /** The next reply; rejects when the agent closes the connection instead. */
  next(): Promise<Reply>;
  ask(message: object | string): Promise<Reply>;
  /** Says that nothing more will be sent; the replies that are owed can still be read. */
  end(): void;
  /** All replies that are still to come, when the agent has closed the connection. */
  rest(): Promise<Reply[]>;
  close(): void;
}

export async function openPeer(path: string): Promise<Peer> {
  const socket = connect({ path, allowHalfOpen: true });
  await once(socket, 'connect');
  // A connection that the agent cuts is seen by `next` and `rest`: it has no more lines.
  socket.on('error', () => {});
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();

  const next = async (): Promise<Reply> => {
    const line = await lines.next();
    if (line.done === true) throw new Error('the agent closed the connection');
    return JSON.parse(line.value);
  };
  const send = (message: object | string): void => {
    socket.write(typeof message === 'string' ? message : `${JSON.stringify(message)}\n`);
  };

  return {
    socket,
    send,
    next,
    ask: (message) => {
      send(message);
      return next();
    },
    end: () => socket.end(),
    rest: async () => {
      const replies: Reply[] = [];
      for (let line = await lines.next(); line.done !== true; line = await lines.next()) {
        replies.push(JSON.parse(line.value));
      }
      socket.destroy();
      return replies;
    },
    close: () => socket.destroy(),
  };
}
