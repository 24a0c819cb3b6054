/**
 * The agent is killed while it moves a file, and started again: the file is never lost, never in two
 * places in the end, and comes back as it was.
 */
import { lstat, open, readdir, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { requires } from '../requirements.ts';
import { createEndpoint, type Endpoint } from './endpoint.ts';
import type { Facility } from './facilities.ts';
import type { Moment } from './moments.ts';
import { victims, withQuarantine } from './quarantine-place.ts';

const [victim] = victims;
const add = { command: 'add', response: 'quarantine-file', file: victim };
const remove = { ...add, command: 'delete' };
const atWork: readonly Moment[] = ['before-tool', 'tool-begins', 'after-tool'];

interface Scene {
  readonly endpoint: Endpoint;
  /** Where the file is, and how large: at its place, in the quarantine, or both. */
  where(): Promise<{ readonly place?: number; readonly held?: number; readonly part?: number }>;
  /** As anybody sees it outside of the namespace. */
  readonly place: string;
}

requires(
  'root',
  'namespaces',
  'ip',
  'unshare',
  'mount',
)('a file that is moved', () => {
  describe.each([
    ['on one file system', false],
    ['to another', true],
  ])('%s', (_, between) => {
    const size = `${victim}\n`.length * 10_000;

    test.each(atWork)('is taken in the end, killed %s', { timeout: 240_000 }, async (at) => {
      await tried(between, async ({ endpoint, where }) => {
        await endpoint.startDoomed({ ...death(at, 'add'), ...acting('take-file') });
        expect(await endpoint.ask(add)).toBeUndefined();
        await endpoint.death();
        const { place, held } = await where();
        expect([place, held]).toContain(size);
        await endpoint.calm();
        await endpoint.start();
        expect(await where()).toEqual({ held: size });
        expect(await endpoint.list()).toMatchObject([{ target: victim, state: 'active' }]);
      });
    });

    test.each(atWork)('is back in the end, killed %s', { timeout: 240_000 }, async (at) => {
      await tried(between, async ({ endpoint, where }) => {
        await endpoint.startDoomed({ ...death(at, 'delete'), ...acting('put-back-file') });
        expect(await endpoint.ask(add)).toMatchObject({ ok: true });
        expect(await endpoint.ask(remove)).toBeUndefined();
        await endpoint.death();
        const { place, held } = await where();
        expect([place, held]).toContain(size);
        await endpoint.calm();
        await endpoint.start();
        expect(await where()).toEqual({ place: size });
        expect(await endpoint.list()).toEqual([]);
      });
    });
  });

  test('survives in the middle of being copied, there and back', { timeout: 240_000 }, async () => {
    await tried(true, async ({ endpoint, where, place }) => {
      const size = 400 * 1024 * 1024;
      await truncate(place, size);
      const file = await open(place, 'r+');
      await file.write('the end', size - 7);
      await file.utimes(1_600_000_000, 1_600_000_000);
      await file.close();
      await endpoint.start();
      const taken = endpoint.ask(add);
      await until(async () => ((await where()).part ?? 0) > 0);
      await endpoint.kill();
      expect(await taken).toBeUndefined();
      const cut = await where();
      expect(cut.place).toBe(size);
      expect(cut.part).toBeLessThan(size);
      await endpoint.start();
      expect(await where()).toEqual({ held: size });

      const back = endpoint.ask(remove);
      await until(async () => (await copyAt(place)) > 0);
      await endpoint.kill();
      expect(await back).toBeUndefined();
      expect(await where()).toEqual({ held: size });
      await endpoint.start();
      expect(await where()).toEqual({ place: size });
      expect((await stat(place)).mtimeMs).toBe(1_600_000_000_000);
      await truncate(place, 0);
      await restore(place);
    });
  });
});

const death = (at: Moment, during: 'add' | 'delete') => ({ during, at, target: victim });
const acting = (kind: string) => ({ more: ['--acting', `"${kind}"`] });

/** What the facility has planted there. */
async function restore(place: string): Promise<void> {
  const file = await open(place, 'r+');
  await file.writeFile(`${victim}\n`.repeat(10_000));
  await file.utimes(1_600_000_000, 1_600_000_000.5);
  await file.close();
}

/** The size of the copy that is being made beside a place. */
async function copyAt(place: string): Promise<number> {
  const folder = join(place, '..');
  const name = (await readdir(folder)).find((one) => one.startsWith('.ar-exec-'));
  return name === undefined ? 0 : ((await sizeOf(join(folder, name))) ?? 0);
}

async function until(isTrue: () => Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await nextTurn();
}

async function sizeOf(path: string): Promise<number | undefined> {
  return lstat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** In the end everything is deleted, and all is as it was. */
async function tried(between: boolean, scenario: (scene: Scene) => Promise<void>): Promise<void> {
  const facility = withQuarantine(between);
  let folder = '';
  const watched: Facility = {
    ...facility,
    plant: async (machine, made) => {
      folder = made;
      await facility.plant(machine, made);
    },
  };
  const endpoint = await createEndpoint(watched);
  const place = join(folder, 'seen/place/dropper');
  const held = join(folder, between ? 'held' : 'seen/held');
  const where: Scene['where'] = async () => {
    const names = await readdir(held);
    const sizes = {
      place: await sizeOf(place),
      held: await sizeOf(join(held, names.find((name) => name.endsWith('.file')) ?? 'none')),
      part: await sizeOf(join(held, names.find((name) => name.endsWith('.part')) ?? 'none')),
    };
    return JSON.parse(JSON.stringify(sizes)) as Awaited<ReturnType<Scene['where']>>;
  };
  try {
    const planted = await endpoint.dump();
    await scenario({ endpoint, where, place });
    if ((await endpoint.list()).length > 0) {
      expect(await endpoint.ask(remove)).toMatchObject({ ok: true });
    }
    await endpoint.stop();
    expect(await endpoint.dump()).toBe(planted);
    expect(endpoint.journal().map(({ state }) => state)).toEqual(['reverted']);
  } finally {
    await endpoint.close();
  }
}
