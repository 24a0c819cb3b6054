/** A place at which a socket is to be open. */
import { describeError } from '../errors.ts';
import type { Log } from '../observe/log.ts';

export interface Post {
  /** Opens it, if it should be and is not; sees whether it is still reached by its name. */
  look(): Promise<void>;
  /** Undefined while it is not wanted. */
  status(): PostStatus | undefined;
  close(): Promise<void>;
}

export interface PostStatus {
  readonly path: string;
  readonly open: boolean;
  /** By a service manager. */
  readonly passed?: boolean;
  readonly trouble?: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export interface Trouble {
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
}

/** A socket that is open. */
export interface Opened {
  readonly path: string;
  readonly passed: boolean;
  isInPlace(): Promise<boolean>;
  /** Reads what is there, should nobody have said that there is something. */
  look?(): void;
  /** What keeps those who send from reaching it, though it is open. */
  trouble?(): Promise<Trouble | undefined>;
  close(): Promise<void>;
}

interface PostOptions {
  readonly path: string;
  wanted(): boolean;
  open(path: string): Promise<Opened>;
  readonly log: Log;
}

export function createPost({ path, wanted, open, log }: PostOptions): Post {
  let opened: Opened | undefined;
  let trouble: Trouble | undefined;
  let closed = false;

  /** The same is told once. */
  const fail = (facts: Trouble): void => {
    if (facts.message !== trouble?.message) {
      log.error({ socket: path, ...facts }, 'what the manager asks for does not come here');
    }
    trouble = facts;
  };
  const close = async (): Promise<void> => {
    await opened?.close();
    opened = undefined;
  };
  const tellTrouble = async (of: Opened): Promise<void> => {
    const found = await of.trouble?.();
    if (found === undefined) trouble = undefined;
    else fail(found);
  };
  const tryToOpen = async (): Promise<void> => {
    try {
      opened = await open(path);
      log.info({ socket: opened.path, passed: opened.passed }, 'in place of execd');
      await tellTrouble(opened);
    } catch (error) {
      fail(describeError(error));
    }
  };

  return {
    look: async () => {
      if (closed) return;
      if (!wanted()) {
        // One that was passed cannot be had a second time.
        if (opened?.passed === false) await close();
        return;
      }
      opened?.look?.();
      const inPlace = (await opened?.isInPlace()) === true;
      if (opened !== undefined && !inPlace) {
        fail(displaced(opened));
        if (!opened.passed) await close();
      }
      if (opened === undefined) await tryToOpen();
      else if (inPlace) await tellTrouble(opened);
    },
    status: () => {
      if (!wanted()) return undefined;
      return {
        path: opened?.path ?? path,
        open: opened !== undefined,
        ...(opened?.passed === true ? { passed: true } : {}),
        ...(trouble === undefined ? {} : { trouble: trouble.message, remedy: trouble.hint }),
      };
    },
    close: async () => {
      closed = true;
      await close();
    },
  };
}

function displaced({ path, passed }: Opened): Trouble {
  return {
    message: `another file took the place of ${path}, or it was taken away`,
    hint: passed
      ? 'Turn what did that off, then restart the socket unit and ar-exec.'
      : "Turn the manager's own execd off (docs/execd.md).",
  };
}
