import { expect, it } from 'vitest';
import { createPost, type Opened, type Trouble } from '../../agent/execd/post.ts';
import type { Log } from '../../agent/observe/log.ts';

/** A place, and a machine that can be told what goes wrong with it. */
function place({ passed = false } = {}) {
  const world = {
    wanted: true,
    fails: undefined as Error | undefined,
    inPlace: true,
    trouble: undefined as Trouble | undefined,
    done: [] as string[],
    told: [] as string[],
  };
  const open = async (path: string): Promise<Opened> => {
    if (world.fails !== undefined) throw world.fails;
    world.done.push('opened');
    world.inPlace = true;
    return {
      path,
      passed,
      isInPlace: async () => world.inPlace,
      look: () => void world.done.push('looked'),
      trouble: async () => world.trouble,
      close: async () => void world.done.push('closed'),
    };
  };
  const log = new Proxy({} as Log, {
    get: (_, level) => (_facts: object, msg: string) => world.told.push(`${String(level)} ${msg}`),
  });
  return { world, post: createPost({ path: '/q', wanted: () => world.wanted, open, log }) };
}

const silent = 'error what the manager asks for does not come here';

it('opens a socket once, and reads what it may have missed', async () => {
  const { world, post } = place();
  await post.look();
  await post.look();
  expect(world.done).toEqual(['opened', 'looked']);
  expect(post.status()).toEqual({ path: '/q', open: true });
  await post.close();
  await post.look();
  expect(world.done).toEqual(['opened', 'looked', 'closed']);
});

it('tries again, and tells the same reason once', async () => {
  const { world, post } = place();
  world.fails = new Error('no');
  await post.look();
  await post.look();
  expect(world.told).toEqual([silent]);
  expect(post.status()).toMatchObject({ open: false, trouble: 'no' });
  world.fails = new Error('still no');
  await post.look();
  expect(world.told).toEqual([silent, silent]);
  world.fails = undefined;
  await post.look();
  expect(post.status()).toEqual({ path: '/q', open: true });
});

it('makes a socket anew that is not reached any more, if it can', async () => {
  const { world, post } = place();
  await post.look();
  world.inPlace = false;
  await post.look();
  expect(world.done).toEqual(['opened', 'looked', 'closed', 'opened']);
  expect(world.told).toContain(silent);
  expect(post.status()).toEqual({ path: '/q', open: true });
  world.inPlace = false;
  world.fails = new Error('another program listens there');
  await post.look();
  expect(post.status()).toMatchObject({ open: false, trouble: 'another program listens there' });
});

it('keeps a socket that was passed: there is no other', async () => {
  const { world, post } = place({ passed: true });
  await post.look();
  world.inPlace = false;
  await post.look();
  world.wanted = false;
  await post.look();
  expect(world.done).toEqual(['opened', 'looked']);
  expect(post.status()).toBeUndefined();
  world.wanted = true;
  expect(post.status()).toMatchObject({ open: true, passed: true, trouble: expect.any(String) });
  world.inPlace = true;
  await post.look();
  expect(post.status()).toEqual({ path: '/q', open: true, passed: true });
});

it('closes what is not wanted, and opens it when it is again', async () => {
  const { world, post } = place();
  world.wanted = false;
  await post.look();
  expect(world.done).toEqual([]);
  world.wanted = true;
  await post.look();
  world.wanted = false;
  await post.look();
  expect(world.done).toEqual(['opened', 'closed']);
  expect(post.status()).toBeUndefined();
});

it('tells what keeps senders from it, as long as that is so', async () => {
  const { world, post } = place();
  world.trouble = { message: 'they do not know of it', hint: 'Restart them.' };
  await post.look();
  await post.look();
  expect(world.told).toEqual(['info in place of execd', silent]);
  expect(post.status()).toEqual({
    path: '/q',
    open: true,
    trouble: 'they do not know of it',
    remedy: 'Restart them.',
  });
  world.trouble = undefined;
  await post.look();
  expect(post.status()).toEqual({ path: '/q', open: true });
});
