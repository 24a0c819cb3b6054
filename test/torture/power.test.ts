/**
 * The power goes at any moment of the journal's work: what had been answered is on the disk, and
 * nothing is there by half. Also of files that are replaced as a whole.
 */
import { mkdir, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { keepJournal } from '../../agent/journal/keep.ts';
import { requires } from '../requirements.ts';
import { amount, createChance, isLong, keepFigures, patienceMs, shareMs } from './course.ts';
import { createDisk, type DiskOperation, readTrace, straceOptions } from './disk-trace.ts';

const counts = {
  operations: 0,
  syncs: 0,
  cuts: 0,
  promises: 0,
  journalsIncomplete: 0,
  fileCuts: 0,
};
afterAll(() => keepFigures('power', counts));

const script = (name: string) => fileURLToPath(new URL(name, import.meta.url));

requires('strace')('the power goes', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'ar-exec-power-')));
    await mkdir(join(folder, 'state'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const record = async (program: string, ...words: readonly string[]): Promise<DiskOperation[]> => {
    const file = join(folder, 'trace');
    await execa('strace', [
      ...straceOptions,
      '-o',
      file,
      process.execPath,
      script(program),
      ...words,
    ]);
    return readTrace(file, join(folder, 'state'));
  };

  test('while the journal is written', { timeout: patienceMs('power', 240_000) }, async () => {
    const chance = createChance('power');
    const recorded = await record(
      './power-writer.ts',
      join(folder, 'state'),
      String(amount(8, 40)),
    );
    const syncs = recorded.filter(({ kind }) => kind === 'sync').length;
    expect(syncs, 'every commit waits for the disk').toBeGreaterThan(20);
    counts.operations = recorded.length;
    counts.syncs = syncs;
    const began = performance.now();
    const isOver = () => isLong && performance.now() - began > shareMs('power') * 0.8;
    // The same record is gone through again and again, with another part of the unsynced each time.
    for (let turn = 0; turn < amount(1, 100) && !isOver(); turn += 1) {
      const disk = createDisk();
      const words = { asked: new Map<string, string>(), kept: new Map<string, string>() };
      for (const [index, operation] of recorded.entries()) {
        disk.apply(operation);
        if (operation.kind === 'said') listen(operation.text, words);
        // At every commit, before and behind it; what lies between is tried here and there.
        const isEdge = operation.kind === 'sync' || recorded[index + 1]?.kind === 'sync';
        if (!isEdge && chance.below(6) > 0) continue;
        if (isOver()) break;
        const place = join(folder, 'cut');
        await mkdir(place);
        await disk.cut(place, chance);
        check(place, words, `turn ${turn}, operation ${index}`);
        await rm(place, { recursive: true });
      }
    }
    expect(counts.promises).toBeGreaterThan(100);
  });

  interface Words {
    /** The last that was asked of a target, and the last that was answered. */
    readonly asked: Map<string, string>;
    readonly kept: Map<string, string>;
  }

  function listen(text: string, { asked, kept }: Words): void {
    for (const line of text.split('\n').filter(Boolean)) {
      const { asked: now = [], accepted = [] } = JSON.parse(line) as Record<string, string[]>;
      for (const [into, words] of [
        [asked, now],
        [kept, accepted],
      ] as const) {
        for (const word of words) into.set(word.split(' ')[1] ?? '', word.split(' ')[0] ?? '');
      }
    }
  }

  function check(place: string, { asked, kept }: Words, where: string): void {
    const journal = keepJournal(place);
    try {
      counts.cuts += 1;
      for (const { kind, what } of journal.mishaps()) {
        expect(kind, `${where}: ${what}`).toBe('incomplete');
        counts.journalsIncomplete += 1;
      }
      const live = new Map(
        journal.list('live', 100_000).map((one) => [one.target.text, one.state]),
      );
      for (const [target, verb] of kept) {
        if (asked.get(target) !== verb) continue;
        counts.promises += 1;
        expect(live.get(target), `${where}: ${verb} ${target}`).toBe(
          verb === 'add' ? 'active' : undefined,
        );
      }
      for (const target of live.keys()) expect(asked.has(target), `${where}: ${target}`).toBe(true);
    } finally {
      journal.close();
    }
  }

  test('while a file is replaced', { timeout: patienceMs('power', 120_000) }, async () => {
    const chance = createChance('power of files');
    const state = join(folder, 'state');
    const recorded = await record('./replace-writer.ts', join(state, 'hosts.deny'));
    const texts = recorded.flatMap((one) =>
      one.kind === 'said' ? one.text.trim().split('\n') : [],
    );
    expect(texts.length).toBeGreaterThan(5);
    for (let turn = 0; turn < amount(3, 200); turn += 1) {
      const disk = createDisk();
      let said = 0;
      for (const operation of recorded) {
        disk.apply(operation);
        if (operation.kind === 'said') said += 1;
        const place = join(folder, 'cut');
        await mkdir(place);
        await disk.cut(place, chance);
        counts.fileCuts += 1;
        const found = (await readdir(place)).includes('hosts.deny')
          ? (await readFile(join(place, 'hosts.deny'))).toString('base64')
          : '';
        // What was said last is there, or what comes after it; and never a part of either.
        expect([texts[said - 1] ?? '', texts[said] ?? '']).toContain(found);
        await rm(place, { recursive: true });
      }
    }
  });
});
