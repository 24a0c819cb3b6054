/** What an agent was asked and what it promised, and whether what it says later keeps that. */
import type { ActionReply } from '../../agent/reply.ts';
import type { Reply } from '../crash/endpoint.ts';
import { nameOf } from './everything.ts';

/** The last that was asked of one target. */
interface Word {
  readonly verb: 'add' | 'delete';
  /** Absent: nobody knows whether it was carried out. */
  reply?: Reply;
}

export interface Request {
  readonly command: 'add' | 'delete';
  readonly response: string;
  readonly target: string;
  readonly timeoutSeconds?: number | undefined;
}

export interface Ledger {
  /** Returns what takes the reply, if there is one. */
  asked(request: Request): (reply: Reply) => void;
  /** What is not as it was promised, a sentence each. */
  broken(live: readonly ActionReply[], now: number): string[];
  /** What was promised and had to be kept by now. */
  readonly promises: () => number;
}

/** The clocks of those who look and of those who act are the same; reading takes a moment. */
const slackMs = 3_000;

export function createLedger(): Ledger {
  const words = new Map<string, Word>();
  /** Ends that were promised and may not be moved to an earlier time. */
  const ends = new Map<string, number>();
  let kept = 0;

  const check = (
    name: string,
    { verb, reply }: Word,
    held: ActionReply | undefined,
    now: number,
  ) => {
    if (reply?.ok !== true) return undefined;
    kept += 1;
    if (verb === 'delete') {
      return held === undefined ? undefined : `${name} was deleted, and is ${held.state}`;
    }
    const until = ends.get(name) ?? Number.POSITIVE_INFINITY;
    if (held === undefined) {
      return until > now + slackMs ? `${name} was promised until ${until}, and is gone` : undefined;
    }
    const has = held.until === null ? Number.POSITIVE_INFINITY : Date.parse(held.until);
    if (until < now - slackMs && held.state !== 'reverting') {
      return `${name} should have ended at ${until}, and is ${held.state}`;
    }
    return has < until - slackMs
      ? `${name} was promised until ${until}, and ends ${has}`
      : undefined;
  };

  return {
    promises: () => kept,
    asked: ({ command, response, target }) => {
      const name = nameOf(response, target);
      const word: Word = { verb: command };
      words.set(name, word);
      return (reply) => {
        word.reply = reply;
        if (reply.ok && command === 'add') {
          ends.set(name, reply.until ? Date.parse(reply.until) : Number.POSITIVE_INFINITY);
        }
      };
    },
    broken: (live, now) => {
      const held = new Map(live.map((one) => [nameOf(one.response, one.target), one]));
      return [...words].flatMap(([name, word]) => check(name, word, held.get(name), now) ?? []);
    },
  };
}
