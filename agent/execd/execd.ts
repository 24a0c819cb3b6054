/**
 * In place of a manager's execd: its queue of datagrams and its socket for requests, by which the
 * manager's agent hands on what the manager asks for.
 */
import { join } from 'node:path';
import type { Composed } from '../compose.ts';
import { answerCom } from '../intake/com.ts';
import { createComServer } from '../intake/com-socket.ts';
import type { ManagerQueue } from '../intake/datagram.ts';
import { createQueue, type Queue } from '../intake/queue.ts';
import type { Log } from '../observe/log.ts';
import { adoptDatagramSocket, openDatagramSocket } from '../system/datagram-socket.ts';
import { type Unpacked, uncompress, unmerge } from '../system/incoming.ts';
import { sendersOf } from '../system/manager-processes.ts';
import { openServer } from '../system/manager-socket.ts';
import type { PassedSocket } from '../system/passed-sockets.ts';
import type { Commands } from '../words.ts';
import type { ArConf } from './ar-conf.ts';
import { createMessages } from './messages.ts';
import { createPost, type Opened, type PostStatus, type Trouble } from './post.ts';
import { createRestartLock } from './restart-lock.ts';

export interface Execd {
  /** What `status` tells of it; undefined when nobody's place is taken. */
  status(): ExecdStatus | undefined;
  /** Opens what is not open and should be; sees whether what is open is still reached by its name. */
  look(): Promise<void>;
  /** Takes no more messages; resolves when those that came have been handed on. */
  stop(): Promise<void>;
}

export interface ExecdStatus {
  readonly manager: ManagerQueue;
  /** Messages that are not carried out yet. */
  readonly waiting: number;
  readonly sockets: readonly PostStatus[];
}

interface ExecdOptions {
  readonly composed: Composed;
  readonly commands: Commands;
  readonly arConf: ArConf;
  /** What a service manager has opened for us. */
  readonly passed: readonly PassedSocket[];
  readonly log: Log;
}

const idle: Execd = { status: () => undefined, look: async () => {}, stop: async () => {} };
const queuePaths = {
  wazuh4: 'queue/alerts/execq',
  ossec: 'queue/alerts/execq',
  wazuh5: 'queue/sockets/execq',
} as const;
const comPath = 'queue/sockets/com';
const incomingPath = 'var/incoming';
/** Of messages that wait; each is in memory some times more while it is worked on. */
const queueBytes = 64 * 1024 * 1024;

/** Never rejects: the agent has its own socket besides. What is wrong is logged, and tried again. */
export async function startExecd(options: ExecdOptions): Promise<Execd> {
  const { composed, passed, log } = options;
  const { managerQueue: manager, managerHome, limits } = composed.settled().config;
  if (manager === 'no') return idle;
  const lock = createRestartLock();
  const messages = createMessages({ ...options, manager, lock });
  const queue = createQueue({
    limits: { messages: limits.pendingRequests, bytes: queueBytes },
    prepare: messages.prepare,
    handle: messages.handle,
    onDropped: (dropped) => log.error({ dropped }, 'no room for messages of the manager'),
  });
  const disabled = (): boolean => composed.settled().config.activeResponseDisabled;

  const execq = createPost({
    path: join(managerHome, queuePaths[manager]),
    wanted: () => !disabled(),
    open: (path) => openQueue({ path, passed, queue, managerHome }),
    log,
  });
  const answer = (request: string): string | Promise<string> =>
    answerCom(request, {
      manager,
      config: () => {
        const { repeatedOffenderSeconds } = composed.settled().config;
        return { disabled: disabled(), repeatedOffenderSeconds };
      },
      restart: () => void messages.restart('request socket'),
      lockRestart: (seconds) => {
        lock.lock(seconds);
        log.info({ seconds }, "restarts of the manager's agent are locked");
      },
      unpack: async (command, names) => {
        const came = await unpackIncoming(join(managerHome, incomingPath), command, names);
        if (came !== 'done') log.warn({ command, names, came }, 'a file could not be unpacked');
        return came;
      },
    });
  const onTrouble = (what: string): void => log.warn({ what }, 'request socket');
  const com = createPost({
    path: join(managerHome, comPath),
    // OSSEC has no such socket.
    wanted: () => manager !== 'ossec',
    open: (path) => openServer(() => createComServer({ answer, onTrouble }), path),
    log,
  });
  const posts = [execq, com];
  const look = async (): Promise<void> => {
    for (const post of posts) await post.look();
  };

  if (disabled()) log.info({ manager }, 'active responses are turned off: no queue is opened');
  await look();
  return {
    status: () => ({
      manager,
      waiting: queue.size(),
      sockets: posts.flatMap((post) => post.status() ?? []),
    }),
    look,
    stop: async () => {
      for (const post of posts) await post.close();
      await queue.handedOver();
    },
  };
}

async function unpackIncoming(
  folder: string,
  command: 'unmerge' | 'uncompress',
  [first = '', second = '']: readonly string[],
): Promise<Unpacked> {
  const work = command === 'unmerge' ? unmerge(folder, first) : uncompress(folder, first, second);
  return work.catch(() => 'unreadable' as const);
}

interface QueueToOpen {
  readonly path: string;
  readonly passed: readonly PassedSocket[];
  readonly queue: Queue;
  readonly managerHome: string;
}

/** The one that was passed, by its name where there are some; else one that is made. */
async function openQueue({ path, passed, queue, managerHome }: QueueToOpen): Promise<Opened> {
  const one = passed.find(({ name }) => name.includes('execq')) ?? passed[0];
  if (one !== undefined) return adoptDatagramSocket(one, queue.put);
  const opened = await openDatagramSocket(path, queue.put);
  const before = await sendersOf(managerHome);
  return { ...opened, trouble: () => connectedElsewhere(before, managerHome) };
}

/** A manager's agent connects to the queue when it starts, and never again (Wazuh source: agentd.c). */
async function connectedElsewhere(
  before: readonly string[],
  managerHome: string,
): Promise<Trouble | undefined> {
  const now = await sendersOf(managerHome);
  const left = before.filter((mark) => now.includes(mark)).map((mark) => mark.split(':')[0]);
  if (left.length === 0) return undefined;
  return {
    message: `the manager's agent (process ${left.join(', ')}) began before this socket was made, and looks for it only when it starts`,
    hint: "Restart the manager's agent. With the socket unit (docs/execd.md) the socket outlasts ar-exec.",
  };
}
