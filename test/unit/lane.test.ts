import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createLane, type LaneOptions } from '../../agent/engine/lane.ts';
import { ArError } from '../../agent/errors.ts';

interface Item {
  readonly key: string;
  readonly value: number;
}

/** A lane that records its batches; each waits until it is let go. */
function gatedLane(options: Partial<LaneOptions<Item, string>> = {}) {
  const batches: (readonly Item[])[] = [];
  const gates: (() => void)[] = [];
  let begun = (): void => {};
  const lane = createLane<Item, string>({
    key: ({ key }) => key,
    merge: () => undefined,
    maxBatch: 100,
    maxPending: 1_000,
    perform: async (items) => {
      batches.push(items);
      begun();
      await new Promise<void>((resolve) => {
        gates.push(resolve);
      });
      return items.map(({ key, value }) => `${key}${value}`);
    },
    ...options,
  });
  /** Waits for the batch of that number (from 1) to begin. */
  const batch = async (number: number): Promise<readonly Item[]> => {
    while (batches.length < number) {
      await new Promise<void>((resolve) => {
        begun = resolve;
      });
    }
    return batches[number - 1] ?? [];
  };
  return { lane, batches, batch, open: () => gates.shift()?.() };
}

const item = (key: string, value = 0): Item => ({ key, value });
const echo = async (items: readonly Item[]) => items.map(({ key, value }) => `${key}${value}`);
const add = (a: Item, b: Item): Item => item(a.key, a.value + b.value);

