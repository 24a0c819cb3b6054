/** What packages are made of: pages of the manual, completions, archives, the bill of materials. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { responses } from '../../agent/policy/responses.ts';
import { completionFiles } from '../../build/package/completions.ts';
import { quick } from '../../build/package/compress.ts';
import { installed } from '../../build/package/contents.ts';
import { deb } from '../../build/package/deb.ts';
import { file } from '../../build/package/entry.ts';
import { configurationPage, programPage } from '../../build/package/manual.ts';
import { publisher } from '../../build/package/publisher.ts';
import { billOfMaterials } from '../../build/package/sbom.ts';
import { tar, zip } from '../../build/package/tar.ts';
import { commandWords, commonOptions } from '../../build/package/words.ts';

// Each starts a Node on the sources.
vi.setConfig({ testTimeout: 60_000 });
const folder = mkdtempSync(join(tmpdir(), 'ar-exec-packages-'));
afterAll(() => rmSync(folder, { recursive: true }));
const entries = [
  file('/usr/bin/x', 0o755, 'program'),
  file(`/usr/share/${'long/'.repeat(22)}file`, 0o644, ''),
];

describe('the words of the command line', () => {
  const help = async (...words: string[]) =>
    (await execa(process.execPath, ['agent/main.ts', ...words, '--help'])).stdout.replaceAll(
      /\s+/g,
      ' ',
    );

  test.each(commandWords().map((one) => [one.name, one] as const))(
    '%s is what --help shows',
    async (name, one) => {
      const shown = await help(name);
      for (const { name: option, describe: says } of [...one.options, ...commonOptions]) {
        expect(shown).toContain(`--${option} `);
        expect(shown).toContain(says);
      }
      for (const { name: positional, describe: says } of one.positionals) {
        expect(shown).toContain(positional);
        expect(shown).toContain(says);
      }
      // None is missing here.
      const names = [...one.options, ...commonOptions].map((option) => `--${option.name}`);
      const all = [...shown.replace(/Examples:.*/, '').matchAll(/ (--[a-z][a-z0-9-]*) /g)].map(
        ([, it]) => it,
      );
      expect(
        [...new Set(all)].filter((it) => !names.includes(it ?? '') && it !== '--no-start'),
      ).toEqual([]);
    },
  );
});

