import { rename, stat } from 'node:fs/promises';
import { pino } from 'pino';

export type Level = 'debug' | 'info' | 'warn' | 'error';

/** Structured log: an event in words, and facts beside it. Never given secrets or whole alerts. */
export interface Log {
  debug(facts: object, event: string): void;
  info(facts: object, event: string): void;
  warn(facts: object, event: string): void;
  error(facts: object, event: string): void;
  setLevel(level: Level): void;
  /** Goes on in a new file where the old one was renamed; nothing without a file. */
  reopen(): void;
  /** Writes out what is still in memory; for the end of the process. */
  flush(): void;
}

/** So many characters wait for a disk that does not take them, or for a reader; more are dropped. */
const waitingAtMost = 16 * 1_048_576;

export interface LogOptions {
  /** Is told what is logged as an error, too. */
  onError?(facts: object, event: string): void;
  /** The file becomes `<file>.1` when it is longer; for systems where nothing else rotates logs. */
  readonly rotateBytes?: number;
}

/** Logs JSON lines to `file`, or to standard output. */
export function createLog(level: Level, file?: string, options: LogOptions = {}): Log {
  const places = { dest: file ?? 1, mkdir: true, mode: 0o600 };
  const destination = pino.destination({ ...places, sync: false, maxLength: waitingAtMost });
  // A disk that is full or a reader that went away must not end an agent that holds blocks.
  destination.on('error', () => {});
  const logger = pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  if (file !== undefined && options.rotateBytes !== undefined) {
    rotate(file, options.rotateBytes, () => destination.reopen());
  }
  return {
    debug: (facts, event) => logger.debug(facts, event),
    info: (facts, event) => logger.info(facts, event),
    warn: (facts, event) => logger.warn(facts, event),
    error: (facts, event) => {
      logger.error(facts, event);
      options.onError?.(facts, event);
    },
    setLevel: (level) => {
      logger.level = level;
    },
    reopen: () => {
      if (file !== undefined) destination.reopen();
    },
    flush: () => {
      try {
        destination.flushSync();
      } catch {
        // The destination was never opened, or is gone: there is nobody to tell.
      }
    },
  };
}

const rotateEveryMs = 60_000;

/** Looks now, and then every minute. */
function rotate(file: string, longest: number, reopen: () => void): void {
  const look = async (): Promise<void> => {
    const { size } = await stat(file);
    if (size <= longest) return;
    await rename(file, `${file}.1`);
    reopen();
  };
  // A file that is not there yet, or that somebody holds: the next look finds it.
  const lookOrNot = () => void look().catch(() => {});
  lookOrNot();
  setInterval(lookOrNot, rotateEveryMs).unref();
}
