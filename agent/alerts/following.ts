/** Follows the file of alerts that the configuration names, and does what each of them sets off. */
import { setTimeout as wait } from 'node:timers/promises';
import type { Composed } from '../compose.ts';
import { pauseMs } from '../engine/backoff.ts';
import { ArError, type ErrorCode } from '../errors.ts';
import { isAlert } from '../intake/dialects/alert.ts';
import { type Follower, follow, piecesInWork, type Taken } from '../intake/follow/follow.ts';
import type { Log } from '../observe/log.ts';
import type { Request } from '../words.ts';
import type { Triggering } from './triggering.ts';

interface FollowingOptions {
  readonly composed: Composed;
  readonly triggered: Triggering;
  readonly log: Log;
  readonly pollMs?: number;
}

/** It is not for what was asked for that these happen: it can be asked for again. */
const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['limit-pending', 'journal-failed']);
/** What comes up again and again is told so often. */
const tellEveryMs = 60_000;
const begunAfterMs = 5_000;

/** Resolves with undefined when the configuration names no file. */
export async function startFollowing({
  composed,
  triggered,
  log,
  ...polling
}: FollowingOptions): Promise<Pick<Follower, 'stop'> | undefined> {
  const { flow, journal, settled } = composed;
  const path = settled().config.alertsFile;
  if (path === undefined) return undefined;
  const saved = journal.positions.find(path);
  const stopping = new AbortController();
  const tell = createTeller(log, path);
  /** What lines behind the saved position have set off before the agent ended. */
  const known = new Set(
    saved === undefined ? [] : journal.positions.askedByAlerts(saved.afterAction).map(keyOf),
  );

  /** Names of responses in the journal are not always those that they were asked for by. */
  const isKnown = ({ response, origin: { alertId } }: Request): boolean =>
    alertId !== undefined &&
    known.has(keyOf({ response: settled().define(response)?.name ?? response, alertId }));

  let pieces = 0;

  const carryOut = async (request: Request): Promise<Taken> => {
    for (let attempts = 0; !stopping.signal.aborted; attempts += 1) {
      try {
        await flow.accept(request);
        return 'something';
      } catch (error) {
        const code = error instanceof ArError ? error.code : 'internal';
        if (code === 'agent-stopping') break;
        // What is refused, or did not come about, is in the log.
        if (!passing.has(code)) return 'something';
        await wait(pauseMs(attempts), undefined, { signal: stopping.signal }).catch(() => {});
      }
    }
    return 'unheard';
  };

  const respondTo = async (line: string): Promise<Taken> => {
    const alert = readAlert(line);
    if (alert === undefined) {
      if (line.trim() !== '') tell('a line that is no alert was passed over');
      return 'nothing';
    }
    const { requests } = await triggered(alert);
    const fresh = known.size === 0 ? requests : requests.filter((one) => !isKnown(one));
    if (fresh.length === 0) return 'nothing';
    return together(await Promise.all(fresh.map(carryOut)));
  };

  const follower = follow({
    ...polling,
    path,
    from: saved?.position,
    take: async (lines) => {
      // Far enough behind the position: an alert that comes again is one that was written again.
      if (known.size > 0 && ++pieces > piecesInWork * 2) known.clear();
      return together(await Promise.all(lines.map(respondTo)));
    },
    mark: () => journal.positions.lastAction(),
    save: (position, mark) => journal.positions.save(path, position, mark),
    onTrouble: tell,
  });
  // A file system that does not answer must not keep the agent from being ready.
  await Promise.race([follower.begun, wait(begunAfterMs, undefined, { ref: false })]);
  return {
    stop: () => {
      stopping.abort();
      return follower.stop();
    },
  };
}

function readAlert(line: string): object | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && isAlert(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function together(each: readonly Taken[]): Taken {
  if (each.includes('unheard')) return 'unheard';
  return each.includes('something') ? 'something' : 'nothing';
}

function keyOf({ response, alertId }: { response: string; alertId: string }): string {
  return `${response} ${alertId}`;
}

/** Warns of each thing at once, and then once a minute, with how often it happened. */
function createTeller(log: Log, path: string): (what: string) => void {
  const told = new Map<string, { at: number; times: number }>();
  return (what) => {
    const now = performance.now();
    const one = told.get(what) ?? { at: Number.NEGATIVE_INFINITY, times: 0 };
    one.times += 1;
    if (now - one.at >= tellEveryMs) {
      log.warn({ file: path, times: one.times, trouble: what }, 'following alerts');
      one.at = now;
      one.times = 0;
    }
    told.set(what, one);
  };
}
