import { chmodSync, lstatSync, mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { chmod, mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { createRunner } from '../../agent/system/runner.ts';
import { blockFile } from '../../platform/any/block-file.ts';
import type { StepResult } from '../../platform/step.ts';
import { driverContract, effects, targets } from '../contract/driver-contract.ts';

const parent = mkdtempSync(join(tmpdir(), 'ar-exec-block-'));
const folder = join(parent, 'ipblock');
afterAll(() => rm(parent, { recursive: true }));
beforeEach(() => rm(folder, { recursive: true, force: true }));

const run = createRunner();
const driver = blockFile.make({ folder });
const carrier = () => createCarrier(driver, run);
const some = effects(targets(['203.0.113.7', '2001:db8::7']));
const said = (stdout: string): StepResult => ({ stdout, stderr: '' });

/** Every name with its type, mode and size. */
function dump(): string {
  let names: string[] = [];
  try {
    names = readdirSync(folder).sort();
  } catch {
    // It is not there.
  }
  return names
    .map((name) => {
      const path = join(folder, name);
      const { mode, size } = lstatSync(path);
      const link = (mode & 0o170000) === 0o120000 ? ` -> ${readlinkSync(path)}` : '';
      return `${name} ${mode.toString(8)} ${size}${link}\n`;
    })
    .join('');
}

async function plantForeign(): Promise<void> {
  await mkdir(join(folder, '192.0.2.1'), { recursive: true });
  await writeFile(join(folder, '192.0.2.2'), '');
  await writeFile(join(folder, '2001:db8::9'), 'since Monday\n');
  await writeFile(join(folder, '2001:DB8::7'), '');
  await writeFile(join(folder, 'notes.txt'), '203.0.113.7\n');
  await symlink('/etc/hostname', join(folder, '192.0.2.3'));
  await symlink('nowhere', join(folder, '192.0.2.4'));
}

async function probed(path: string) {
  const { probe } = blockFile.make({ folder: path });
  const answers = [];
  for (const step of probe.steps) answers.push(await run(step));
  return probe.read(answers);
}

driverContract({
  name: 'block-file in a folder',
  kind: blockFile,
  settings: { folder },
  machine: async () => ({
    run,
    exec: async ([tool = '', ...args], input = '') => (await execa(tool, args, { input })).stdout,
    close: () => rm(folder, { recursive: true, force: true }),
  }),
  dump: async () => dump(),
  plantForeign,
  damages: {},
});

describe('the plan', () => {
  test('is one step for a batch, in the folder that the effects were made in', () => {
    const names = ['203.0.113.7', '2001:db8::7'];
    const older = blockFile.make({ folder: '/srv/blocked' });
    expect(older.apply(some)).toEqual([
      { kind: 'name-files', path: '/srv/blocked', add: names, remove: [] },
    ]);
    expect(older.revert(some)).toEqual([
      { kind: 'name-files', path: '/srv/blocked', add: [], remove: names },
    ]);
  });
});

describe('a file', () => {
  test('is empty, readable for everybody, and named by the address as everybody writes it', async () => {
    process.umask(0o077);
    const odd = effects(targets(['203.0.113.7', '2001:DB8:0:0::7', '::ffff:198.51.100.1']));
    await carrier().apply(odd);
    expect(dump()).toBe('198.51.100.1 101444 0\n2001:db8::7 101444 0\n203.0.113.7 101444 0\n');
    expect(lstatSync(folder).mode & 0o7777).toBe(0o755);
  });

  test('that stood there before is left as it is, and stays', async () => {
    await plantForeign();
    const before = dump();
    const theirs = effects(targets(['192.0.2.2', '2001:db8::9']));
    const one = carrier();
    const results = await one.apply([...some, ...theirs]);
    expect(results.map(({ result }) => result)).toEqual([
      'done',
      'done',
      'pre-existing',
      'pre-existing',
    ]);
    await one.revert(some);
    expect(dump()).toBe(before);
    // Even if the journal had them as ours.
    await one.revert(theirs);
    expect(dump()).toBe(before);
  });

  test('can not be made where a folder or a link has its name', async () => {
    await plantForeign();
    const before = dump();
    const results = await carrier().apply(
      effects(targets(['192.0.2.1', '192.0.2.3', '192.0.2.4'])),
    );
    for (const one of results) {
      expect(one).toMatchObject({ result: 'failed', failure: 'io' });
      expect(one.why).toContain('something else has this name');
    }
    expect(dump()).toBe(before);
  });

  test('that was made when the agent died is ours, whatever its other bits', async () => {
    await carrier().apply(some);
    chmodSync(join(folder, '203.0.113.7'), 0o1400);
    expect(await carrier().apply(some)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    await carrier().revert(some);
    expect(dump()).toBe('');
  });

  test('that somebody has written into is theirs now', async () => {
    await carrier().apply(some);
    await writeFile(join(folder, '203.0.113.7'), 'a note');
    const reading = await carrier().inspect();
    expect(reading).toMatchObject({
      effects: [{ target: { text: '2001:db8::7' } }],
      foreign: [{ text: '203.0.113.7' }],
    });
    await carrier().revert(some);
    expect(dump()).toMatch(/^203\.0\.113\.7 \d+ 6\n$/);
  });
});

describe('the folder', () => {
  test('is made when it is needed, and stays for those who watch it', async () => {
    expect(await probed(folder)).toMatchObject({ usable: true, families: [4, 6] });
    expect(dump()).toBe('');
    await carrier().revert(some);
    expect(readdirSync(parent)).toEqual([]);
    const one = carrier();
    await one.apply(some);
    const { ino } = lstatSync(folder);
    await one.revert(some);
    await one.teardown();
    expect(lstatSync(folder).ino).toBe(ino);
  });

  test('keeps its mode and its owner where somebody made it', async () => {
    await mkdir(folder);
    await chmod(folder, 0o2770);
    await carrier().apply(some);
    expect(lstatSync(folder).mode & 0o7777).toBe(0o2770);
  });

  test('is refused with a link in its path, also for taking away', async () => {
    await carrier().apply(some);
    const before = dump();
    await symlink(folder, join(parent, 'link'));
    await symlink(parent, join(parent, 'above'));
    await symlink('nowhere', join(parent, 'dangling'));
    for (const path of ['link', 'above/ipblock', 'above/new', 'dangling']) {
      const odd = blockFile.make({ folder: join(parent, path) });
      const one = createCarrier(odd, run);
      expect(await probed(join(parent, path)), path).toMatchObject({ usable: false });
      expect(await one.inspect()).toMatchObject({ known: false });
      const [made] = await one.apply(effects(targets(['192.0.2.5'])));
      expect(made?.result, path).toBe('unknown');
      const [gone] = await one.revert(some);
      expect(gone?.result, path).toBe('unknown');
    }
    expect(dump()).toBe(before);
    expect(readdirSync(parent).sort()).toEqual(['above', 'dangling', 'ipblock', 'link']);
  });

  test('is not usable where it is no folder, or can not be made', async () => {
    await writeFile(folder, '');
    expect(await probed(folder)).toMatchObject({ usable: false });
    await rm(folder);
    expect(await probed(join(folder, 'deep'))).toMatchObject({
      usable: false,
      why: `${join(folder, 'deep')} is not there and can not be made in ${folder}`,
    });
  });

  test.each(['', '{}', '[]', 'null', '{"exists":true}', '{"exists":true,"entries":{}}'])(
    'whose listing is %j is unknown',
    (answer) => {
      expect(driver.inspect.read([said(answer)])).toMatchObject({ known: false });
      expect(driver.probe.read([said(answer), said(''), said('')])).toMatchObject({
        usable: false,
      });
    },
  );

  test('holds ten thousand', async () => {
    const many = effects(
      targets(Array.from({ length: 10_000 }, (_, i) => `10.8.${i >> 8}.${i & 255}`)),
    );
    const one = carrier();
    expect(new Set((await one.apply(many)).map(({ result }) => result))).toEqual(new Set(['done']));
    const reading = await one.inspect();
    expect(reading.known && reading.effects.length).toBe(10_000);
    await one.revert(many);
    expect(dump()).toBe('');
  });
});

test('a name that leads elsewhere is never used', async () => {
  for (const name of ['../evil', '..', '.', '', 'a/b', 'a\0b', 'x'.repeat(256)]) {
    for (const step of [
      { kind: 'name-files', path: folder, add: [name], remove: [] },
      { kind: 'name-files', path: folder, add: [], remove: [name] },
    ] as const) {
      expect(await run(step)).toMatchObject({ failure: 'io' });
    }
  }
  expect(readdirSync(parent)).not.toContain('evil');
});