describe('pages of the manual', () => {
  const words = (page: string) =>
    page
      .replaceAll('\\-', '-')
      .replaceAll(/\\\(aq/g, "'")
      .replaceAll(/\s+/g, ' ');
  test('ar-exec(8) has every command and option', () => {
    const page = words(programPage());
    for (const { usage, options } of commandWords()) {
      expect(page).toContain(`.SS ar-exec ${usage}`);
      for (const { name } of options) expect(page).toContain(`--${name}`);
    }
  });
  test('ar-exec.conf(5) has every row of the settings', () => {
    const page = words(configurationPage());
    const rows = readFileSync('docs/configuration.md', 'utf8').matchAll(/^\| `([^`]+)` \|/gm);
    const names = [...rows].map(([, name = '']) => name);
    expect(names.length).toBeGreaterThan(50);
    for (const name of names) expect(page).toContain(`.B ${name} `);
  });
  test.each([
    ['ar-exec.8', programPage],
    ['ar-exec.conf.5', configurationPage],
  ])('%s is in order', (name, page) => {
    const path = join(folder, name);
    writeFileSync(path, page());
    const { status, stderr, error } = spawnSync('man', ['--warnings', '-l', path], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8', MANROFFSEQ: '', MANWIDTH: '80' },
    });
    if (error === undefined) expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'warning', path], { encoding: 'utf8' });
    if (lint.error === undefined) expect(lint.stdout).toBe('');
  });
});

describe('completions', () => {
  const [bash, ...others] = completionFiles();
  const complete = (...words: string[]): string[] => {
    const script = `${bash?.[1]}\nCOMP_WORDS=(${words.map((one) => `'${one}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _ar_exec; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' });
    return stdout.split('\n').filter((line) => line !== '');
  };
  test('bash: commands, responses, options and their values', () => {
    expect(complete('ar-exec', '')).toEqual(commandWords().map(({ name }) => name));
    expect(complete('ar-exec', 'add', '')).toEqual(responses.map(({ name }) => name));
    expect(complete('ar-exec', '--socket', '/x', 'add', 'route')).toEqual(['route-null']);
    expect(complete('ar-exec', 'add', 'firewall-drop', '--src')).toEqual(['--srcip']);
    expect(complete('ar-exec', 'service', 'install', '--pf', '')).toEqual(['yes', 'no']);
  });
  test.each(others)('%s is understood', (path, text) => {
    const shell = path.includes('zsh') ? 'zsh' : 'fish';
    const file = join(folder, `completion.${shell}`);
    writeFileSync(file, text);
    const { status, stderr, error } = spawnSync(shell, ['-n', file], { encoding: 'utf8' });
    if (error === undefined) expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const { name } of responses) expect(text).toContain(name);
  });
});

describe('archives', () => {
  test('tar reads what was written', () => {
    const path = join(folder, 'a.tar');
    writeFileSync(path, tar(entries, 'top', 1_780_000_000));
    const { stdout, stderr } = spawnSync('tar', ['-tvf', path, '--utc'], { encoding: 'utf8' });
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^-rwxr-xr-x root\/root +7 2026-05-28 20:26 top\/usr\/bin\/x\n/);
    expect(stdout).toContain(`top${entries[1]?.path}`);
  });
  test('python reads the zip that was written', () => {
    const path = join(folder, 'a.zip');
    writeFileSync(path, zip(entries, 'top', 1_780_000_000));
    const { stdout } = spawnSync('python3', ['-m', 'zipfile', '-t', path], { encoding: 'utf8' });
    expect(stdout).toContain('Done testing');
  });
  test('a .deb is the same each time, and dpkg reads it', async () => {
    const wanted = {
      version: '1.2.3',
      arch: 'x64',
      entries: installed(Buffer.from('x')),
      seconds: 1_780_000_000,
      publisher: { maintainer: 'Jane Doe <jane@example.org>' },
      packing: quick,
    } as const;
    const [one, two] = [await deb(wanted), await deb(wanted)];
    expect(one.equals(two)).toBe(true);
    const path = join(folder, 'a.deb');
    writeFileSync(path, one);
    expect(statSync(path).size).toBeGreaterThan(1_000);
    const { stdout, error } = spawnSync('dpkg-deb', ['--field', path, 'Version'], {
      encoding: 'utf8',
    });
    if (error === undefined) expect(stdout).toBe('1.2.3\n');
  });
});

describe('who publishes the packages', () => {
  const git = (...words: string[]) => spawnSync('git', words, { cwd: folder, encoding: 'utf8' });
  test('is whom the builder names', () => {
    const said = { AR_EXEC_MAINTAINER: 'Jane Doe <jane@example.org>' };
    expect(publisher(said, folder)).toEqual({ maintainer: 'Jane Doe <jane@example.org>' });
    const homepage = 'https://example.org/ar-exec';
    expect(publisher({ ...said, AR_EXEC_HOMEPAGE: homepage }, folder)).toMatchObject({ homepage });
  });
  test('or the author of the commit, whoever builds it', () => {
    git('init', '--quiet');
    const author = '--author=John Roe <john@example.org>';
    const builder = ['-c', 'user.name=x', '-c', 'user.email=x@y'];
    git(...builder, 'commit', '--quiet', '--allow-empty', '--message=x', author);
    expect(publisher({}, folder)).toEqual({ maintainer: 'John Roe <john@example.org>' });
  });
  test.each([
    ['Jane Doe'],
    ['jane@example.org'],
    ['Jane <jane@example.org>\nDepends: x'],
    ['Jane, John <jane@example.org>'],
    ['%(id) <jane@example.org>'],
  ])('%j is nobody', (said) => {
    expect(() => publisher({ AR_EXEC_MAINTAINER: said }, folder)).toThrow('AR_EXEC_MAINTAINER');
  });
  test.each([['example.org'], ['https://example.org/\nx'], ['file:///etc']])(
    '%j is no page',
    (homepage) => {
      const said = { AR_EXEC_MAINTAINER: 'J <j@example.org>', AR_EXEC_HOMEPAGE: homepage };
      expect(() => publisher(said, folder)).toThrow('AR_EXEC_HOMEPAGE');
    },
  );
});

test('the bill of materials names what is in the executable, and is the same each time', () => {
  const bill = JSON.parse(billOfMaterials(1_780_000_000));
  const named = bill.components.map(({ purl }: { purl: string }) => purl);
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  for (const [name, version] of Object.entries(dependencies)) {
    expect(named).toContain(`pkg:npm/${name}@${version}`);
  }
  expect(named).toContain(`pkg:generic/node@${process.versions.node}`);
  expect(named.join()).toMatch(/generic\/sqlite@/);
  expect(billOfMaterials(1_780_000_000)).toBe(billOfMaterials(1_780_000_000));
});
