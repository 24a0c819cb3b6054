import { appendFileSync, renameSync, writeFileSync } from 'node:fs';
import {
  chmod,
  chown,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { editBlockText } from '../../agent/system/block-text.ts';
import { changeFile, editBlock, readFileStep } from '../../agent/system/files.ts';
import { replaceFile, takeSnapshot } from '../../agent/system/replace-file.ts';
import { createCommandRunner } from '../../agent/system/run-command.ts';
import type { EditBlockStep } from '../../platform/step.ts';
import { requires } from '../requirements.ts';

const block = { begin: '# begin', end: '# end', created: '# created' };
const runCommand = createCommandRunner(['/usr/bin', '/bin']);
const done = { stdout: '', stderr: '' };
const copyNothing = async (): Promise<void> => {};

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edit-block-'));
  path = join(folder, 'hosts.deny');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const step = (add: readonly string[], remove: readonly string[] = []): EditBlockStep => ({
  kind: 'edit-block',
  path,
  block,
  add,
  remove,
});
const edit = (add: readonly string[], remove: readonly string[] = []) =>
  editBlock(step(add, remove), runCommand);
const content = () => readFile(path, 'latin1');

describe('the block', () => {
  test('stands at the top, and goes without a trace', async () => {
    await writeFile(path, 'sshd: 192.0.2.1\n');
    expect(await edit(['a', 'b'])).toEqual(done);
    expect(await content()).toBe('# begin\na\nb\n# end\nsshd: 192.0.2.1\n');
    expect(await edit(['c'], ['a'])).toEqual(done);
    expect(await content()).toBe('# begin\nb\nc\n# end\nsshd: 192.0.2.1\n');
    expect(await edit([], ['b', 'c'])).toEqual(done);
    expect(await content()).toBe('sshd: 192.0.2.1\n');
    expect(await readdir(folder)).toEqual(['hosts.deny']);
  });

  test.each([
    ['carriage returns', 'one\r\ntwo\r\n'],
    ['no final newline', 'one\ntwo'],
    ['a final backslash', 'one \\'],
    ['NUL bytes', 'one\0two\0\n'],
    ['bytes that are not text', '\xff\xfe\x80\n'],
    ['nothing', ''],
    ['empty lines', '\n\n\n'],
  ])('leaves a file with %s as it was', async (_, text) => {
    await writeFile(path, text, 'latin1');
    await edit(['a']);
    expect(await content()).toBe(`# begin\na\n# end\n${text}`);
    await edit([], ['a']);
    expect(await content()).toBe(text);
  });

  test('keeps lines of others within it, and matches whole lines only', async () => {
    await writeFile(path, '# begin\nALL:10.0.0.10\n# ALL:10.0.0.1\n# end\nrest');
    await edit([], ['ALL:10.0.0.1']);
    expect(await content()).toBe('# begin\nALL:10.0.0.10\n# ALL:10.0.0.1\n# end\nrest');
  });

  test('is understood when an editor gave every line a carriage return', async () => {
    await writeFile(path, '# begin\r\na\r\nb\r\n# end\r\nrest\r\n');
    await edit([], ['a', 'b']);
    expect(await content()).toBe('rest\r\n');
  });

  test('comes back to the top, with what stood above it kept', async () => {
    await writeFile(path, 'above\n# begin\na\n# end');
    await edit(['b']);
    expect(await content()).toBe('# begin\na\nb\n# end\nabove\n');
  });

  test.each([
    ['has no end', '# begin\na\nrest\n'],
    ['has no beginning', 'a\n# end\n'],
    ['stands twice', '# begin\n# end\n# begin\n# end\n'],
    ['stands the wrong way round', '# end\na\n# begin\n'],
  ])('that %s is refused', async (_, text) => {
    await writeFile(path, text);
    for (const attempt of [await edit(['b']), await edit([], ['a'])]) {
      expect(attempt).toMatchObject({ failure: 'io' });
      expect(attempt.stderr).toMatch(/damaged.*"# begin" stands.*"# end"/);
    }
    expect(await content()).toBe(text);
  });

  test.each(['a\nb', 'a\r', 'a\0', '# begin', '# end'])('takes no line %j', async (line) => {
    expect(await edit([line])).toMatchObject({ failure: 'io' });
    expect(await readdir(folder)).toEqual([]);
  });

  test('of ten thousand lines is one edit', async () => {
    const lines = Array.from(
      { length: 10_000 },
      (_, index) => `ALL:10.1.${index >> 8}.${index & 255}`,
    );
    await writeFile(path, 'rest\n');
    expect(await edit(lines)).toEqual(done);
    expect(await content()).toBe(`# begin\n${lines.join('\n')}\n# end\nrest\n`);
    expect(await edit([], lines)).toEqual(done);
    expect(await content()).toBe('rest\n');
  });
});

describe('any bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  const textual = fc
    .array(
      fc.constantFrom('\n', '\r\n', '\\', '\0', '#', 'ALL:', '203.0.113.7', '# begin ', ' ', 'é'),
    )
    .map((parts) => Buffer.from(parts.join('')));
  const lines = fc.uniqueArray(fc.stringMatching(/^[ -~]{1,20}$/), { minLength: 1, maxLength: 8 });
  const applied = (old: Buffer | undefined, add: readonly string[], remove: readonly string[]) => {
    const changed = editBlockText(old, step(add, remove));
    if ('refused' in changed) throw new Error(changed.refused);
    return changed.bytes;
  };

  test('come back when what was added is taken out', () => {
    fc.assert(
      fc.property(fc.option(fc.oneof(bytes, textual), { nil: undefined }), lines, (old, added) => {
        const edited = applied(old, added, []);
        expect(applied(edited, added, [])).toEqual(edited);
        expect(applied(edited, [], added)).toEqual(old);
      }),
      { numRuns: 2_000 },
    );
  });

  test('stand unchanged at the end of the file through every edit', () => {
    const edits = fc.array(fc.record({ add: lines, remove: lines }), { maxLength: 8 });
    fc.assert(
      fc.property(fc.oneof(bytes, textual), edits, (old, all) => {
        let now: Buffer = old;
        for (const { add, remove } of all) {
          const next = applied(now, add, remove) ?? Buffer.alloc(0);
          expect(next.subarray(next.length - old.length)).toEqual(old);
          now = next;
        }
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('the file', () => {
  test('keeps its mode', async () => {
    await writeFile(path, 'rest\n');
    await chmod(path, 0o640);
    await edit(['a']);
    expect((await stat(path)).mode & 0o7777).toBe(0o640);
    await edit([], ['a']);
    expect((await stat(path)).mode & 0o7777).toBe(0o640);
  });

  test('that did not exist is readable for all, and removed again', async () => {
    const mask = process.umask(0o077);
    await edit(['a']).finally(() => process.umask(mask));
    expect((await stat(path)).mode & 0o7777).toBe(0o644);
    expect(await content()).toBe('# begin\n# created\na\n# end\n');
    await edit(['b'], ['a']);
    expect(await content()).toBe('# begin\n# created\nb\n# end\n');
    expect(await edit([], ['b'])).toEqual(done);
    expect(await readdir(folder)).toEqual([]);
  });

  test('that did not exist stays when somebody else has written to it', async () => {
    await edit(['a']);
    appendFileSync(path, 'rest\n');
    await edit([], ['a']);
    expect(await content()).toBe('rest\n');
  });

  test('that is empty is not removed', async () => {
    await writeFile(path, '');
    await edit(['a']);
    await edit([], ['a']);
    expect(await content()).toBe('');
  });

  test('is not written when there is nothing to do', async () => {
    expect(await edit([], ['a'])).toEqual(done);
    expect(await readdir(folder)).toEqual([]);
    await edit(['a']);
    const before = await stat(path, { bigint: true });
    expect(await edit(['a'], ['b'])).toEqual(done);
    const { ino, ctimeNs } = await stat(path, { bigint: true });
    expect({ ino, ctimeNs }).toEqual({ ino: before.ino, ctimeNs: before.ctimeNs });
  });

  test('behind links is replaced, and the links stay', async () => {
    await mkdir(join(folder, 'real'));
    await writeFile(join(folder, 'real', 'deny'), 'rest\n');
    await symlink(join('real', 'deny'), join(folder, 'second'));
    await symlink('second', path);
    await edit(['a']);
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect((await lstat(join(folder, 'second'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(folder, 'real', 'deny'), 'utf8')).toBe('# begin\na\n# end\nrest\n');
    expect(await readdir(join(folder, 'real'))).toEqual(['deny']);
  });

  test('behind a link that leads nowhere yet is created where it leads', async () => {
    await symlink('later', path);
    await edit(['a']);
    expect(await readFile(join(folder, 'later'), 'utf8')).toContain('\na\n');
    await edit([], ['a']);
    expect(await readdir(folder)).toEqual(['hosts.deny']);
  });

  test('in a loop of links is refused', async () => {
    await symlink('hosts.deny', path);
    expect(await edit(['a'])).toMatchObject({
      failure: 'io',
      stderr: expect.stringMatching('loop'),
    });
  });

  test('that is a folder, a device or too large is refused', async () => {
    await mkdir(path);
    expect(await edit(['a'])).toMatchObject({ failure: 'io' });
    const device = await editBlock({ ...step(['a']), path: '/dev/null' }, runCommand);
    expect(device).toMatchObject({ failure: 'io', stderr: '/dev/null is not a plain file' });
    await rm(path, { recursive: true });
    await writeFile(path, '');
    await truncate(path, 16 * 1024 * 1024 + 1);
    expect(await edit(['a'])).toMatchObject({ failure: 'io' });
    await truncate(path, 16 * 1024 * 1024);
    expect(await edit(['a'])).toMatchObject({ failure: 'io' });
    expect(await readdir(folder)).toEqual(['hosts.deny']);
  });

  test('in a folder that is not there is a failure', async () => {
    expect(await editBlock({ ...step(['a']), path: join(path, 'x') }, runCommand)).toMatchObject({
      failure: 'io',
    });
  });
});

requires('root', 'tar')('the file of another user', () => {
  test('keeps owner, group, mode and extended attributes', async () => {
    await writeFile(path, 'rest\n');
    await setAttribute();
    await chown(path, 12, 34);
    await chmod(path, 0o2640);
    const attributes = await listAttributes();
    await edit(['a']);
    const now = await stat(path);
    expect([now.uid, now.gid, now.mode & 0o7777]).toEqual([12, 34, 0o2640]);
    expect(await listAttributes()).toEqual(attributes);
  });

  /** Of the tools that are always there, only tar writes extended attributes. */
  const setAttribute = async (): Promise<void> => {
    const tar = ['--directory', folder, '--file', join(folder, 'archive'), '--format=pax'];
    await execa('tar', [...tar, '--pax-option=SCHILY.xattr.user.note:=kept', '-c', 'hosts.deny']);
    await execa('tar', [...tar, '--xattrs', '-x']);
    await rm(join(folder, 'archive'));
  };
  const listAttributes = async () => {
    const tar = ['--directory', folder, '--format=pax', '--xattrs', '--file=-'];
    const { stdout } = await execa('tar', [...tar, '-c', 'hosts.deny']);
    return /SCHILY\.xattr\..*/.exec(stdout)?.[0];
  };
});

describe('somebody else who writes to the file', () => {
  test('between read and replacement makes the edit start over', async () => {
    await writeFile(path, 'one\n');
    let rounds = 0;
    const refused = await changeFile(
      path,
      (bytes) => {
        rounds += 1;
        if (rounds === 1) appendFileSync(path, 'two\n');
        if (rounds === 2) {
          writeFileSync(`${path}.new`, 'other\n');
          renameSync(`${path}.new`, path);
        }
        return editBlockText(bytes, step(['a']));
      },
      copyNothing,
    );
    expect([refused, rounds]).toEqual([undefined, 3]);
    expect(await content()).toBe('# begin\na\n# end\nother\n');
    expect(await readdir(folder)).toEqual(['hosts.deny']);
  });

  test('without end makes the edit fail, with nothing written', async () => {
    await writeFile(path, '');
    const refused = await changeFile(
      path,
      (bytes) => {
        appendFileSync(path, 'x');
        return editBlockText(bytes, step(['a']));
      },
      copyNothing,
    );
    expect(refused).toMatch('was changed by somebody else');
    expect(await content()).toMatch(/^x+$/);
    expect(await readdir(folder)).toEqual(['hosts.deny']);
  });

  test('by creating it is not overwritten', async () => {
    const old = await takeSnapshot(path);
    const copyWhenItIsLate = replaceFile(old, Buffer.from('ours'), copyNothing);
    writeFileSync(path, 'theirs');
    expect(await copyWhenItIsLate).toBeUndefined();
    expect(await content()).toBe('theirs');
    expect(await readdir(folder)).toEqual(['hosts.deny']);
  });

  test('while we remove it keeps it', async () => {
    await edit(['a']);
    let first = true;
    await changeFile(
      path,
      (bytes) => {
        if (first) appendFileSync(path, 'rest\n');
        first = false;
        return editBlockText(bytes, step([], ['a']));
      },
      copyNothing,
    );
    expect(await content()).toBe('rest\n');
  });

  test('through edits that come all at once loses no line, and neither do we', async () => {
    await writeFile(path, '');
    const ours = Array.from({ length: 40 }, (_, index) => `ours ${index}`);
    const theirs = Array.from({ length: 200 }, (_, index) => `theirs ${index}`);
    const writer = (async () => {
      for (const line of theirs) {
        appendFileSync(path, `${line}\n`);
        await readFile(path);
      }
    })();
    const results = await Promise.all(ours.map((line) => edit([line])));
    await writer;
    const held = (await content()).split('\n');
    const failures = results.filter((result) => result.failure !== undefined);
    for (const { stderr } of failures) expect(stderr).toMatch('was changed by somebody else');
    expect(held.filter((line) => line.startsWith('theirs'))).toEqual(theirs);
    expect(held.filter((line) => line.startsWith('ours'))).toHaveLength(
      ours.length - failures.length,
    );
  });
});

test('edits of one file at the same time wait for each other, by any of its names', async () => {
  const other = join(folder, 'other');
  await symlink('hosts.deny', other);
  const lines = Array.from({ length: 30 }, (_, index) => `line ${index}`);
  const results = await Promise.all(
    lines.map((line, index) =>
      editBlock({ ...step([line]), path: index % 2 === 0 ? path : other }, runCommand),
    ),
  );
  expect(results).toEqual(lines.map(() => done));
  const held = (await content()).split('\n');
  expect(held.filter((line) => line.startsWith('line')).sort()).toEqual([...lines].sort());
});

test('what a crash left is removed, and nothing else', async () => {
  const random = '0123456789abcdef';
  const ended = await pidOfEnded();
  const leftovers = [ended, process.pid].map((pid) => `.hosts.deny.ar-exec.${pid}.${random}`);
  const old = `.hosts.deny.ar-exec.1.${random}`;
  const kept = [
    `.hosts.deny.ar-exec.1.f${random.slice(1)}`,
    `.hosts.deny.ar-exec.${ended}.short`,
    `.hosts.allow.ar-exec.${ended}.${random}`,
    `.hosts.deny.swp`,
  ];
  for (const name of [...leftovers, old, ...kept]) await writeFile(join(folder, name), '');
  const yesterday = new Date(Date.now() - 86_400_000);
  await utimes(join(folder, old), yesterday, yesterday);
  await edit(['a']);
  expect((await readdir(folder)).sort()).toEqual([...kept, 'hosts.deny'].sort());
});

async function pidOfEnded(): Promise<number> {
  const child = execa('true');
  await child;
  return child.pid ?? 0;
}

test('an edit that fails leaves no temporary file', async () => {
  await writeFile(path, 'rest\n');
  const old = await takeSnapshot(path);
  const fails = replaceFile(old, Buffer.from('x'), async () => {
    throw new Error('no');
  });
  await expect(fails).rejects.toThrow('no');
  await old.handle?.close();
  expect(await readdir(folder)).toEqual(['hosts.deny']);
  expect(await content()).toBe('rest\n');
});

test('a line appended in the very moment of the replacement is found', async () => {
  await writeFile(path, 'one\n');
  const old = await takeSnapshot(path);
  appendFileSync(path, 'two\n');
  // The last look saw what was read; the line came after it.
  const looked = { ...old, stat: await stat(path, { bigint: true }) };
  expect(String(await replaceFile(looked, Buffer.from('ours\none\n'), copyNothing))).toBe('two\n');
  await old.handle?.close();
});

test('a file rewritten in the very moment of the replacement is reported', async () => {
  await writeFile(path, 'one\n');
  const old = await takeSnapshot(path);
  writeFileSync(path, 'other\n');
  const looked = { ...old, stat: await stat(path, { bigint: true }) };
  await expect(replaceFile(looked, Buffer.from('x'), copyNothing)).rejects.toThrow('rewritten');
  await old.handle?.close();
});

describe('reading a file', () => {
  const read = (file: string) => readFileStep({ kind: 'read-file', path: file });

  test('gives its text, and nothing for a file that is not there', async () => {
    expect(await read(path)).toEqual(done);
    expect(await read(join(path, 'deeper'))).toEqual(done);
    await writeFile(path, 'é\n');
    expect(await read(path)).toEqual({ stdout: 'é\n', stderr: '' });
    await symlink('hosts.deny', join(folder, 'other'));
    expect(await read(join(folder, 'other'))).toEqual({ stdout: 'é\n', stderr: '' });
  });

  test('is a failure for what is not a plain file', async () => {
    expect(await read(folder)).toMatchObject({ failure: 'io' });
    expect(await read('/dev/zero')).toMatchObject({ failure: 'io' });
  });

  test('reads what the kernel makes up', async () => {
    expect((await read('/proc/self/status')).stdout).toMatch(/^Name:/);
  });

  test('reads what the kernel makes up anew each time somebody looks, on a busy machine too', async () => {
    const looks = await Promise.all(Array.from({ length: 400 }, () => read('/proc/net/dev')));
    expect(looks.filter(({ failure }) => failure !== undefined)).toEqual([]);
  });
});
