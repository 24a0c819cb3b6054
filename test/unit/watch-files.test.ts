import { writeFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { watchFiles } from '../../agent/system/watch/files.ts';
import { createOwnWork, type OwnWork } from '../../agent/system/watch/own-work.ts';
import type { Watcher } from '../../agent/system/watch/watcher.ts';
import type { NameFilesStep } from '../../platform/step.ts';

let folder: string;
let own: OwnWork;
let watcher: Watcher;
let told: string[];
let step: NameFilesStep;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-files-'));
  own = createOwnWork();
  told = [];
  watcher = watchFiles({ kind: 'files', paths: [folder] }, own, ({ what }) => told.push(what));
  step = { kind: 'name-files', path: folder, add: [], remove: [] };
  expect(await watcher.hasHeardAll()).toBe(true);
});
afterEach(async () => {
  watcher.stop();
  await rm(folder, { recursive: true });
});

test('what is ours is nobody else’s, also when it is done while somebody looks', async () => {
  for (let count = 0; count < 20; count += 1) {
    // The look has begun by then, and has not come to the folder.
    const look = watcher.hasHeardAll();
    await own.during(step, async () => writeFileSync(join(folder, `ours ${count}`), ''));
    await look;
  }
  expect(await watcher.hasHeardAll()).toBe(true);
  expect(told).toEqual([]);
});

test('what somebody else does between two changes of ours is told', async () => {
  await own.during(step, () => writeFile(join(folder, 'ours'), ''));
  // Its content: the folder itself can look as before within a tick of the file system's clock.
  await writeFile(join(folder, 'theirs'), 'content');
  await expect
    .poll(() => told, { timeout: 20_000 })
    .toContainEqual(expect.stringMatching(/was changed by somebody else$/));
  await own.during(step, () => writeFile(join(folder, 'ours too'), ''));
  expect(await watcher.hasHeardAll()).toBe(true);
});
