/**
 * A datagram socket of the family unix, read by events: the kernel sends a signal when something
 * has come (O_ASYNC in fcntl(2)), and everything that is there is read at once, without waiting.
 */
import { ArError } from '../errors.ts';
import { type Libc, loadLibc } from './libc.ts';
import { fileMark, forGroup, makeRoom, removeSocket } from './manager-socket.ts';
import { type PassedSocket, passedSockets } from './passed-sockets.ts';
import { onReadable } from './readable.ts';

export interface DatagramSocket {
  readonly path: string;
  /** By a service manager, which keeps it when we end. */
  readonly passed: boolean;
  /** Whether senders that look for its path find it. */
  isInPlace(): Promise<boolean>;
  /** Reads what is there, should a signal have been missed. */
  look(): void;
  /** Reads no more, and takes the socket's file away if we made it. */
  close(): Promise<void>;
}

/** Of a longer datagram come its first 65,536 bytes. */
export type OnDatagram = (bytes: Buffer) => void;

/** Datagrams in one turn of the event loop: a few milliseconds of work. */
const inOneTurn = 1_024;
/** Room for the longest datagram that upstream takes, twice: the kernel counts its own data too. */
const receiveBufferBytes = 212_992;
const longestBytes = 65_536;

/** Makes a socket. Throws `socket-unusable`. */
export async function openDatagramSocket(
  path: string,
  onDatagram: OnDatagram,
): Promise<DatagramSocket> {
  const libc = loadLibc();
  try {
    const gid = await makeRoom(path, libc.isRead);
    const descriptor = libc.datagramSocket();
    try {
      libc.setReceiveBuffer(descriptor, receiveBufferBytes);
      forGroup(gid, () => libc.bind(descriptor, path));
      const mark = await fileMark(path);
      return read({ libc, descriptor, path, mark, passed: false, onDatagram });
    } catch (error) {
      libc.close(descriptor);
      throw error;
    }
  } catch (error) {
    if (error instanceof ArError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw new ArError('socket-unusable', `cannot listen on ${path}: ${why}`, 'Run it as root.', {
      cause: error,
    });
  }
}

/** Reads from a socket that was opened for us. */
export async function adoptDatagramSocket(
  { descriptor }: PassedSocket,
  onDatagram: OnDatagram,
): Promise<DatagramSocket> {
  const libc = loadLibc();
  const path = libc.boundPath(descriptor);
  const mark = await fileMark(path);
  return read({ libc, descriptor, path, mark, passed: true, onDatagram });
}

/**
 * The datagram sockets that a service manager has passed to this process. Programs that it starts do
 * not get them, nor what says so. Throws `socket-unusable`.
 */
export function takePassedDatagramSockets(): PassedSocket[] {
  const passed = passedSockets(process.env, process.pid);
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete process.env[name];
  if (passed.length === 0) return [];
  const libc = loadLibc();
  const datagram = passed.filter(({ descriptor }) => libc.isUnixDatagram(descriptor));
  for (const { descriptor } of datagram) libc.keepToOurselves(descriptor);
  return datagram;
}

interface Reading {
  readonly libc: Libc;
  readonly descriptor: number;
  readonly path: string;
  readonly mark: string | undefined;
  readonly passed: boolean;
  readonly onDatagram: OnDatagram;
}

function read(reading: Reading): DatagramSocket {
  const { libc, descriptor, path, mark, passed, onDatagram } = reading;
  const room = Buffer.alloc(longestBytes);
  let open = true;
  let planned = false;

  const drain = (): void => {
    if (!open || planned) return;
    for (let turn = 0; turn < inOneTurn; turn += 1) {
      const length = libc.receive(descriptor, room);
      if (length < 0) return;
      onDatagram(Buffer.from(room.subarray(0, Math.min(length, room.length))));
    }
    planned = true;
    setImmediate(() => {
      planned = false;
      drain();
    });
  };

  libc.keepToOurselves(descriptor);
  const listenNoMore = onReadable(drain);
  libc.signalWhenReadable(descriptor);
  drain();
  return {
    path,
    passed,
    isInPlace: async () => mark !== undefined && (await fileMark(path)) === mark,
    look: drain,
    close: async () => {
      if (!open) return;
      // Whoever sends from now on finds nobody; what is in the kernel's queue is still for us.
      if (!passed) await removeSocket(path, mark);
      if (!passed) drain();
      open = false;
      listenNoMore();
      libc.signalNoMore(descriptor);
      libc.close(descriptor);
    },
  };
}
