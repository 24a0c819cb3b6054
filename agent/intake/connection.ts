import type { Socket } from 'node:net';
import { ArError, describeError } from '../errors.ts';
import type { Message, Refused } from './ask.ts';
import type { Partial } from './line-parser.ts';

export interface ConnectionLimits {
  /** Requests of one connection that may be in work; more are left in the socket until some are done. */
  readonly inWork: number;
  /** Replies in bytes that may wait for a peer that does not read; then it is not read from either. */
  readonly unreadBytes: number;
  /** Requests that are read in a second; more are left in the socket until it is over. */
  readonly perSecond: number;
  /** How long a peer may take to finish a line it began, or to read its replies. */
  readonly patienceMs: number;
}

/** The members of a reply besides `id`. */
export type Answer = (message: Message) => Promise<object>;

/** Turns a line into a message. Never throws. */
export type Parse = (line: string) => Message | Refused;

/**
 * One peer: its lines become messages, each message gets exactly one reply line. A message with an id
 * is answered as soon as it is done, those without in their order.
 */
export interface Connection {
  line(text: string): void;
  partial(partial: Partial): void;
  oversize(limitBytes: number): void;
  /** The peer will send no more; it gets what it is owed, then the connection ends. */
  ended(): void;
  /** The connection is gone. */
  closed(): void;
  busy(): boolean;
  /** For how long nothing has been asked, begun or owed. */
  idleMs(): number;
}

