/** What is taken away, what is not, and what is put back: real files, in temporary folders. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import {
  chmod,
  chown,
  copyFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Carried } from '../../agent/engine/carried.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import type { Effect, Facts, Memory } from '../../platform/driver.ts';
import { quarantine } from '../../platform/linux/quarantine.ts';
import type { Runner } from '../../platform/step.ts';
import { type FileTarget, parseFile } from '../../platform/target.ts';
import { requires } from '../requirements.ts';
import { type MountMachine, mountMachine } from './mount-machine.ts';

let base: string;
let place: string;
let held: string;

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'quarantine-file-'));
  [place, held] = [join(base, 'place'), join(base, 'held')];
  await mkdir(place);
});
afterEach(() => rm(base, { recursive: true, force: true }));

function target(path: string): FileTarget {
  const found = parseFile(path);
  if (found === undefined) throw new Error(`not a file: ${path}`);
  return found;
}

/** Takes files and puts them back as the engine does, with what the journal would have. */
function driver(run: Runner = createRunner(), never = '') {
  const memories = new Map<string, Memory>();
  const made = quarantine.make({ folder: held, roots: place, never });
  const carrier = createCarrier(made, run, (found) => {
    for (const one of found) memories.set(one.target.text, one.memory);
  });
  const effectOf = (path: string, facts?: Facts): Effect => {
    const memory = memories.get(path);
    return { target: target(path), facts, ...(memory && { memory }) };
  };
  const only = (carried: readonly Carried[]): Carried => carried[0] as Carried;
  return {
    memories,
    take: async (path: string, facts?: Facts) => only(await carrier.apply([effectOf(path, facts)])),
    putBack: async (path: string) => only(await carrier.revert([effectOf(path)])),
    list: async () => {
      const reading = await carrier.inspect();
      if (!reading.known) throw new Error(reading.why);
      return reading.effects.map((one) => one.target.text);
    },
    carrier,
  };
}

const done = { result: 'done' };
const failed = (why: RegExp) => ({ result: 'failed', why: expect.stringMatching(why) });
const refused = (refusal: string, why: RegExp) => ({ ...failed(why), refusal });

async function plant(name: string, text = `this is ${name}\n`, mode = 0o755): Promise<string> {
  const path = join(place, name);
  await writeFile(path, text);
  await chmod(path, mode);
  return path;
}

const exists = (path: string): Promise<boolean> =>
  lstat(path).then(
    () => true,
    () => false,
  );

/** All that the quarantine holds, by ending. */
const endings = async (): Promise<string[]> =>
  (await readdir(held).catch(() => [])).map((name) => name.replace(/^[0-9a-f-]{36}/, '')).sort();

