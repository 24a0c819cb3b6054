/**
 * Follows a file that others write lines to, through rotation, truncation and restarts.
 *
 * A position is saved when all that the lines before it asked for is done, and not before: a line is
 * handed over once, and after a crash perhaps a second time, but never not at all.
 */
import { watch } from 'node:fs';
import type { FollowedPosition } from '../../words.ts';
import { openNext, openRest } from './rotated.ts';
import { fileAt, openTail, type Tail } from './tail.ts';

export interface FollowOptions {
  readonly path: string;
  /** Where reading goes on; absent: it is followed for the first time, from its end. */
  readonly from?: FollowedPosition | undefined;
  /**
   * Is handed lines; resolves when what they asked for is on disk. `unheard`: the
   * agent is stopping, and the lines are to be read again.
   */
  take(lines: readonly string[]): Promise<Taken>;
  /** Called before lines are handed over, for `save`. */
  mark(): number;
  /** Writes a position down; `mark` is that of the first lines behind it that were handed over. */
  save(position: FollowedPosition, mark: number): void;
  onTrouble(what: string): void;
  /** How often to look where nothing tells that the file has changed. Default 1 s. */
  readonly pollMs?: number;
}

export type Taken = 'nothing' | 'something' | 'unheard';

export interface Follower {
  /** Resolves when it is known from where on lines are read: those that come from then on are. */
  readonly begun: Promise<void>;
  /** Reads no further; resolves when what was handed over is done. */
  stop(): Promise<void>;
}

interface Handed {
  readonly position: FollowedPosition;
  readonly mark: number;
  readonly done: Promise<void>;
  taken?: Taken;
}

const defaultPollMs = 1_000;
/** Pieces of 256 KiB that may be in work. */
export const piecesInWork = 16;
/** Positions behind lines that came to nothing are written down so often. */
const saveEveryMs = 1_000;
/**
 * Whoever wrote to a file may go on with it for a moment after it was rotated: it is over when nobody
 * wrote to it for two looks, or after so many.
 */
const looksWhenQuiet = 2;
const looksAtMost = 30;

