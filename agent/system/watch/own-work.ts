/**
 * What this process changes on the machine by itself: who watches the machine must not take it for
 * somebody else's doing.
 */
import type { Step } from '../../../platform/step.ts';

export interface OwnWork {
  /** A program of ours was started; the promise resolves when it has ended. */
  started(pid: number | undefined, ended: Promise<unknown>): void;
  /** Whether a process is one of ours, or was a moment ago: what it did is heard of later. */
  isOurs(pid: number): boolean;
  /** Carries out a step; those who look at the places that it changes are told when it is done. */
  during<Result>(step: Step, work: () => Promise<Result>): Promise<Result>;
  isBusy(place: string): boolean;
  /** `listener` is called, and waited for, after each change of ours to a place. */
  onDone(place: string, listener: () => Promise<void> | void): () => void;
}

/** Longer than the kernel's message waits for us, shorter than it takes until a number is given anew. */
const rememberedMs = 10_000;

/** The place that all tables of iptables are, as far as we change them; and all sets of ipset. */
export const xtablesPlace = 'xtables';
export const ipsetPlace = 'ipset';
const accountPlaces = ['/etc/passwd', '/etc/shadow'];
const changesXtables = /^ip6?tables(-nft|-legacy)?-restore$/;

export function createOwnWork(now: () => number = () => performance.now()): OwnWork {
  /** When each ended; undefined for those that run. */
  const processes = new Map<number, number | undefined>();
  const busy = new Map<string, number>();
  const listeners = new Map<string, Set<() => Promise<void> | void>>();

  const forgetOld = (): void => {
    for (const [pid, endedAt] of processes) {
      if (endedAt === undefined) continue;
      // In the order in which they ended: the rest is younger.
      if (endedAt > now() - rememberedMs) return;
      processes.delete(pid);
    }
  };
  const enter = (place: string, by: 1 | -1): void => {
    const left = (busy.get(place) ?? 0) + by;
    if (left === 0) busy.delete(place);
    else busy.set(place, left);
  };

  return {
    started: (pid, ended) => {
      if (pid === undefined) return;
      processes.set(pid, undefined);
      const note = (): void => {
        processes.delete(pid);
        processes.set(pid, now());
        forgetOld();
      };
      ended.then(note, note);
    },
    isOurs: (pid) => {
      const endedAt = processes.get(pid);
      return processes.has(pid) && (endedAt === undefined || endedAt > now() - rememberedMs);
    },
    during: async (step, work) => {
      const places = placesOf(step);
      if (places.length === 0) return work();
      for (const place of places) enter(place, 1);
      try {
        return await work();
      } finally {
        for (const place of places) enter(place, -1);
        const told = places.flatMap((place) => [...(listeners.get(place) ?? [])]);
        await Promise.all(told.map(async (listener) => listener()).map(ignoreTrouble));
      }
    },
    isBusy: (place) => busy.has(place),
    onDone: (place, listener) => {
      const all = listeners.get(place) ?? new Set();
      listeners.set(place, all);
      all.add(listener);
      return () => {
        all.delete(listener);
        if (all.size === 0) listeners.delete(place);
      };
    },
  };
}

/** What a step may change, of the places that somebody looks at. */
function placesOf(step: Step): readonly string[] {
  switch (step.kind) {
    case 'edit-block':
    case 'name-files':
      return [step.path];
    case 'change-account':
      return accountPlaces;
    case 'command':
      if (changesXtables.test(step.tool)) return [xtablesPlace];
      return step.tool === 'ipset' && step.args[0] === 'restore' ? [ipsetPlace] : [];
    default:
      return [];
  }
}

/** A look that failed is that of whoever looks. */
function ignoreTrouble(promise: Promise<void>): Promise<void> {
  return promise.catch(() => {});
}
