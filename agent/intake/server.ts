import { chmod, chown, mkdir, unlink } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { dirname } from 'node:path';
import { IPCModule, type Server } from 'node-ipc';
import { ArError } from '../errors.ts';
import {
  type Answer,
  type Connection,
  createConnection,
  failure,
  type Parse,
} from './connection.ts';
import { createLineParser, type LineFrame, type Partial } from './line-parser.ts';
import { pipeName } from './pipe.ts';

export interface ServerOptions {
  readonly path: string;
  /** What the system takes; a longer one would be cut. */
  readonly longestPathBytes: number;
  /** Where there are no such sockets it is a named pipe, and this keeps it to those who may use it. */
  readonly restrict?: (path: string) => void;
  /** The group that may use the socket besides its owner; absent = the owner alone. */
  readonly groupId?: number;
  readonly connections: number;
  readonly messageBytes: number;
  /** Requests of one connection in a second. */
  readonly requestsPerSecond: number;
  /** How long a peer may take to finish a line it began, or to read its replies. Default 30 s. */
  readonly patienceMs?: number;
  readonly parse: Parse;
  readonly answer: Answer;
  /** A connection that was refused, a fault of a socket: for the log, nothing to be done. */
  onTrouble(what: string): void;
}

export interface SocketServer {
  connections(): number;
  /** Takes no more connections, lets those that wait for a reply have it, and closes. */
  close(): Promise<void>;
}

/** Requests of one connection in work at a time: one batch on its way, and the next one gathering. */
const inWork = 8_192;
const unreadBytes = 1024 * 1024;
const defaultPatienceMs = 30_000;
/** How many connections above the limit are told so; beyond that the system closes them. */
const refusedAtATime = 64;
/** How soon idle connections are looked for again, if there were none. */
const lookAgainMs = 1_000;
/** How long `close` waits for replies to be read. */
const farewellMs = 2_000;

/**
 * Listens on a Unix socket, through node-ipc with a framing of our own: newline-delimited JSON.
 * Throws `socket-unusable`.
 */
export async function listen(options: ServerOptions): Promise<SocketServer> {
  const { path, longestPathBytes } = options;
  if (Buffer.byteLength(path) > longestPathBytes) {
    throw unusable(path, `the path is longer than ${longestPathBytes} bytes`);
  }
  if (options.restrict === undefined) await makeFolder(path);
  else if (pipeName(path) === undefined) throw unusable(path, 'a pipe is named \\\\.\\pipe\\NAME');
  const open = new Map<Socket, Connection>();
  const server = makeServer(options, open);
  await start(server, options);
  restrict(server, options);
  if (options.groupId !== undefined) {
    await chown(options.path, -1, options.groupId);
    await chmod(options.path, 0o660);
  }
  return {
    connections: () => open.size,
    close: async () => {
      server.server.close();
      const deadline = Date.now() + farewellMs;
      while ([...open.values()].some((one) => one.busy()) && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      server.stop();
      if (options.restrict === undefined) await unlink(options.path).catch(() => {});
    },
  };
}

/** A pipe that cannot be kept to those who may use it is not left open. */
function restrict(server: Server, { path, restrict: apply }: ServerOptions): void {
  try {
    apply?.(path);
  } catch (error) {
    server.stop();
    throw unusable(path, error instanceof Error ? error.message : String(error), error);
  }
}

function makeServer(options: ServerOptions, open: Map<Socket, Connection>): Server {
  const ipc = new IPCModule();
  ipc.config.silent = true;
  ipc.config.parser = createLineParser(options.messageBytes);
  ipc.config.maxConnections = options.connections + refusedAtATime;
  // A socket that nobody listens on is left over from a crash; the journal's lock says so.
  ipc.config.unlink = options.restrict === undefined;
  // node-ipc puts the rest of a pipe's name in front of it.
  ipc.serve(pipeName(options.path) ?? options.path, () => {});
  const { server } = ipc;

  let lookedInVainAt = Number.NEGATIVE_INFINITY;
  /** Ends the connection that has been of no use for the longest time, if it is long enough. */
  const makeRoom = (patienceMs: number): boolean => {
    if (performance.now() - lookedInVainAt < lookAgainMs) return false;
    let idlest: Socket | undefined;
    let longest = patienceMs;
    for (const [socket, connection] of open) {
      const idle = connection.idleMs();
      if (idle < longest) continue;
      idlest = socket;
      longest = idle;
    }
    if (idlest === undefined) {
      lookedInVainAt = performance.now();
      return false;
    }
    options.onTrouble('a connection that was of no use was closed: too many are open');
    open.delete(idlest);
    idlest.destroy();
    return true;
  };

  server.on('connect', (socket: Socket) => {
    // Without it Node ends our side as soon as the peer ends its own, before the reply.
    socket.allowHalfOpen = true;
    const patienceMs = options.patienceMs ?? defaultPatienceMs;
    if (open.size >= options.connections && !makeRoom(patienceMs)) {
      refuse(socket, options);
      return;
    }
    const perSecond = options.requestsPerSecond;
    const limits = { inWork, unreadBytes, perSecond, patienceMs };
    const connection = createConnection(socket, limits, options);
    open.set(socket, connection);
    socket.once('end', () => connection.ended());
    socket.once('close', () => {
      open.delete(socket);
      connection.closed();
    });
  });
  const on = (type: LineFrame, tell: (connection: Connection, data: unknown) => void): void => {
    server.on(type, (data: unknown, socket: Socket) => {
      const connection = open.get(socket);
      if (connection !== undefined) tell(connection, data);
    });
  };
  on('line', (connection, text) => connection.line(String(text)));
  on('partial', (connection, partial) => connection.partial(partial as Partial));
  on('oversize', (connection, limitBytes) => connection.oversize(Number(limitBytes)));
  server.on('error', (error: Error) => options.onTrouble(`socket: ${error.message}`));
  return server;
}

function refuse(socket: Socket, options: ServerOptions): void {
  options.onTrouble('a connection was refused: too many are open');
  const error = new ArError(
    'limit-connections',
    `${options.connections} connections are open already`,
    'Close some, or raise <connections>. One connection can carry any number of requests.',
  );
  socket.end(`${JSON.stringify(failure(error))}\n`);
  socket.resume();
  setTimeout(() => socket.destroy(), 1_000).unref();
}

/** A folder that is made for the socket lets through who may use it, whatever our umask is. */
async function makeFolder(path: string): Promise<void> {
  const folder = dirname(path);
  try {
    const made = await mkdir(folder, { recursive: true });
    if (made !== undefined) await chmod(folder, 0o755);
  } catch (error) {
    throw unusable(path, error instanceof Error ? error.message : String(error), error);
  }
}

/** The socket is made for its owner alone from the start; a group is let in afterwards. */
function start(server: Server, options: ServerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error): void => reject(unusable(options.path, error.message, error));
    server.on('start', () => {
      server.server.off('error', failed);
      resolve();
    });
    const before = process.umask(0o177);
    try {
      server.start();
      server.server.once('error', failed);
    } catch (error) {
      failed(error instanceof Error ? error : new Error(String(error)));
    } finally {
      process.umask(before);
    }
  });
}

function unusable(path: string, said: string, cause?: unknown): ArError {
  return new ArError(
    'socket-unusable',
    `cannot listen on ${path}: ${said}`,
    'Name another path with --socket; its folder must exist and be writable.',
    cause === undefined ? undefined : { cause },
  );
}
