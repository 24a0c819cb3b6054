import { ArError } from '../errors.ts';

/** A queue in front of one driver: what waits together is carried out together, in order. */
export interface Lane<Item, Result> {
  /** Queues an item; rejects with `limit-pending` when too many wait. */
  push(item: Item): Promise<Result>;
  /** Runs `work` when nothing else runs in this lane. */
  alone<Answer>(work: () => Promise<Answer>): Promise<Answer>;
  /** How many items wait. Work that runs alone is the agent's own, and nobody waits for it. */
  pending(): number;
  /** Resolves when all that was queued until now is done. */
  idle(): Promise<void>;
}

export interface LaneOptions<Item, Result> {
  /** Results in the order of the items; an error in place of a result rejects that item alone. */
  perform(items: readonly Item[]): Promise<readonly (Result | Error)[]>;
  /** Items with the same key never share a batch, unless they are merged. */
  key(item: Item): string;
  /** One item in place of two that follow each other, or undefined when they must stay two. */
  merge(earlier: Item, later: Item): Item | undefined;
  readonly maxBatch: number;
  readonly maxPending: number;
}

interface Job<Item, Result> {
  item: Item;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
  /** Jobs that were merged into this one, and end with it. */
  merged?: Job<Item, Result>[];
}

interface Exclusive {
  readonly work: () => Promise<void>;
}

/** What a batch may cost besides its items (two commits, a process) is about as much. */
const gatherMs = 5;

/** Moving the rest of the queue to its front costs little once in so many jobs. */
const forgetAfter = 4_096;

export function createLane<Item, Result>(options: LaneOptions<Item, Result>): Lane<Item, Result> {
  const queue: (Job<Item, Result> | Exclusive)[] = [];
  let head = 0;
  let waiting = 0;
  let running: Promise<void> | undefined;

  const wake = (): void => {
    running ??= run().finally(() => {
      running = undefined;
      if (head < queue.length) wake();
    });
  };

  const run = async (): Promise<void> => {
    while (head < queue.length) {
      await gather();
      const job = queue[head];
      if (job !== undefined && 'work' in job) {
        head += 1;
        await job.work();
      } else {
        await performBatch(takeBatch());
      }
      forgetDone();
    }
  };

  /** A lane that is never empty must not keep all that it ever did. */
  const forgetDone = (): void => {
    if (head < queue.length && head < forgetAfter) return;
    queue.splice(0, head);
    head = 0;
  };

  /** As long as every turn of the event loop brings more, it is worth waiting for: a little while. */
  const gather = async (): Promise<void> => {
    const deadline = performance.now() + gatherMs;
    let seen: number;
    do {
      seen = queue.length;
      await new Promise((resolve) => setImmediate(resolve));
    } while (
      queue.length > seen &&
      queue.length - head < options.maxBatch &&
      performance.now() < deadline
    );
  };

  const takeBatch = (): Job<Item, Result>[] => {
    const batch = new Map<string, Job<Item, Result>>();
    while (head < queue.length && batch.size < options.maxBatch) {
      const job = queue[head];
      if (job === undefined || 'work' in job) break;
      const key = options.key(job.item);
      const earlier = batch.get(key);
      if (earlier === undefined) {
        batch.set(key, job);
      } else {
        const merged = options.merge(earlier.item, job.item);
        if (merged === undefined) break;
        earlier.item = merged;
        earlier.merged ??= [];
        earlier.merged.push(job);
      }
      head += 1;
      waiting -= 1;
    }
    return [...batch.values()];
  };

  const performBatch = async (batch: readonly Job<Item, Result>[]): Promise<void> => {
    try {
      const results = await options.perform(batch.map(({ item }) => item));
      batch.forEach((job, index) => {
        settle(job, results[index] ?? new Error('a batch lost one of its items'));
      });
    } catch (error) {
      const reason = error instanceof Error ? error : new Error(String(error));
      for (const job of batch) settle(job, reason);
    }
  };

  return {
    push: (item) =>
      new Promise<Result>((resolve, reject) => {
        if (waiting >= options.maxPending) {
          reject(
            new ArError(
              'limit-pending',
              `${options.maxPending} requests wait already`,
              'Ask again in a moment; nothing was done for this request.',
            ),
          );
          return;
        }
        queue.push({ item, resolve, reject });
        waiting += 1;
        wake();
      }),
    alone: (work) =>
      new Promise((resolve, reject) => {
        queue.push({ work: () => work().then(resolve, reject) });
        wake();
      }),
    pending: () => waiting,
    idle: async () => {
      while (running !== undefined) await running;
    },
  };
}

function settle<Item, Result>(job: Job<Item, Result>, result: Result | Error): void {
  if (result instanceof Error) job.reject(result);
  else job.resolve(result);
  for (const one of job.merged ?? []) settle(one, result);
}