export function follow(options: FollowOptions): Follower {
  const { path, onTrouble, pollMs = defaultPollMs } = options;
  const handed: Handed[] = [];
  const wakeUp = createWakeUp(path);
  const tailOptions = {
    onTooLong: () => onTrouble('a line longer than 1 MiB was passed over'),
  };
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let stopped = false;
  let unsaved: { position: FollowedPosition; mark: number } | undefined;
  let savedAt = Number.NEGATIVE_INFINITY;
  let lastMark = 0;
  /** When it was seen that the path names another file than the one that is read. */
  let rotatedAt: number | undefined;

  const save = (position: FollowedPosition, mark: number): void => {
    unsaved = { position, mark };
    try {
      options.save(position, mark);
      unsaved = undefined;
      savedAt = performance.now();
    } catch (error) {
      onTrouble(`how far it was read cannot be written down: ${messageOf(error)}`);
      savedAt = performance.now();
    }
  };

  /** An older one does no harm: it only makes more be looked at after a crash. */
  const markNow = (): number => {
    try {
      lastMark = options.mark();
    } catch (error) {
      onTrouble(messageOf(error));
    }
    return lastMark;
  };

  const saveUnsaved = (): void => {
    if (unsaved !== undefined) save(unsaved.position, unsaved.mark);
  };

  /** Positions count in their order: a piece that takes long holds up those behind it. */
  const commit = (): void => {
    let last: Handed | undefined;
    let urgent = false;
    while (handed[0]?.taken !== undefined && handed[0].taken !== 'unheard') {
      last = handed.shift();
      urgent ||= last?.taken === 'something';
    }
    if (last === undefined) return;
    const mark = handed[0]?.mark ?? markNow();
    if (urgent || performance.now() - savedAt >= saveEveryMs) save(last.position, mark);
    else unsaved = { position: last.position, mark };
  };

  const handOver = async (lines: readonly string[], position: FollowedPosition): Promise<void> => {
    const mark = markNow();
    const done = options.take(lines).then(
      (taken) => {
        one.taken = taken;
        commit();
      },
      (error) => {
        // Lines that nobody can make anything of must not be read for ever.
        onTrouble(messageOf(error));
        one.taken = 'something';
        commit();
      },
    );
    const one: Handed = { position, mark, done };
    handed.push(one);
    while (handed.length >= piecesInWork) await handed[0]?.done;
  };

  const start = async (): Promise<Tail | undefined> => {
    const { from } = options;
    if (from === undefined) {
      const tail = await openTail(path, { ...tailOptions, from: 'end' });
      save(tail?.position() ?? { file: '', offset: 0, fingerprint: '' }, markNow());
      return tail;
    }
    if (from.file === '') return openTail(path, tailOptions);
    return (await openTail(path, { ...tailOptions, from })) ?? afterLoss(from);
  };

  /** The file that a position was in is no longer there, or no longer the same. */
  const afterLoss = async (position: FollowedPosition): Promise<Tail | undefined> => {
    const rest = await openRest(path, position, tailOptions);
    if (rest !== undefined) return rest;
    onTrouble('what was read last is not there any more: what came after it may be lost');
    return openTail(path, tailOptions);
  };

  /** At the end of a file: whether there is another one to go on with. */
  const isOver = async (tail: Tail): Promise<boolean> => {
    const current = await fileAt(path);
    if (current === undefined || current === tail.file) {
      rotatedAt = undefined;
      return false;
    }
    rotatedAt ??= performance.now();
    const quietMs = Date.now() - Number((await tail.written()).at / 1_000_000n);
    const sinceMs = performance.now() - rotatedAt;
    return quietMs > looksWhenQuiet * pollMs || sinceMs > looksAtMost * pollMs;
  };

  const goOn = async (tail: Tail): Promise<Tail | undefined> => {
    const rest = tail.takeRest();
    if (rest !== undefined) await handOver([rest], tail.position());
    const next = await openNext(path, tail, tailOptions);
    await tail.close();
    return next;
  };

  const run = async (): Promise<void> => {
    let tail: Tail | undefined;
    let started = false;
    let isLast = false;
    while (!stopped) {
      try {
        if (tail === undefined) {
          tail = started ? await openTail(path, tailOptions) : await start();
          started = true;
          begin();
          if (tail === undefined) await wakeUp.next(pollMs);
          else wakeUp.watch();
          continue;
        }
        const reading = await tail.read();
        if (reading.kind === 'lines') {
          isLast = false;
          if (reading.lines.length > 0) await handOver(reading.lines, tail.position());
        } else if (reading.kind === 'replaced') {
          const { position } = tail;
          isLast = false;
          await tail.close();
          tail = undefined;
          tail = await afterLoss(position());
          wakeUp.watch();
        } else if (isLast) {
          isLast = false;
          tail = await goOn(tail);
          rotatedAt = undefined;
          wakeUp.watch();
        } else if (await isOver(tail)) {
          // Whoever rotated it may have written to it since it was read: one more time.
          isLast = true;
        } else {
          if (performance.now() - savedAt >= saveEveryMs) saveUnsaved();
          await wakeUp.next(pollMs);
        }
      } catch (error) {
        begin();
        onTrouble(messageOf(error));
        await wakeUp.next(pollMs);
      }
    }
    await tail?.close();
  };

  const running = run();
  return {
    begun,
    stop: async () => {
      stopped = true;
      wakeUp.stop();
      await running;
      await Promise.all(handed.map(({ done }) => done));
      commit();
      saveUnsaved();
    },
  };
}

/** Tells when a file may have changed: the system where it can, a clock everywhere. */
function createWakeUp(path: string) {
  let changed = false;
  let wake: (() => void) | undefined;
  let watcher: ReturnType<typeof watch> | undefined;
  const ring = (): void => {
    changed = true;
    wake?.();
  };
  return {
    /** Watches the file that the path names now; where that cannot be had, the clock has to do. */
    watch: (): void => {
      watcher?.close();
      try {
        watcher = watch(path, { persistent: false }, ring);
        watcher.on('error', () => watcher?.close());
      } catch {
        watcher = undefined;
      }
      ring();
    },
    next: async (pollMs: number): Promise<void> => {
      if (!changed) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, pollMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      wake = undefined;
      changed = false;
    },
    stop: (): void => {
      watcher?.close();
      ring();
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
