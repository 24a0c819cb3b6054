/**
 * Listens for what others do to files and folders (inotify and the like, by fs.watch). The folders in which
 * they are are listened to as well: what is replaced as a whole is another file under the same name. What
 * a file was after we changed it last tells our own doing from that of others.
 */
import { watch as listen } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { FilesWatch } from '../../../platform/driver.ts';
import { markOf } from '../file-mark.ts';
import type { OwnWork } from './own-work.ts';
import type { OnEvent, Watcher } from './watcher.ts';

const firstPauseMs = 500;
const longestPauseMs = 30_000;

interface Place {
  /** What is listened to, and which of its files count; all of them if there is no name. */
  readonly folder: string;
  readonly name: string | undefined;
}

export function watchFiles({ paths }: FilesWatch, own: OwnWork, onEvent: OnEvent): Watcher {
  const known = new Map<string, string>();
  let listening: { readonly key: string; close(): void } | undefined;
  let trouble: string | undefined;
  let again: NodeJS.Timeout | undefined;
  let pauseMs = firstPauseMs;
  let stopped = false;
  let last: Promise<void> = Promise.resolve();
  let isPlanned = false;
  /** How many changes of our own are not looked at yet. */
  let unseen = 0;

  /** One look after the other, so that none goes by what another is about to find. */
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work).catch((error: unknown) => {
      trouble = error instanceof Error ? error.message : String(error);
      tryAgain();
    });
    return last;
  };
  const tryAgain = (): void => {
    clearTimeout(again);
    if (stopped) return;
    again = setTimeout(lookSoon, pauseMs);
    again.unref();
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  };
  const lookSoon = (): void => {
    if (isPlanned || stopped) return;
    isPlanned = true;
    void inTurn(async () => {
      isPlanned = false;
      await look();
    });
  };

  const look = async (): Promise<void> => {
    await listenToAll();
    for (const path of paths) {
      const now = await markOf(path);
      // What we are at work on, or were just now, is looked at when we are done.
      if (own.isBusy(path) || unseen > 0 || now === known.get(path)) continue;
      const isFirst = !known.has(path);
      known.set(path, now);
      if (!isFirst) onEvent({ kind: 'changed', what: `${path} was changed by somebody else` });
    }
  };

  const listenToAll = async (): Promise<void> => {
    const places = await placesOf(paths);
    const key = JSON.stringify(await Promise.all(places.map(withMark)));
    if (key === listening?.key || stopped) return;
    listening?.close();
    listening = undefined;
    const ears = places.map((place) => hearIn(place));
    listening = { key, close: () => ears.map((ear) => ear.close()) };
    trouble = undefined;
    pauseMs = firstPauseMs;
  };

  const hearIn = ({ folder, name }: Place) => {
    const ear = listen(folder, { persistent: false }, (event, about) => {
      if (name !== undefined && about !== null && about !== name) return;
      // The content of what is in a folder, or its mode: the folder itself does not show it.
      if (name === undefined && event === 'change' && about !== null && !own.isBusy(folder)) {
        onEvent({ kind: 'changed', what: `${folder}/${about} was changed by somebody else` });
      }
      lookSoon();
    });
    ear.on('error', (error) => {
      trouble = error.message;
      listening?.close();
      listening = undefined;
      tryAgain();
    });
    return ear;
  };

  const forgetting = paths.map((path) =>
    own.onDone(path, () => {
      unseen += 1;
      return inTurn(async () => {
        unseen -= 1;
        if (!own.isBusy(path)) known.set(path, await markOf(path));
        await listenToAll();
      });
    }),
  );
  void inTurn(look);

  return {
    hasHeardAll: async () => {
      lookSoon();
      await last;
      return trouble === undefined;
    },
    trouble: () => trouble,
    held: () => {},
    stop: () => {
      stopped = true;
      clearTimeout(again);
      for (const forget of forgetting) forget();
      listening?.close();
    },
  };
}

async function withMark({ folder, name }: Place): Promise<string> {
  const { dev, ino } = await stat(folder, { bigint: true });
  return `${folder} ${name} ${dev} ${ino}`;
}

/** Where each of them is, where it leads if it is a link, and itself if it is a folder. */
async function placesOf(paths: readonly string[]): Promise<Place[]> {
  const places = new Map<string, Place>();
  const add = (folder: string, name: string | undefined): void => {
    places.set(JSON.stringify([folder, name]), { folder, name });
  };
  for (const path of paths) {
    const real = await realpath(path).catch(() => path);
    for (const one of new Set([path, real])) {
      const [folder, name] = await nearest(one);
      add(folder, name);
    }
    const found = await stat(real).catch(() => undefined);
    if (found?.isDirectory() === true) add(real, undefined);
  }
  return [...places.values()];
}

/** The folder that something is in; as long as that is not there, the one above, and what is missing in it. */
async function nearest(path: string): Promise<readonly [folder: string, name: string]> {
  const above = dirname(path);
  const found = await stat(above).catch(() => undefined);
  return found?.isDirectory() === true || above === path ? [above, basename(path)] : nearest(above);
}