describe('a lane', () => {
  test('carries out together what waits together, in order', async () => {
    const { lane, batch, open } = gatedLane();
    const first = lane.push(item('a'));
    await batch(1);
    const rest = [lane.push(item('b')), lane.push(item('c')), lane.push(item('d'))];
    expect(lane.pending()).toBe(3);
    open();
    expect((await batch(2)).map(({ key }) => key)).toEqual(['b', 'c', 'd']);
    open();
    expect(await Promise.all([first, ...rest])).toEqual(['a0', 'b0', 'c0', 'd0']);
    expect(lane.pending()).toBe(0);
  });

  test('never has two with one key in a batch, nor changes their order', async () => {
    const { lane, batch, open } = gatedLane();
    const pushed = ['a', 'b', 'a', 'c'].map((key, value) => lane.push(item(key, value)));
    expect(await batch(1)).toEqual([item('a', 0), item('b', 1)]);
    open();
    expect(await batch(2)).toEqual([item('a', 2), item('c', 3)]);
    open();
    expect(await Promise.all(pushed)).toEqual(['a0', 'b1', 'a2', 'c3']);
  });

  test('merges what can be one, and tells everybody', async () => {
    const { lane, batch, open } = gatedLane({ merge: add });
    const pushed = [1, 2, 3].map((value) => lane.push(item('a', value)));
    expect(await batch(1)).toEqual([item('a', 6)]);
    open();
    expect(await Promise.all(pushed)).toEqual(['a6', 'a6', 'a6']);
  });

  test('fills a batch and no more', async () => {
    const { lane, batch, open } = gatedLane({ maxBatch: 2 });
    const pushed = ['a', 'b', 'c'].map((key) => lane.push(item(key)));
    expect(await batch(1)).toHaveLength(2);
    open();
    expect(await batch(2)).toHaveLength(1);
    open();
    await Promise.all(pushed);
  });

  test('refuses what is too much, and nothing else', async () => {
    const { lane, batch, open } = gatedLane({ maxPending: 2 });
    const first = lane.push(item('a'));
    await batch(1);
    const waiting = [lane.push(item('b')), lane.push(item('c'))];
    await expect(lane.push(item('d'))).rejects.toMatchObject({ code: 'limit-pending' });
    open();
    await batch(2);
    open();
    expect(await Promise.all([first, ...waiting])).toEqual(['a0', 'b0', 'c0']);
    const last = lane.push(item('e'));
    await batch(3);
    open();
    expect(await last).toBe('e0');
  });

  test('rejects one item for its own error, all of a batch for the batch’s', async () => {
    const trouble = new ArError('driver-failed', 'no', 'Wait.');
    let broken = false;
    const { lane } = gatedLane({
      perform: async (items) => {
        if (broken) throw trouble;
        return items.map(({ key }) => (key === 'b' ? trouble : key));
      },
    });
    const results = await Promise.allSettled(['a', 'b', 'c'].map((key) => lane.push(item(key))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    broken = true;
    const all = await Promise.allSettled(['a', 'c'].map((key) => lane.push(item(key))));
    expect(all).toEqual(Array(2).fill({ status: 'rejected', reason: trouble }));
    broken = false;
    expect(await lane.push(item('a'))).toBe('a');
  });

  test('does not leave an item without an answer', async () => {
    const { lane } = gatedLane({ perform: async () => [] });
    await expect(lane.push(item('a'))).rejects.toThrow('lost');
  });

  test('says of nobody that he waits, when it is the agent that looks', async () => {
    const { lane, batch, open } = gatedLane({ maxPending: 1 });
    const first = lane.push(item('a'));
    await batch(1);
    const looks = [lane.alone(async () => 'looked'), lane.alone(async () => 'looked again')];
    expect(lane.pending()).toBe(0);
    const second = lane.push(item('b'));
    expect(lane.pending()).toBe(1);
    open();
    await batch(2);
    open();
    expect(await Promise.all([first, ...looks, second])).toEqual([
      'a0',
      'looked',
      'looked again',
      'b0',
    ]);
  });

  test('does what has to be alone between the batches before and after', async () => {
    const seen: string[] = [];
    const { lane } = gatedLane({
      perform: async (items) => {
        seen.push(items.map(({ key }) => key).join(''));
        return echo(items);
      },
    });
    const work = [
      lane.push(item('a')),
      lane.push(item('b')),
      lane.alone(async () => {
        seen.push('alone');
        return 7;
      }),
      lane.push(item('c')),
    ];
    expect(await Promise.all(work)).toEqual(['a0', 'b0', 7, 'c0']);
    expect(seen).toEqual(['ab', 'alone', 'c']);
    await expect(lane.alone(async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await lane.push(item('d'))).toBe('d0');
  });

  test('is idle when all that was queued is done', async () => {
    const { lane } = gatedLane({ perform: echo });
    let done = 0;
    for (const key of ['a', 'b', 'a']) {
      void lane.push(item(key)).then(() => {
        done += 1;
      });
    }
    await lane.idle();
    expect([done, lane.pending()]).toEqual([3, 0]);
    await lane.idle();
  });

  test('lets the same key wait for its turn a thousand times', async () => {
    const { lane } = gatedLane({ perform: echo, maxPending: 10_000 });
    const pushed = Array.from({ length: 1_000 }, (_, value) => lane.push(item('a', value)));
    expect(await Promise.all(pushed)).toEqual(pushed.map((_, value) => `a${value}`));
  });
});

test('a lane that is never empty keeps nothing of what it did', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const early: WeakRef<object>[] = [];
  let left = 20_000;
  let kept = -1;
  const lane = createLane<{ key: string }, boolean>({
    key: ({ key }) => key,
    merge: () => undefined,
    maxBatch: 100,
    maxPending: 1_000,
    perform: async (items) => {
      // What comes in while a batch is carried out is as much as the batch was.
      for (const _ of items) feed();
      if (left === 0 && kept === -1) {
        collect();
        kept = early.filter((reference) => reference.deref() !== undefined).length;
      }
      return items.map(() => true);
    },
  });
  const feed = (): void => {
    if (left === 0) return;
    left -= 1;
    const item = { key: String(left) };
    if (early.length < 1_000) early.push(new WeakRef(item));
    void lane.push(item);
  };
  for (let index = 0; index < 200; index += 1) feed();
  await lane.idle();
  expect(kept).toBe(0);
});
