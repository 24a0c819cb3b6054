import { expect, test } from 'vitest';
import { createTurns } from '../../agent/script/turns.ts';

/** Lets everything that can go on go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('one at a time has a lock, in the order of asking; other names do not wait', async () => {
  const turns = createTurns(1);
  const order: string[] = [];
  const take = async (name: string, mark: string) => {
    const free = await turns.lock(name);
    order.push(mark);
    return free;
  };
  const first = take('a', '1');
  const second = take('a', '2');
  const third = take('a', '3');
  await take('b', 'b');
  await settle();
  expect(order.sort()).toEqual(['1', 'b']);
  (await first)();
  await settle();
  expect(order).toContain('2');
  expect(order).not.toContain('3');
  (await second)();
  (await third)();
  (await take('a', '4'))();
  expect(order.at(-1)).toBe('4');
});

test('no more run at once than may, in all and of one script', async () => {
  const turns = createTurns(3);
  const running: string[] = [];
  const leave: (() => void)[] = [];
  const enter = (script: string, verb: 'add' | 'delete' = 'add') =>
    void turns.place(verb, script, 2).then((free) => {
      if (free === undefined) return;
      running.push(script);
      leave.push(free);
    });
  for (let count = 0; count < 4; count += 1) enter('busy');
  enter('other');
  enter('third');
  await settle();
  expect(running).toEqual(['busy', 'busy', 'other']);
  expect(turns.waiting()).toBe(3);
  // What takes back has places of its own.
  enter('busy', 'delete');
  await settle();
  expect(running).toHaveLength(4);
  // A busy script that leaves stands behind the others.
  leave[0]?.();
  await settle();
  expect(running.at(-1)).toBe('third');
  leave[1]?.();
  await settle();
  expect(running.at(-1)).toBe('busy');
});

test('those who wait when it is closed get no place, nor do those who come later', async () => {
  const turns = createTurns(1);
  const leave = await turns.place('add', 'a', 1);
  const waiting = turns.place('add', 'a', 1);
  turns.close();
  expect(await waiting).toBeUndefined();
  expect(await turns.place('delete', 'a', 1)).toBeUndefined();
  leave?.();
});
