/** Puts sockets into the folders where a manager's agent looks for them. */

import { once } from 'node:events';
import { constants } from 'node:fs';
import { access, lstat, rm, stat } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { ArError } from '../errors.ts';

const answerMs = 1_000;

/**
 * Makes room for a socket: what is left over of one is taken away. Resolves with the group that is to
 * have access, that of the folder. Throws `socket-unusable` when somebody still `listens`, or when what
 * lies there is no socket.
 */
export async function makeRoom(
  path: string,
  listens: (path: string) => boolean | Promise<boolean>,
): Promise<number> {
  const folder = dirname(path);
  const found = await stat(folder).catch((cause: unknown) => {
    throw unusable(
      path,
      `${folder} is not there`,
      'See <manager_home> and <manager_queue>.',
      cause,
    );
  });
  await access(folder, constants.W_OK).catch((cause: unknown) => {
    throw unusable(path, `${folder} cannot be written to`, 'Run ar-exec as root.', cause);
  });
  const old = await lstat(path).catch(() => undefined);
  if (old === undefined) return found.gid;
  if (!old.isSocket()) {
    throw unusable(path, 'something else lies there', 'Look what it is, and take it away.');
  }
  if (await listens(path)) {
    throw unusable(
      path,
      'another program listens there already',
      "Turn the manager's own execd off (docs/execd.md), or end the other ar-exec.",
    );
  }
  await rm(path, { force: true });
  return found.gid;
}

/**
 * What `bind` makes is for its owner and this group, from the start: whoever can write to the folder
 * could otherwise put a link in its place before its rights are changed. `bind` must not wait.
 */
export function forGroup(gid: number, bind: () => void): void {
  const mask = process.umask(0o117);
  const own = process.getegid?.();
  try {
    if (own !== gid && process.getuid?.() === 0) process.setegid?.(gid);
    bind();
  } finally {
    if (own !== undefined && process.getegid?.() !== own) process.setegid?.(own);
    process.umask(mask);
  }
}

/** Tells a file from another one that took its place; undefined when there is none. */
export async function fileMark(path: string): Promise<string | undefined> {
  const found = await lstat(path, { bigint: true }).catch(() => undefined);
  return found === undefined ? undefined : `${found.dev}:${found.ino}:${found.birthtimeNs}`;
}

/** Takes a socket of ours away, unless another one has taken its place. */
export async function removeSocket(path: string, mark: string | undefined): Promise<void> {
  if (mark !== undefined && (await fileMark(path)) === mark) await rm(path, { force: true });
}

/** Has a server that was made for it listen at a path. Throws `socket-unusable`. */
export async function openServer(make: () => Server, path: string) {
  const gid = await makeRoom(path, takesConnections);
  const server = make();
  forGroup(gid, () => server.listen(path));
  await once(server, 'listening').catch((cause: unknown) => {
    throw unusable(path, String(cause), 'Run ar-exec as root.', cause);
  });
  const mark = await fileMark(path);
  const isInPlace = async () => mark !== undefined && (await fileMark(path)) === mark;
  return {
    path,
    passed: false,
    isInPlace,
    close: async () => {
      // Closing takes the file of this name away, whosever it is by now.
      if (await isInPlace()) server.close();
      else server.unref();
    },
  };
}

/** Whether somebody takes connections at this path. */
function takesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(answerMs, () => settle(true));
    socket.once('connect', () => settle(true));
    socket.once('error', (error: NodeJS.ErrnoException) => settle(error.code === 'EAGAIN'));
  });
}

function unusable(path: string, why: string, hint: string, cause?: unknown): ArError {
  const options = cause === undefined ? undefined : { cause };
  return new ArError('socket-unusable', `cannot listen on ${path}: ${why}`, hint, options);
}
