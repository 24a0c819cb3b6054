/**
 * The framing of execd's socket for requests: four bytes with the length, the lowest first, then the
 * text; one request a connection (Wazuh source: OS_RecvSecureTCP in src/os_net/os_net.c).
 */
import { createServer, type Server, type Socket } from 'node:net';

export interface ComOptions {
  /** Never rejects. */
  answer(request: string): string | Promise<string>;
  onTrouble(what: string): void;
  /** How long a peer may take with its request, or to read the answer. Default 5 s. */
  readonly patienceMs?: number;
}

/** Wazuh source: OS_MAXSTR in src/headers/defs.h. */
const longestBytes = 65_536;
const headerBytes = 4;
const connections = 64;
const defaultPatienceMs = 5_000;

/** A server that listens nowhere yet. */
export function createComServer(options: ComOptions): Server {
  const server = createServer((socket) => serve(socket, options));
  server.maxConnections = connections;
  return server;
}

function serve(socket: Socket, { answer, onTrouble, patienceMs }: ComOptions): void {
  let received = Buffer.alloc(0);
  const giveUp = (why: string): void => {
    onTrouble(why);
    socket.destroy();
  };
  // All of it: a byte now and then does not make it longer.
  const timer = setTimeout(
    () => giveUp('a peer of the request socket took too long'),
    patienceMs ?? defaultPatienceMs,
  );
  socket.once('close', () => clearTimeout(timer));
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    if (received.length < headerBytes) return;
    const length = received.readUInt32LE(0);
    if (length > longestBytes) {
      giveUp(`a request of ${length} bytes is too long`);
      return;
    }
    if (received.length < headerBytes + length) return;
    socket.removeAllListeners('data').resume();
    // From here on it is for us to be quick.
    clearTimeout(timer);
    void Promise.resolve(answer(textOf(received.subarray(headerBytes, headerBytes + length)))).then(
      (text) => socket.end(frame(text)),
    );
  });
}

/** Up to a NUL, as C has it. */
function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

function frame(text: string): Buffer {
  const bytes = Buffer.from(text);
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(bytes.length);
  return Buffer.concat([header, bytes]);
}
