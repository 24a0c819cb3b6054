import {
  appendFileSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { follow, type Taken } from '../../agent/intake/follow/follow.ts';
import type { FollowedPosition } from '../../agent/words.ts';

let folder: string;
let path: string;
/** What a journal would keep. */
let saved: FollowedPosition | undefined;
let stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-follow-'));
  path = join(folder, 'alerts.json');
  saved = undefined;
});
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  stops = [];
  await rm(folder, { recursive: true });
});

interface Followed {
  readonly lines: string[];
  readonly troubles: string[];
  has(...lines: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

/** Follows `path` from where it was left. */
function start(take?: (lines: readonly string[]) => Promise<Taken>): Followed {
  const lines: string[] = [];
  const troubles: string[] = [];
  const follower = follow({
    path,
    pollMs: 15,
    from: saved,
    take: async (some) => {
      lines.push(...some);
      return (await take?.(some)) ?? 'something';
    },
    mark: () => 0,
    save: (position) => {
      saved = position;
    },
    onTrouble: (what) => troubles.push(what),
  });
  const stop = (): Promise<void> => follower.stop();
  stops.push(stop);
  return {
    lines,
    troubles,
    has: (...wanted) => expect.poll(() => lines, { timeout: 5_000, interval: 5 }).toEqual(wanted),
    stop,
  };
}

/** Starts with a file of one line, which is read already. */
async function startWith(first: string): Promise<Followed> {
  writeFileSync(path, '');
  const followed = start();
  await begun();
  appendFileSync(path, `${first}\n`);
  await followed.has(first);
  return followed;
}

const begun = () => expect.poll(() => saved, { timeout: 5_000, interval: 5 }).toBeDefined();
const write = (...lines: readonly string[]) =>
  appendFileSync(path, lines.map((one) => `${one}\n`).join(''));

describe('the first time', () => {
  test('it begins at the end, with the line that is half written', async () => {
    writeFileSync(path, 'old\nnew beg');
    const followed = start();
    await begun();
    write('un');
    await followed.has('new begun');
  });

  test('a file that is not there yet is read whole when it comes', async () => {
    const followed = start();
    await begun();
    write('a', 'b');
    await followed.has('a', 'b');
  });

  test('also when it comes while nobody follows', async () => {
    const followed = start();
    await begun();
    await followed.stop();
    write('a', 'b');
    await start().has('a', 'b');
  });
});

test('a line is one when it has its end', async () => {
  const followed = await startWith('first');
  appendFileSync(path, '{"half":');
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(followed.lines).toEqual(['first']);
  appendFileSync(path, '"ünd"}\n\nthird\n');
  await followed.has('first', '{"half":"ünd"}', '', 'third');
});

test('a line of more than 1 MiB is passed over, whether it comes at once or bit by bit', async () => {
  const followed = await startWith('first');
  write('x'.repeat(1_100_000), 'second');
  await followed.has('first', 'second');
  appendFileSync(path, 'x'.repeat(1_050_000));
  await expect.poll(() => followed.troubles.length, { timeout: 5_000 }).toBe(2);
  appendFileSync(path, 'x'.repeat(3_000_000));
  write('', 'third');
  await followed.has('first', 'second', 'third');
  expect(new Set(followed.troubles)).toEqual(new Set(['a line longer than 1 MiB was passed over']));
  await followed.stop();
  write('fourth');
  await start().has('fourth');
});

describe('rotation', () => {
  test('by another name: what still goes into the old file is read, and then the new one', async () => {
    const followed = await startWith('1');
    write('2');
    renameSync(path, `${path}.1`);
    appendFileSync(`${path}.1`, '3\n');
    write('5');
    appendFileSync(`${path}.1`, '4\n');
    await followed.has('1', '2', '3', '4', '5');
    write('6');
    await followed.has('1', '2', '3', '4', '5', '6');
    expect(followed.troubles).toEqual([]);
  });

  test('as long as somebody writes to the old file it is waited for', async () => {
    const followed = await startWith('1');
    renameSync(path, `${path}.1`);
    const soon = new Date(Date.now() + 60_000);
    utimesSync(`${path}.1`, soon, soon);
    write('3');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(followed.lines).toEqual(['1']);
    appendFileSync(`${path}.1`, '2\n');
    await followed.has('1', '2', '3');
  });

  test('what the old file ends with counts without an end', async () => {
    const followed = await startWith('1');
    appendFileSync(path, '2');
    renameSync(path, `${path}.1`);
    write('3');
    await followed.has('1', '2', '3');
  });

  test('by a copy: what was not read yet is read in the copy', async () => {
    const followed = await startWith('1');
    await followed.stop();
    write('2', '3');
    copyFileSync(path, `${path}.1`);
    truncateSync(path);
    write('4');
    const next = start();
    await next.has('2', '3', '4');
    expect(next.troubles).toEqual([]);
  });

  test("by a new link for each day, as a manager's: whoever writes does so by the other name", async () => {
    const today = join(folder, '2026', 'Nov', 'ossec-alerts-21.json');
    const tomorrow = join(folder, '2026', 'Nov', 'ossec-alerts-22.json');
    mkdirSync(dirname(today), { recursive: true });
    writeFileSync(today, '');
    linkSync(today, path);
    const followed = start();
    await begun();
    appendFileSync(today, '1\n');
    await followed.has('1');
    appendFileSync(today, '2\n');
    writeFileSync(tomorrow, '3\n');
    unlinkSync(path);
    linkSync(tomorrow, path);
    await followed.has('1', '2', '3');
    appendFileSync(tomorrow, '4\n');
    await followed.has('1', '2', '3', '4');
  });

  test('that nobody kept a copy of is told, and the file read from its beginning', async () => {
    const followed = await startWith('a line that is long enough to be known again');
    truncateSync(path);
    write('2');
    await followed.has('a line that is long enough to be known again', '2');
    expect(followed.troubles).toHaveLength(1);
    expect(followed.troubles[0]).toContain('may be lost');
  });
});

describe('a restart', () => {
  test('goes on where it was', async () => {
    const followed = await startWith('1');
    await followed.stop();
    write('2');
    const next = start();
    await next.has('2');
    await next.stop();
    const last = start();
    write('3');
    await last.has('3');
  });

  test('reads what was rotated away meanwhile, twice, and nothing that is older', async () => {
    writeFileSync(`${path}.3`, 'long ago\n');
    age(`${path}.3`);
    const followed = await startWith('1');
    await followed.stop();
    write('2');
    renameSync(path, `${path}.2`);
    age(`${path}.2`);
    writeFileSync(`${path}.1`, '3\n');
    age(`${path}.1`);
    write('4');
    const next = start();
    await next.has('2', '3', '4');
    expect(next.troubles).toEqual([]);
  });

  test("reads the days' files that came in between", async () => {
    const day = (number: number) => join(folder, '2026', 'Nov', `ossec-alerts-${number}.json`);
    mkdirSync(dirname(day(1)), { recursive: true });
    writeFileSync(day(20), 'before\n');
    age(day(20));
    writeFileSync(day(21), '');
    linkSync(day(21), path);
    const followed = start();
    await begun();
    await followed.stop();
    appendFileSync(day(21), '1\n');
    age(day(21));
    writeFileSync(day(22), '2\n');
    age(day(22));
    writeFileSync(day(22).replace('json', 'log'), 'not this\n');
    writeFileSync(day(23), '3\n');
    unlinkSync(path);
    linkSync(day(23), path);
    await start().has('1', '2', '3');
  });

  test('does not take a copy that somebody made for a file that came later', async () => {
    const followed = await startWith('1');
    age(path);
    copyFileSync(path, `${path}.backup.json`);
    age(`${path}.backup.json`);
    renameSync(path, `${path}.1`);
    write('2');
    await followed.has('1', '2');
  });

  test('knows another file by what is in it, though it has the number of the one that is gone', async () => {
    const followed = await startWith('the first line of the first file');
    await followed.stop();
    // The same inode, and longer than what was read of it.
    writeFileSync(path, 'the first line of another file, and longer\nsecond\n');
    const next = start();
    await next.has('the first line of another file, and longer', 'second');
    expect(next.troubles).toHaveLength(1);
  });
});

describe('the position', () => {
  test('does not pass a line that is not done, though later ones are', async () => {
    writeFileSync(path, '');
    const gates = new Map<string, (taken: Taken) => void>();
    const followed = start(([line = '']) => new Promise((resolve) => gates.set(line, resolve)));
    await begun();
    for (const line of ['1', '2', '3']) {
      write(line);
      await expect.poll(() => gates.has(line), { timeout: 5_000 }).toBe(true);
    }
    gates.get('2')?.('something');
    gates.get('3')?.('something');
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(saved?.offset).toBe(0);
    gates.get('1')?.('something');
    await expect.poll(() => saved?.offset, { timeout: 5_000 }).toBe(6);
    await followed.stop();
  });

  test('stays before lines that the agent could not hear any more', async () => {
    writeFileSync(path, '');
    const followed = start(async ([line]) => (line === '2' ? 'unheard' : 'something'));
    await begun();
    for (const line of ['1', '2', '3']) {
      write(line);
      await expect.poll(() => followed.lines.includes(line), { timeout: 5_000 }).toBe(true);
    }
    await followed.stop();
    expect(saved?.offset).toBe(2);
    await start().has('2', '3');
  });

  test('passes lines that nobody can make anything of, and loses none when a journal cannot be read', async () => {
    writeFileSync(path, '');
    const taken: string[] = [];
    const troubles: string[] = [];
    const follower = follow({
      path,
      pollMs: 15,
      take: async (lines) => {
        taken.push(...lines);
        throw new Error('a fault');
      },
      mark: () => {
        throw new Error('a bad disk');
      },
      save: (position) => {
        saved = position;
      },
      onTrouble: (what) => troubles.push(what),
    });
    stops.push(() => follower.stop());
    await follower.begun;
    write('1');
    await expect.poll(() => saved?.offset, { timeout: 5_000 }).toBe(2);
    expect(taken).toEqual(['1']);
    expect(new Set(troubles)).toEqual(new Set(['a fault', 'a bad disk']));
  });

  test('behind lines that came to nothing is written down now and then, and at the end', async () => {
    writeFileSync(path, '');
    const offsets: (number | undefined)[] = [];
    const followed = start(async () => {
      offsets.push(saved?.offset);
      return 'nothing';
    });
    await begun();
    for (let line = 0; line < 20; line += 1) {
      write(String(line % 10));
      await expect
        .poll(() => followed.lines.length, { timeout: 5_000, interval: 1 })
        .toBe(line + 1);
    }
    expect(new Set(offsets).size).toBeLessThan(4);
    await followed.stop();
    expect(saved?.offset).toBe(40);
  });
});

test('of a burst no more is in work than a few MiB', async () => {
  writeFileSync(path, '');
  let inWork = 0;
  let most = 0;
  let count = 0;
  const followed = start(async (lines) => {
    inWork += lines.length;
    most = Math.max(most, inWork);
    await new Promise((resolve) => setTimeout(resolve, 1));
    inWork -= lines.length;
    count += lines.length;
    followed.lines.length = 0;
    return 'something';
  });
  await begun();
  const line = 'x'.repeat(999);
  for (let chunk = 0; chunk < 20; chunk += 1) write(...Array.from({ length: 1_000 }, () => line));
  await expect.poll(() => count, { timeout: 10_000 }).toBe(20_000);
  expect(most).toBeLessThanOrEqual(17 * 263);
  await followed.stop();
});

/** Makes a file the latest so far, however coarse the file system's clock is. */
let ages = 0;
function age(file: string): void {
  ages += 1;
  const at = new Date(Date.now() - 3_600_000 + ages * 1_000);
  utimesSync(file, at, at);
}

/** Lines, halves of lines, rotations of each kind, restarts: each line once, in order. */
test('whatever happens to the file, each line comes once', { timeout: 60_000 }, async () => {
  const deed = fc.constantFrom('write', 'write', 'half', 'rename', 'copy', 'restart', 'wait');
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { maxLength: 14 }), async (deeds) => {
      const home = join(folder, 'property');
      rmSync(home, { recursive: true, force: true });
      mkdirSync(home);
      path = join(home, 'alerts.json');
      saved = undefined;
      writeFileSync(path, '');
      let followed = start();
      await begun();
      const all: string[] = [];
      const earlier: string[] = [];
      let half = '';
      let number = 0;
      const next = (): string => `line ${number++} ${'.'.repeat(number * 7)}`;
      const seen = () => [...earlier, ...followed.lines].filter((line) => line !== '');
      /** Of a file that is cut off before anything of it was read nobody can tell. */
      const oneIsRead = async (): Promise<void> => {
        const line = next();
        all.push(line);
        write(line);
        await expect.poll(() => seen().includes(line), { timeout: 3_000, interval: 2 }).toBe(true);
      };
      await oneIsRead();
      for (const one of deeds) {
        if (one === 'write') {
          const line = next();
          all.push(half + line);
          write(line);
          half = '';
        } else if (one === 'half' && half === '') {
          half = next();
          appendFileSync(path, half);
        } else if (one === 'rename' || one === 'copy') {
          // Whoever rotates a file does not do so within a line.
          if (half !== '') {
            all.push(half);
            write('');
            half = '';
          }
          const old = `${path}.${100 - number++}`;
          if (one === 'rename') {
            renameSync(path, old);
            writeFileSync(path, '');
          } else {
            copyFileSync(path, old);
            truncateSync(path);
          }
          age(old);
          await oneIsRead();
        } else if (one === 'restart') {
          await followed.stop();
          earlier.push(...followed.lines);
          followed = start();
        } else await new Promise((resolve) => setTimeout(resolve, 12));
      }
      if (half !== '') all.push(half);
      write('');
      await expect.poll(seen, { timeout: 3_000, interval: 5 }).toEqual(all);
      await followed.stop();
    }),
    { numRuns: 40 },
  );
});
