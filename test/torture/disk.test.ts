/**
 * The disk under the journal: damaged bits anywhere in its files, files that are taken away, no room,
 * read-only. The agent starts, and goes on; what was damaged is kept as it was; what is held ends in time.
 */
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openJournal } from '../../agent/journal/journal.ts';
import { keepJournal } from '../../agent/journal/keep.ts';
import type { Runner } from '../../platform/step.ts';
import type { Machine } from '../contract/driver-contract.ts';
import { createEndpoint, type Endpoint } from '../crash/endpoint.ts';
import { type Facility, facilities } from '../crash/facilities.ts';
import { requires } from '../requirements.ts';
import { instance, order } from '../unit/sample.ts';
import { amount, createChance, isLong, keepFigures, patienceMs, shareMs } from './course.ts';

const counts = { flips: 0, unnoticed: 0, rebuilt: 0, lostActions: 0, longestOpenMs: 0 };
afterAll(() => keepFigures('disk', { ...counts, longestOpenMs: Math.round(counts.longestOpenMs) }));

const addresses = Array.from({ length: 600 }, (_, index) => `10.9.${index >> 8}.${index & 255}`);

describe('one bit of the journal is flipped', () => {
  let folder: string;
  let image: string;

  /** A journal as a killed agent leaves it: some of it in the file, some in its log. */
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ar-exec-flips-'));
    image = join(folder, 'image');
    const state = join(folder, 'first');
    await mkdir(state);
    await mkdir(image);
    const journal = openJournal(state);
    for (let first = 0; first < addresses.length; first += 100) {
      const some = addresses.slice(first, first + 100);
      const intents = journal.intend(
        some.map((text) => order('add', text)),
        1_000,
      );
      const ids = intents.flatMap((one) => (one.kind === 'apply' ? one.action.id : []));
      journal.settle(
        ids.map((id) => ({ id, state: 'active' })),
        1_000,
      );
      if (first === 400) journal.checkpoint();
    }
    for (const name of await readdir(state)) await copyFile(join(state, name), join(image, name));
    journal.close();
  });
  afterEach(() => rm(folder, { recursive: true }));

  test.each(['journal.db', 'journal.db-wal'])(
    'in %s, in every page and at any place',
    { timeout: patienceMs('disk', 120_000) },
    async (name) => {
      const chance = createChance(`flips ${name}`);
      const bytes = await readFile(join(image, name));
      const pages = Math.ceil(bytes.length / 4_096);
      const began = performance.now();
      const places = [
        ...Array.from({ length: amount(Math.min(pages, 25), pages) }, (_, index) =>
          Math.min(bytes.length - 1, index * 4_096 + chance.below(4_096)),
        ),
        ...Array.from({ length: amount(15, 20_000) }, () => chance.below(bytes.length)),
        ...Array.from({ length: amount(10, 100) }, (_, index) => index),
      ];
      for (const place of places) {
        if (isLong && performance.now() - began > shareMs('disk') / 3) break;
        await tried(name, place, 1 << chance.below(8));
      }
    },
  );

  async function tried(name: string, place: number, bit: number): Promise<void> {
    const state = join(folder, 'state');
    await mkdir(state);
    for (const one of await readdir(image)) {
      if (!one.endsWith('-shm')) await copyFile(join(image, one), join(state, one));
    }
    const bytes = await readFile(join(state, name));
    bytes[place] = (bytes[place] ?? 0) ^ bit;
    await writeFile(join(state, name), bytes);
    const before = performance.now();
    const kept = keepJournal(state);
    counts.longestOpenMs = Math.max(counts.longestOpenMs, performance.now() - before);
    counts.flips += 1;
    const where = `bit ${bit} of byte ${place} of ${name}`;
    // Whatever it says can be understood, and it can be gone on with.
    const held = [...kept.instances()].flatMap((one) => kept.heldBy(one));
    kept.list('ended', 1_000);
    const [mishap] = kept.mishaps();
    if (mishap === undefined) counts.unnoticed += 1;
    else {
      expect(mishap.kind, where).not.toBe('unwritable');
      counts.rebuilt += 1;
    }
    if (mishap?.kind === 'damaged') {
      const aside = mishap.aside?.find((one) =>
        one.endsWith(name === 'journal.db' ? 'Z' : 'Z-wal'),
      );
      expect((await readFile(aside ?? '')).equals(bytes), where).toBe(true);
    }
    const known = new Set(addresses);
    const right = held.filter(({ target }) => known.has(target.text));
    // One page at most is lost, or the last transaction: and what is there is not something else.
    expect(held.length - right.length, where).toBeLessThanOrEqual(1);
    expect(addresses.length - right.length, where).toBeLessThanOrEqual(101);
    counts.lostActions += addresses.length - right.length;
    kept.intend([order('add', '203.0.113.7')], 1_000);
    kept.close();
    const next = keepJournal(state);
    expect(next.mishaps(), where).toEqual([]);
    expect(next.heldBy(instance).some(({ target }) => target.text === '203.0.113.7')).toBe(true);
    next.close();
    await rm(state, { recursive: true });
  }
});

