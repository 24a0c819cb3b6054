/** A place at which a socket is to be open. */
import { describeError } from './errors.ts';
import type { Log } from './observe/log.ts';

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

/** A socket that is open. */
export interface Opened {
  readonly path: string;
  readonly passed: boolean;
  isInPlace(): Promise<boolean>;
  /** Reads what is there, should nobody have said that there is something. */
  look?(): void;
  close(): Promise<void>;
}

interface PostOptions {
  readonly path: string;
  wanted(): boolean;
  open(path: string): Promise<Opened>;
  readonly log: Log;
}

interface Trouble {
  readonly message: string;
  readonly hint: string;
}

export function createPost({ path, wanted, open, log }: PostOptions): Post {
  let opened: Opened | undefined;
  let trouble: Trouble | undefined;
  let closed = false;

  /** The same is told once. */
  const fail = (facts: Trouble): void => {
    if (facts.message !== trouble?.message) {
      log.error({ socket: path, ...facts }, 'not in place of execd');
    }
    trouble = facts;
  };
  const close = async (): Promise<void> => {
    await opened?.close();
    opened = undefined;
  };
  const tryToOpen = async (): Promise<void> => {
    try {
      opened = await open(path);
      trouble = undefined;
      log.info({ socket: opened.path, passed: opened.passed }, 'in place of execd');
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
      if (opened !== undefined && !(await opened.isInPlace())) {
        fail(displaced(opened));
        if (!opened.passed) await close();
      } else if (opened !== undefined) trouble = undefined;
      if (opened === undefined) await tryToOpen();
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