export function createConnection(
  socket: Socket,
  limits: ConnectionLimits,
  { parse, answer }: { readonly parse: Parse; readonly answer: Answer },
): Connection {
  const messageOf = (next: string | ArError): Message | Refused =>
    typeof next === 'string' ? parse(next) : { error: next };
  let inWork = 0;
  let out: string[] = [];
  let ending = false;
  let listing = false;
  /** What arrived in one piece with a message that holds up the others: no more than one read. */
  const backlog: (string | ArError)[] = [];
  let begun: Partial | undefined;
  let lineTimer: NodeJS.Timeout | undefined;
  let readTimer: NodeJS.Timeout | undefined;
  let secondTimer: NodeJS.Timeout | undefined;
  let secondBegan = performance.now();
  let inSecond = 0;
  let lastAt = secondBegan;
  /** Replies of messages without an id, in the order of the messages; empty until they are known. */
  const turns: Turn[] = [];

  const flush = (): void => {
    const text = out.join('');
    out = [];
    if (text === '' || socket.destroyed) return;
    socket.write(text);
    if (socket.writableLength > limits.unreadBytes) waitForReader();
  };

  const waitForReader = (): void => {
    if (readTimer !== undefined) return;
    socket.pause();
    readTimer = setTimeout(() => socket.destroy(), limits.patienceMs);
    socket.once('drain', () => {
      clearTimeout(readTimer);
      readTimer = undefined;
      resume();
      endWhenIdle();
    });
  };

  const full = (): boolean =>
    listing || readTimer !== undefined || secondTimer !== undefined || inWork >= limits.inWork;

  /** Counts a request; the last that a second has room for makes the peer wait for the next one. */
  const spend = (): void => {
    inSecond += 1;
    if (inSecond < limits.perSecond) return;
    const left = secondBegan + 1_000 - performance.now();
    inSecond = 0;
    if (left <= 0) {
      secondBegan = performance.now();
      return;
    }
    socket.pause();
    secondTimer = setTimeout(() => {
      secondTimer = undefined;
      secondBegan = performance.now();
      resume();
      endWhenIdle();
    }, left);
  };

  /** Goes on with what waits, as far as there is room, and then reads on. */
  const resume = (): void => {
    while (!full()) {
      const next = backlog.shift();
      if (next === undefined) {
        socket.resume();
        return;
      }
      take(messageOf(next));
    }
  };

  const send = (reply: string): void => {
    if (out.length === 0) setImmediate(flush);
    out.push(reply);
  };

  const sendInTurn = (turn: Turn, reply: string): void => {
    turn.reply = reply;
    while (turns[0]?.reply !== undefined) send(turns.shift()?.reply ?? '');
  };

  const done = (): void => {
    inWork -= 1;
    lastAt = performance.now();
    resume();
    endWhenIdle();
  };

  /** A list can be long: it is handed over, and other peers have their turn, before the next one. */
  const listDone = (): void => {
    flush();
    setImmediate(() => {
      listing = false;
      done();
    });
  };

  const endWhenIdle = (): void => {
    if (!ending || inWork > 0 || backlog.length > 0) return;
    setImmediate(() => {
      flush();
      socket.end();
    });
  };

  const reply = (id: Message['id'], turn: Turn | undefined, body: object): void => {
    const text = replyLine(id, body);
    if (turn === undefined) send(text);
    else sendInTurn(turn, text);
  };

  const take = (message: Message | Refused): void => {
    const { id } = message;
    lastAt = performance.now();
    spend();
    const turn: Turn | undefined = id === undefined ? {} : undefined;
    if (turn !== undefined) turns.push(turn);
    if ('error' in message) {
      reply(id, turn, failure(message.error));
      return;
    }
    inWork += 1;
    const isList = message.ask.kind === 'list';
    if (isList) listing = true;
    if (full()) socket.pause();
    const finish = (body: object): void => {
      reply(id, turn, body);
      if (isList) listDone();
      else done();
    };
    answer(message).then(finish, (error) => finish(failure(error)));
  };

  const enqueue = (next: string | ArError): void => {
    if (full()) backlog.push(next);
    else take(messageOf(next));
  };

  const refuseAndEnd = (error: ArError): void => {
    ending = true;
    enqueue(error);
    endWhenIdle();
  };

  /** While it is not read from, it is not for the peer to end its line. */
  const awaitEnd = (): void => {
    lineTimer = setTimeout(() => {
      if (full()) awaitEnd();
      else refuseAndEnd(incomplete(limits.patienceMs));
    }, limits.patienceMs);
  };

  const busy = (): boolean =>
    inWork > 0 || out.length > 0 || backlog.length > 0 || socket.writableLength > 0;

  const lineDone = (): void => {
    clearTimeout(lineTimer);
    begun = undefined;
  };

  return {
    line: (text) => {
      lineDone();
      if (!ending && text.trim() !== '') enqueue(text);
    },
    partial: (partial) => {
      begun = partial;
      awaitEnd();
    },
    oversize: (limitBytes) => {
      lineDone();
      refuseAndEnd(tooLarge(limitBytes));
    },
    ended: () => {
      const last = begun?.text.trim() ?? '';
      lineDone();
      if (last !== '' && !ending) enqueue(last);
      ending = true;
      endWhenIdle();
    },
    closed: () => {
      lineDone();
      clearTimeout(readTimer);
      clearTimeout(secondTimer);
    },
    busy,
    idleMs: () => (busy() || begun !== undefined ? 0 : performance.now() - lastAt),
  };
}

interface Turn {
  reply?: string;
}

/** A body always has members, so the id can be put in front of them without another copy of it. */
function replyLine(id: string | number | undefined, body: object): string {
  const text = JSON.stringify(body);
  return id === undefined ? `${text}\n` : `{"id":${JSON.stringify(id)},${text.slice(1)}\n`;
}

export function failure(error: unknown): object {
  return { ok: false, ...describeError(error) };
}

function tooLarge(limitBytes: number): ArError {
  return new ArError(
    'message-too-large',
    `a message is longer than ${limitBytes} bytes`,
    'The connection is closed. Send shorter messages, or raise <message_bytes>.',
  );
}

function incomplete(patienceMs: number): ArError {
  return new ArError(
    'message-incomplete',
    `a message was begun and not ended within ${patienceMs} ms`,
    'The connection is closed. End every message with a newline.',
  );
}