/** The machine is looked at from outside here. */
const nothing: Runner = async () => ({ failure: 'io', stdout: '', stderr: '' });
const iptables = facilities.find(({ name }) => name === 'iptables, nft variant') as Facility;

requires(
  'root',
  'namespaces',
  'ip',
  'mount',
  'nsenter',
  ...iptables.needs,
)('an agent on a disk', () => {
  let endpoint: Endpoint;
  let machine: Machine;
  let folder: string;
  let holder: ReturnType<typeof hold> | undefined;

  /** What holds the mount while agents come and go. */
  const hold = (place: string) =>
    execa(
      'unshare',
      [
        '--mount',
        'sh',
        '-c',
        'mount -t tmpfs -o size=1m,mode=0700 none "$0" && echo && exec sleep inf',
        place,
      ],
      {
        reject: false,
        buffer: false,
      },
    );
  const within = (argv: readonly string[]) => [
    'nsenter',
    '--mount',
    '--target',
    String(holder?.pid),
    '--',
    ...argv,
  ];

  beforeEach(async () => {
    endpoint = await createEndpoint({
      ...iptables,
      // Its effects have no end that the kernel knows.
      plant: async (planted, at) => {
        machine = planted;
        folder = at;
        await iptables.plant(planted, at);
        await mkdir(join(at, 'state'));
        holder = hold(join(at, 'state'));
        await new Promise((resolve) => holder?.stdout?.once('data', resolve));
      },
      inside: (at) => ({ command: within, run: iptables.inside?.(at).run ?? nothing }),
    });
    await endpoint.start();
  });
  afterEach(async () => {
    await endpoint.close();
    holder?.kill('SIGKILL');
    await holder;
  });

  const onDisk = async (...argv: readonly string[]) => {
    const [tool = '', ...args] = within(argv);
    await execa(tool, args);
  };
  const fill = () =>
    onDisk(
      'sh',
      '-c',
      'dd if=/dev/zero of="$0/filling" bs=4k 2>/dev/null || true',
      join(folder, 'state'),
    );
  const add = (srcip: string, timeoutSeconds?: number) =>
    endpoint.ask({ command: 'add', response: 'firewall-drop', srcip, timeoutSeconds });
  const stands = async (address: string) =>
    (await machine.exec(['iptables-nft-save'])).includes(`-s ${address}/32`);
  const wait = { timeout: 60_000, interval: 50 };
  const status = async () =>
    (await endpoint.ask({ command: 'status' })) as unknown as {
      healthy: boolean;
      pid: number;
      journalMishaps?: { kind: string }[];
    };

  const fills = { begin: fill, end: () => onDisk('rm', join(folder, 'state', 'filling')) };
  const remount = (how: string) => onDisk('mount', '-o', `remount,${how}`, join(folder, 'state'));
  // The kernel refuses to make a file system read-only that somebody writes to.
  const seals = { begin: () => remount('ro'), end: () => remount('rw') };

  test('that fills up does nothing that is unwritten, and ends what is held in time', {
    timeout: 180_000,
  }, async () => {
    expect(await add('203.0.113.20', 5)).toMatchObject({ ok: true });
    expect(await add('203.0.113.21', 600)).toMatchObject({ ok: true });
    await fills.begin();
    // The log can have room left in blocks that it has already.
    let refused: string | undefined;
    for (let index = 0; index < 2_000 && refused === undefined; index += 1) {
      const reply = await add(`10.8.${index >> 8}.${index & 255}`, 600);
      if (reply?.ok !== true) refused = reply?.code;
    }
    expect(refused).toBe('journal-failed');
    const dump = await machine.exec(['iptables-nft-save']);
    const listed = (await endpoint.list()).map(({ target }) => target);
    const standing = [...dump.matchAll(/-A ar-exec -s (10\.8\.\S+)\/32/g)].map(([, one]) => one);
    expect(standing.filter((one) => !listed.includes(one ?? ''))).toEqual([]);
    await expect.poll(() => stands('203.0.113.20'), wait).toBe(false);
    expect(await stands('203.0.113.21')).toBe(true);
    await fills.end();
    await expect.poll(async () => (await add('203.0.113.22', 600))?.ok, wait).toBe(true);
    const isListed = async () =>
      (await endpoint.list()).some(({ target }) => target === '203.0.113.20');
    await expect.poll(isListed, wait).toBe(false);
  });

  test.each([
    ['full', fills],
    ['read-only', seals],
  ] as const)(
    'that is %s at its start takes back in time what is known',
    { timeout: 180_000 },
    async (name, { begin, end }) => {
      expect(await add('203.0.113.20', 3)).toMatchObject({ ok: true });
      expect(await add('203.0.113.21', 600)).toMatchObject({ ok: true });
      await endpoint.kill();
      await begin();
      await endpoint.start();
      if (name === 'read-only') {
        const unwritable = [{ kind: 'unwritable' }];
        expect(await status()).toMatchObject({ healthy: false, journalMishaps: unwritable });
        const refused = await add('203.0.113.23');
        expect(refused).toMatchObject({ ok: false, code: 'journal-failed' });
        expect(await stands('203.0.113.23')).toBe(false);
      }
      await expect.poll(() => stands('203.0.113.20'), wait).toBe(false);
      expect(await stands('203.0.113.21')).toBe(true);
      await end();
      await expect.poll(async () => (await add('203.0.113.22', 600))?.ok, wait).toBe(true);
      const listed = async () => (await endpoint.list()).map(({ target }) => target).sort();
      await expect.poll(listed, wait).toEqual(['203.0.113.21', '203.0.113.22']);
    },
  );

  test('from which its journal is deleted has it back, and goes on', {
    timeout: 120_000,
  }, async () => {
    expect(await add('203.0.113.21', 600)).toMatchObject({ ok: true });
    await onDisk(
      'rm',
      '-r',
      join(folder, 'state', 'journal.db'),
      join(folder, 'state', 'journal.db-wal'),
    );
    await expect
      .poll(async () => (await status()).journalMishaps, wait)
      .toMatchObject([{ kind: 'deleted' }]);
    await endpoint.kill();
    await endpoint.start();
    expect((await status()).journalMishaps).toBeUndefined();
    expect((await endpoint.list()).map(({ target }) => target)).toEqual(['203.0.113.21']);
    expect(await stands('203.0.113.21')).toBe(true);
  });

  test('whose journal is overwritten takes over what the machine holds', {
    timeout: 120_000,
  }, async () => {
    expect(await add('203.0.113.21', 600)).toMatchObject({ ok: true });
    await endpoint.kill();
    await onDisk(
      'sh',
      '-c',
      'rm "$0"/journal.db-*; echo garbage > "$0/journal.db"',
      join(folder, 'state'),
    );
    await endpoint.start();
    expect((await status()).journalMishaps).toMatchObject([{ kind: 'damaged' }]);
    expect(await stands('203.0.113.21')).toBe(true);
    expect(await endpoint.list()).toMatchObject([{ target: '203.0.113.21', dialect: 'recovered' }]);
    const { pid } = await status();
    await pause(1_000);
    expect((await status()).pid).toBe(pid);
  });
});