describe('a file that is taken', () => {
  test('is in nobody’s reach, with a record of where it was, and comes back as it was', async () => {
    const path = await plant('dropper', 'bad\n', 0o6751);
    if (process.getuid?.() === 0) await chown(path, 4_711, 4_712);
    await chmod(path, 0o6751);
    const before = await stat(path, { bigint: true });
    const one = driver();
    expect(await one.take(path)).toMatchObject(done);
    expect(await exists(path)).toBe(false);
    expect((await stat(held)).mode & 0o777).toBe(0o700);
    expect(await endings()).toEqual(['.file', '.json']);
    const name = one.memories.get(path)?.['name'];
    const kept = join(held, `${name}.file`);
    expect((await stat(kept)).mode & 0o7777).toBe(0o400);
    expect(await readFile(kept, 'utf8')).toBe('bad\n');
    expect(JSON.parse(await readFile(join(held, `${name}.json`), 'utf8'))).toMatchObject({
      name,
      path,
      sha256: createHash('sha256').update('bad\n').digest('hex'),
      state: { mode: '6751', mtimeNs: String(before.mtimeNs) },
    });
    expect(await one.list()).toEqual([path]);
    expect(await one.putBack(path)).toMatchObject(done);
    const after = await stat(path, { bigint: true });
    for (const part of ['ino', 'mode', 'uid', 'gid', 'size', 'mtimeNs'] as const) {
      expect(after[part], part).toBe(before[part]);
    }
    expect(await endings()).toEqual([]);
    expect(await one.list()).toEqual([]);
  });

  test('goes on being used by who has it open', async () => {
    const path = await plant('running');
    await copyFile('/usr/bin/sleep', path);
    const child = execa(path, ['1000'], { reject: false });
    const one = driver();
    expect(await one.take(path)).toMatchObject(done);
    expect(await readlink(`/proc/${child.pid}/exe`)).toMatch(/\.file$/);
    child.kill('SIGKILL');
    expect((await child).signal).toBe('SIGKILL');
  });

  test('is not put back when something was written to it meanwhile', async () => {
    const path = await plant('written');
    const writer = await open(path, constants.O_WRONLY | constants.O_APPEND);
    const one = driver();
    expect(await one.take(path)).toMatchObject(done);
    await writer.appendFile('more\n');
    await writer.close();
    expect(await one.putBack(path)).toMatchObject(
      failed(/somebody wrote to it \(sha256 [0-9a-f]+/),
    );
    expect(await exists(path)).toBe(false);
    expect(await one.list()).toEqual([path]);
  });

  test('stays where it is when its place is taken, until that is free', async () => {
    const path = await plant('place');
    const one = driver();
    await one.take(path);
    for (const make of [
      () => writeFile(path, 'other\n'),
      () => symlink('/etc/passwd', path),
      () => mkdir(path),
    ]) {
      await make();
      const before = await lstat(path, { bigint: true });
      expect(await one.putBack(path)).toMatchObject(failed(/something else stands at/));
      expect(await lstat(path, { bigint: true })).toEqual(before);
      expect(await one.list()).toEqual([path]);
      await rm(path, { recursive: true });
    }
    expect(await one.putBack(path)).toMatchObject(done);
    expect(await readFile(path, 'utf8')).toBe('this is place\n');
  });

  test('stays where it is when the way to its place is another one', async () => {
    const folder = join(place, 'folder');
    await mkdir(folder);
    const path = await plant('folder/deep');
    const one = driver();
    await one.take(path);
    await rm(folder, { recursive: true });
    expect(await one.putBack(path)).toMatchObject(failed(/the folder that it was in is gone/));
    const elsewhere = join(base, 'elsewhere');
    await mkdir(elsewhere);
    await symlink(elsewhere, folder);
    expect(await one.putBack(path)).toMatchObject(failed(/has become another one.*symbolic link/));
    expect(await readdir(elsewhere)).toEqual([]);
    await rm(folder);
    await mkdir(folder);
    expect(await one.putBack(path)).toMatchObject(done);
    expect(await readFile(path, 'utf8')).toBe('this is folder/deep\n');
  });

  test('can be removed from the folder for good, and is over then', async () => {
    const path = await plant('gone');
    const one = driver();
    await one.take(path);
    await rm(join(held, `${one.memories.get(path)?.['name']}.file`));
    expect(await one.list()).toEqual([path]);
    expect(await one.putBack(path)).toMatchObject(done);
    expect(await exists(path)).toBe(false);
    expect(await endings()).toEqual([]);
  });

  test('that somebody moves back by hand is taken again', async () => {
    const path = await plant('moved-back');
    const one = driver();
    await one.take(path);
    await rename(join(held, `${one.memories.get(path)?.['name']}.file`), path);
    expect(await one.list()).toEqual([]);
    expect(await one.take(path)).toMatchObject(done);
    expect(await exists(path)).toBe(false);
    expect(await endings()).toEqual(['.file', '.json']);
  });

  test('leaves room for another one of its name', async () => {
    const path = await plant('twice', 'first\n');
    const one = driver();
    await one.take(path);
    await plant('twice', 'second\n');
    one.memories.delete(path);
    // What tells them apart is the time.
    await pause(5);
    expect(await one.take(path)).toMatchObject(done);
    expect(await endings()).toEqual(['.file', '.file', '.json', '.json']);
    expect(await one.list()).toEqual([path]);
    expect(await one.putBack(path)).toMatchObject(done);
    expect(await readFile(path, 'utf8')).toBe('second\n');
    expect(await one.list()).toEqual([path]);
  });
});

describe('not taken', () => {
  test('is what is outside of the roots, in the quarantine, or never taken', async () => {
    const never = `${join(place, 'never')}\n${join(place, 'file')}`;
    const one = driver(undefined, never);
    await mkdir(join(place, 'never'));
    for (const [path, why] of [
      ['/etc/hostname', /is not where files are taken from/],
      [place, /is not where/],
      [`${place}-beside/x`, /is not where/],
      [await plant('never/x'), /is never taken/],
      [await plant('file'), /is never taken/],
    ] as const) {
      if (path === place) continue;
      expect(await one.take(path), path).toMatchObject(refused('protected', why));
    }
    expect(await one.take(await plant('file2'))).toMatchObject(done);
    const inside = quarantine.make({ folder: held, roots: base, never: '' });
    const question = inside.examine?.(target(join(held, 'x')), {});
    expect(question?.steps).toEqual([]);
    expect(question?.read([])).toMatchObject({ refusal: 'protected' });
  });

  test('is what is not there, and what is no plain file', async () => {
    const one = driver();
    await mkdir(join(place, 'folder'));
    await symlink('folder', join(place, 'link'));
    await plant('file');
    await symlink('file', join(place, 'to-file'));
    await symlink('/etc/shadow', join(place, 'to-shadow'));
    await execa('mkfifo', [join(place, 'fifo')]);
    for (const [name, refusal, why] of [
      ['none', 'absent', /is not there/],
      ['none/none', 'absent', /is not there/],
      ['file/none', 'absent', /is not there/],
      ['folder', 'protected', /not a plain file/],
      ['fifo', 'protected', /not a plain file/],
      ['to-file', 'protected', /symbolic link/],
      ['to-shadow', 'protected', /symbolic link/],
      ['link/x', 'protected', /reached by a symbolic link/],
    ] as const) {
      expect(await one.take(join(place, name)), name).toMatchObject(refused(refusal, why));
    }
    expect(await endings()).toEqual([]);
    expect(one.memories.size).toBe(0);
  });

  test('is what has a second name', async () => {
    const path = await plant('linked');
    await link(path, join(base, 'second'));
    expect(await driver().take(path)).toMatchObject(refused('protected', /has 2 names/));
    await rm(join(base, 'second'));
    expect(await driver().take(path)).toMatchObject(done);
  });

  test('is ar-exec itself, under whatever name', async () => {
    const path = join(place, 'own');
    const own = { kind: 'examine-file', folder: held, deadlineMs: 60_000 } as const;
    const answer = await createRunner()({ ...own, path: await realpath(process.execPath) });
    expect(JSON.parse(answer.stdout)).toMatchObject({ fit: false, refusal: 'protected' });
    expect(await exists(path)).toBe(false);
  });

  test('is what holds something else than was meant', async () => {
    const path = await plant('hashed', 'abc');
    const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
    const sha1 = 'a9993e364706816aba3e25717850c26c9cd0d89d';
    const one = driver();
    for (const facts of [{ sha256: sha1 }, { sha1: sha256 }, { sha256, sha1: sha256 }]) {
      expect(await one.take(path, facts)).toMatchObject(refused('changed', /something else/));
    }
    expect(await one.take(path, { sha256, sha1 })).toMatchObject(done);
  });

  test('is what was changed after it was looked at', async () => {
    const path = await plant('late', 'one\n');
    const sha256 = '2c8b08da5ce60398e1f19af0e5dccc744df274b826abe585eaba68c525434806';
    const change = { after: 'examine-file', by: () => writeFile(path, 'two\n') };
    expect(await driver(meddling(change)).take(path, { sha256 })).toMatchObject(
      failed(/changed after it was looked at/),
    );
    expect(await readFile(path, 'utf8')).toBe('two\n');
    expect(await endings()).toEqual([]);
    // Who names no hash means the file, whatever it holds.
    await writeFile(path, 'one\n');
    const one = driver(meddling(change));
    expect(await one.take(path)).toMatchObject(done);
    expect(await one.putBack(path)).toMatchObject(done);
    expect(await readFile(path, 'utf8')).toBe('two\n');
  });

  test('is another file that came to its place', async () => {
    const path = await plant('swapped', 'one\n');
    const by = async () => {
      await rename(path, `${path}.away`);
      await writeFile(path, 'innocent\n');
    };
    const one = driver(meddling({ after: 'examine-file', by }));
    expect(await one.take(path)).toMatchObject(failed(/changed after it was looked at/));
    expect(await readFile(path, 'utf8')).toBe('innocent\n');
    expect(await endings()).toEqual([]);
  });

  test('is what would go into a folder that others can look into', async () => {
    const path = await plant('open');
    await mkdir(held, { mode: 0o755 });
    await chmod(held, 0o750);
    expect(await driver().take(path)).toMatchObject(failed(/others can look into/));
    await rm(held, { recursive: true });
    await mkdir(join(base, 'other'));
    await symlink(join(base, 'other'), held);
    expect(await driver().take(path)).toMatchObject(failed(/held is not a folder/));
    expect(await exists(path)).toBe(true);
  });

  test('is what takes too long to read, and nobody else waits for it', async () => {
    const path = await plant('large');
    await truncate(path, 2 ** 28);
    const step = { kind: 'examine-file', path, folder: held } as const;
    const run = createRunner();
    expect(await run({ ...step, deadlineMs: 0 })).toMatchObject({ failure: 'timeout' });
    let turns = 0;
    const ticking = setInterval(() => {
      turns += 1;
    }, 1);
    const answer = await run({ ...step, deadlineMs: 600_000 });
    clearInterval(ticking);
    expect(JSON.parse(answer.stdout)).toMatchObject({ fit: true });
    expect(turns).toBeGreaterThan(20);
  });
});

test('a record that is damaged makes the folder unknown, and names itself', async () => {
  const path = await plant('record');
  const one = driver();
  await one.take(path);
  const name = one.memories.get(path)?.['name'];
  for (const text of ['{', 'null', '{}', '{"name":"x"}', '']) {
    await writeFile(join(held, `${name}.json`), text);
    expect(await one.carrier.inspect()).toMatchObject({
      known: false,
      why: expect.stringContaining(`${name}.json in the quarantine is damaged`),
    });
  }
  expect(await one.putBack(path)).toMatchObject({ result: 'unknown' });
});

describe('what was moved by mistake, before a crash,', () => {
  const confuse = async (make: (path: string) => Promise<unknown>) => {
    const path = await plant('bait');
    const one = driver();
    // Looked at, announced, and then something else was moved.
    await one.take(path);
    const name = one.memories.get(path)?.['name'];
    const at = (ending: string) => join(held, `${name}.${ending}`);
    await rename(at('json'), at('intent'));
    await rename(at('file'), `${path}.away`);
    await make(at('moved'));
    expect(await one.list()).toEqual([]);
    return { path, one, stray: at('stray') };
  };

  test.each([
    ['a file', (path: string) => writeFile(path, 'innocent\n')],
    ['a link', (path: string) => symlink('/etc/shadow', path)],
    ['a folder', (path: string) => mkdir(path)],
  ])('%s, goes back', async (_, make) => {
    const { path, one } = await confuse(make);
    expect(await one.take(path)).toMatchObject({ result: 'failed' });
    expect(await exists(path)).toBe(true);
    expect(await exists(`${path}.away`)).toBe(true);
    await one.carrier.teardown();
    expect(await endings()).toEqual([]);
  });

  test('stays, where its place is taken', async () => {
    const { path, one, stray } = await confuse((moved) => writeFile(moved, 'innocent\n'));
    await rename(`${path}.away`, path);
    expect(await one.take(path)).toMatchObject(done);
    expect(await readFile(stray, 'utf8')).toBe('innocent\n');
    expect(await one.list()).toEqual([path]);
    expect(await one.putBack(path)).toMatchObject(done);
    expect(await endings()).toEqual(['.stray']);
  });
});

test('what was begun and never taken is tidied up, and nothing else', async () => {
  const path = await plant('begun');
  const one = driver();
  await one.take(path);
  const name = one.memories.get(path)?.['name'];
  await rename(join(held, `${name}.file`), path);
  await rename(join(held, `${name}.json`), join(held, `${name}.intent`));
  await writeFile(join(held, `${name}.part`), 'half');
  await writeFile(join(held, 'theirs'), 'note');
  expect(await one.list()).toEqual([]);
  await one.carrier.teardown();
  expect(await readdir(held)).toEqual(['theirs']);
  expect(await exists(path)).toBe(true);
});

test('a record that was cut off while it was written is tidied up', async () => {
  const path = await plant('unwritten');
  const one = driver();
  await one.take(path);
  const name = one.memories.get(path)?.['name'];
  await writeFile(join(held, `${name}.new`), '{"na');
  await writeFile(join(held, '7a145989-9ec6-4aee-aabe-4ddf27cad6c1.new'), '{"na');
  expect(await one.putBack(path)).toMatchObject(done);
  expect(await endings()).toEqual(['.new']);
  expect(await one.list()).toEqual([]);
  await one.carrier.teardown();
  expect(await readdir(held)).toEqual([]);
});

test('what was put back, and cut off before its record was gone, is tidied up', async () => {
  const path = await plant('restored');
  const one = driver();
  await one.take(path);
  const name = one.memories.get(path)?.['name'];
  const record = await readFile(join(held, `${name}.json`));
  await one.putBack(path);
  await writeFile(join(held, `${name}.json`), record);
  await link(path, join(held, `${name}.moved`));
  expect(await one.list()).toEqual([]);
  await one.carrier.teardown();
  expect(await readdir(held)).toEqual([]);
  expect(await readFile(path, 'utf8')).toBe('this is restored\n');
});

requires(
  'root',
  'namespaces',
  'unshare',
  'nsenter',
  'mount',
  'setfattr',
  'getfattr',
  'chattr',
)('between file systems', () => {
  let machine: MountMachine;
  beforeEach(async () => {
    await mkdir(held, { mode: 0o700 });
    machine = await mountMachine([place]);
  });
  afterEach(() => machine.close());

  const sh = (script: string) => machine.exec(['sh', '-c', `cd "${place}" && ${script}`]);
  const dump = (): Promise<string> =>
    sh(
      "find . -type f -printf '%p %m %U %G %s %T@\\n' | sort; getfattr --absolute-names -d -m - -e hex * 2>&1; sha256sum *",
    );

  test('a file comes back with all that belongs to it', async () => {
    await sh(
      `head -c 3000000 /dev/urandom > big && : > empty && touch -d @1600000000.123456789 big && chown 4711:4712 big empty && chmod 6751 big &&
         setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 big && setfattr -n trusted.mark -v yes empty`,
    );
    const before = await dump();
    expect(before).toContain('1600000000.1234567890');
    expect(before).toContain('security.capability=0x01');
    const one = driver(machine.run);
    for (const name of ['big', 'empty']) {
      expect(await one.take(join(place, name))).toMatchObject(done);
    }
    expect(await sh('ls -A')).toBe('');
    expect(await endings()).toEqual(['.file', '.file', '.json', '.json']);
    for (const name of ['big', 'empty']) {
      expect(await one.putBack(join(place, name))).toMatchObject(done);
    }
    expect(await dump()).toBe(before);
    expect(await endings()).toEqual([]);
  });

  test('a file is taken in one piece or not at all', async () => {
    await machine.exec(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=700', 'tmpfs', held]);
    await sh('head -c 3000000 /dev/urandom > big');
    const before = await dump();
    const one = driver(machine.run);
    expect(await one.take(join(place, 'big'))).toMatchObject(failed(/ENOSPC|no space/i));
    expect(await dump()).toBe(before);
    expect(await machine.exec(['ls', '-A', held])).toBe('');
  });

  test('what cannot be moved stays, and the answer says why', async () => {
    await sh('echo x > stuck && chattr +i stuck && echo y > same');
    const before = await dump();
    const one = driver(machine.run);
    expect(await one.take(join(place, 'stuck'))).toMatchObject(failed(/immutable/));
    await machine.exec(['mount', '-o', 'remount,ro', place]);
    expect(await one.take(join(place, 'same'))).toMatchObject(failed(/EROFS|read-only/));
    expect(await dump()).toBe(before);
    expect(await endings()).toEqual([]);
    await machine.exec(['mount', '-o', 'remount,rw', place]);
    await sh('chattr -i stuck');
  });
});

requires(
  'root',
  'namespaces',
  'unshare',
  'nsenter',
  'mount',
)('somebody who swaps names', () => {
  const nobody = { uid: 65_534, gid: 65_534 };
  /** Makes a file and the folder it is in now the one thing and now another, as fast as it can. */
  const swapping = `
    cd "$1"
    mkdir folder
    while :; do
      echo bad > new && mv -T new folder/bait
      ln -s "$2/secret" link && mv -T link folder/bait
      rm -rf folder/bait; mkdir folder/bait; rm -rf folder/bait
      mv -T folder away && ln -s "$2/folder" folder; rm folder; mv -T away folder
      echo bad > new && mv -T new folder/bait
      sleep "$3"
    done 2>/dev/null`;

  test.each([
    ['on one file system', '0.05', false],
    // A copy takes longer, and would never get to its end.
    ['between two', '1', true],
  ])(
    'can have nothing else taken, %s',
    async (_, rest, between) => {
      const precious = join(base, 'precious');
      await mkdir(join(precious, 'folder'), { recursive: true });
      for (const name of ['secret', 'folder/bait']) {
        await writeFile(join(precious, name), 'precious\n', { mode: 0o640 });
      }
      const before = await treeOf(precious);
      await mkdir(held, { mode: 0o700 });
      const machine = await mountMachine(between ? [held] : []);
      await chmod(base, 0o755);
      await chmod(place, 0o777);
      const swapper = execa('sh', ['-c', swapping, 'sh', place, precious, rest], {
        ...nobody,
        reject: false,
        stdio: 'ignore',
      });
      const bait = join(place, 'folder', 'bait');
      const said = new Set<string>();
      try {
        let taken = 0;
        const until = performance.now() + 8_000;
        while (performance.now() < until || (taken < 3 && performance.now() < until + 60_000)) {
          const one = driver(machine.run);
          const { result, why } = await one.take(bait);
          if (result !== 'done') {
            said.add(`${why}`);
            continue;
          }
          taken += 1;
          const kept = `${held}/${one.memories.get(bait)?.['name']}`;
          expect(await machine.exec(['cat', `${kept}.file`])).toBe('bad\n');
          await machine.exec(['rm', `${kept}.file`, `${kept}.json`]);
        }
        expect(taken).toBeGreaterThanOrEqual(3);
        expect([...said].length, 'it met more than one thing').toBeGreaterThan(1);
      } finally {
        swapper.kill('SIGKILL');
        await swapper;
        await machine.close();
      }
      expect(await treeOf(precious)).toEqual(before);
    },
    120_000,
  );
});

/** Names, modes and contents below a folder. */
async function treeOf(folder: string): Promise<string[]> {
  const { stdout } = await execa('find', [folder, '-printf', '%P %y %m %s %n\\n']);
  const files = await execa('sh', ['-c', `cat $(find '${folder}' -type f | sort)`]);
  return [...stdout.split('\n').sort(), files.stdout];
}

interface Meddler {
  /** A kind of step. */
  readonly after: string;
  by(): Promise<void>;
  readonly run?: Runner;
}

/** Somebody does something right after a step of a kind, the first time. */
function meddling({ after, by, run = createRunner() }: Meddler): Runner {
  let meddled = false;
  return async (step) => {
    const result = await run(step);
    if (step.kind === after && !meddled) {
      meddled = true;
      await by();
    }
    return result;
  };
}
