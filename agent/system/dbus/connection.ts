/** One connection to a message bus: authentication, calls and their replies, signals. */
import { connect, type Socket } from 'node:net';
import { type Call, type Incoming, messageLength, readMessage, writeCall } from './message.ts';
import type { Read } from './wire.ts';

/**
 * Why a call came to nothing:
 * - `missing`: there is no bus, or nobody on it has that name
 * - `refused`: whoever was called answered with an error
 * - `timeout`: nobody answered in time; it may come about later all the same
 * - `lost`: the connection ended, and nobody knows what became of the call
 */
export class BusError extends Error {
  readonly kind: 'missing' | 'refused' | 'timeout' | 'lost';

  constructor(kind: BusError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

export interface Connection {
  /** The values of the reply. Rejects with a BusError. */
  call(call: Call, deadlineMs: number): Promise<readonly Read[]>;
  onSignal(listener: (signal: Incoming) => void): void;
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>;
  close(): void;
}

const helloMs = 5_000;
const nobody = new Set([
  'org.freedesktop.DBus.Error.ServiceUnknown',
  'org.freedesktop.DBus.Error.NameHasNoOwner',
]);

/**
 * Connects to the bus that listens on a socket. It does not keep the process alive; a call that waits
 * does. Rejects with a BusError.
 */
export async function openConnection(path: string): Promise<Connection> {
  const socket = await dial(path);
  try {
    const rest = await authenticate(socket, path);
    const connection = converse(socket, rest);
    const bus = 'org.freedesktop.DBus';
    const hello = { destination: bus, path: '/org/freedesktop/DBus', interface: bus };
    await connection.call({ ...hello, member: 'Hello', signature: '', args: [] }, helloMs);
    return connection;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function dial(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.unref();
      resolve(socket);
    });
    socket.once('error', (error) => {
      reject(new BusError('missing', `no D-Bus on ${path}: ${error.message}`));
    });
  });
}

/** Proves by the socket's own credentials who this is (EXTERNAL). What follows its answer is left over. */
function authenticate(socket: Socket, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0);
    const done = (error?: BusError): void => {
      clearTimeout(timer);
      socket.removeAllListeners();
      if (error !== undefined) reject(error);
    };
    const timer = setTimeout(() => {
      done(new BusError('timeout', `D-Bus on ${path}: no answer within ${helloMs} ms`));
    }, helloMs);
    socket.on('error', (error) => done(new BusError('lost', `D-Bus on ${path}: ${error.message}`)));
    socket.on('close', () => done(new BusError('lost', `D-Bus on ${path}: it hung up`)));
    socket.on('data', (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      const end = heard.indexOf('\r\n');
      if (end === -1 && heard.length < 4_096) return;
      const line = heard.toString('latin1', 0, Math.max(0, end));
      if (!line.startsWith('OK ')) {
        done(new BusError('refused', `D-Bus on ${path} does not let this account in`));
        return;
      }
      done();
      socket.write('BEGIN\r\n');
      resolve(heard.subarray(end + 2));
    });
    const user = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex');
    socket.write(`\0AUTH EXTERNAL ${user}\r\n`);
  });
}

interface Waiting {
  readonly deadline: NodeJS.Timeout;
  resolve(body: readonly Read[]): void;
  reject(error: BusError): void;
}

function converse(socket: Socket, first: Buffer): Connection {
  const waiting = new Map<number, Waiting>();
  const listeners: ((signal: Incoming) => void)[] = [];
  let heard: Buffer[] = [];
  let heardBytes = 0;
  let serial = 0;
  let over: BusError | undefined;

  const settle = (of: number): Waiting | undefined => {
    const one = waiting.get(of);
    waiting.delete(of);
    clearTimeout(one?.deadline);
    return one;
  };
  const take = (message: Incoming): void => {
    if (message.kind === 'signal') for (const listener of listeners) listener(message);
    else if (message.kind === 'return') settle(message.replyTo)?.resolve(message.body);
    else if (message.kind === 'error') settle(message.replyTo)?.reject(refusal(message));
  };
  /** Bytes are put together only when a whole message is there. */
  const hear = (chunk: Buffer): void => {
    heard.push(chunk);
    heardBytes += chunk.length;
    for (;;) {
      if ((heard[0]?.length ?? 0) < Math.min(16, heardBytes)) heard = [Buffer.concat(heard)];
      const length = messageLength(heard[0] ?? Buffer.alloc(0));
      if (length === undefined || heardBytes < length) return;
      const all = heard.length === 1 ? (heard[0] as Buffer) : Buffer.concat(heard);
      heard = [all.subarray(length)];
      heardBytes -= length;
      take(readMessage(all.subarray(0, length)));
    }
  };
  const closed = new Promise<void>((resolve) => {
    const end = (error: BusError): void => {
      over ??= error;
      socket.destroy();
      for (const one of [...waiting.keys()]) settle(one)?.reject(over);
      resolve();
    };
    const hearOrEnd = (chunk: Buffer): void => {
      try {
        hear(chunk);
      } catch (error) {
        end(new BusError('lost', `D-Bus: ${error instanceof Error ? error.message : error}`));
      }
    };
    socket.on('data', hearOrEnd);
    socket.on('error', (error) => end(new BusError('lost', `D-Bus: ${error.message}`)));
    socket.on('close', () => end(new BusError('lost', 'D-Bus hung up')));
    if (first.length > 0) hearOrEnd(first);
  });

  return {
    closed,
    close: () => socket.destroy(),
    onSignal: (listener) => listeners.push(listener),
    call: (call, deadlineMs) =>
      new Promise((resolve, reject) => {
        if (over !== undefined) {
          reject(over);
          return;
        }
        serial += 1;
        const mine = serial;
        const bytes = writeCall(mine, call);
        const deadline = setTimeout(() => {
          const what = `${call.destination} did not answer ${call.member} within ${deadlineMs} ms`;
          settle(mine)?.reject(new BusError('timeout', what));
        }, deadlineMs);
        waiting.set(mine, { deadline, resolve, reject });
        socket.write(bytes);
      }),
  };
}

function refusal({ errorName, body }: Incoming): BusError {
  const [said] = body;
  // The first line says what it was; of a traceback, which services in Python send, the last.
  const lines = typeof said === 'string' ? said.trim().split('\n') : [];
  const text = lines.at(lines[0]?.startsWith('Traceback') ? -1 : 0) || errorName;
  return new BusError(nobody.has(errorName) ? 'missing' : 'refused', text);
}
