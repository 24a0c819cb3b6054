/** Real files are taken away and put back, on one file system and between two. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe } from 'vitest';
import { quarantine } from '../../platform/linux/quarantine.ts';
import { type FileTarget, parseFile } from '../../platform/target.ts';
import { driverContract, type Machine, type Samples } from '../contract/driver-contract.ts';
import { requires } from '../requirements.ts';
import { mountMachine } from './mount-machine.ts';

const base = await mkdtemp(join(tmpdir(), 'quarantine-'));
afterAll(() => rm(base, { recursive: true }));
const [place, folder] = [join(base, 'place'), join(base, 'held')];
await mkdir(place);

const files = (names: readonly string[]): FileTarget[] =>
  names.map((name) => {
    const target = parseFile(join(place, name));
    if (target === undefined) throw new Error(`not a file: ${name}`);
    return target;
  });

const samples: Samples<FileTarget> = {
  few: files(['one', 'two words', 'deep/er/three', '.four']),
  many: (count) => files(Array.from({ length: count }, (_, index) => `many/f${index}`)),
  odd: files([
    '-rf',
    '$(reboot)',
    'quo\'te"d',
    'back\\slash',
    'ünï-日本-\u{1f9a0}',
    'e\u0301',
    '\u00e9',
    '*?[a]{b}',
    'name.json',
    'x'.repeat(255),
    ' leading',
    'trailing ',
  ]),
  plant: async ({ exec }, all) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    const script = 'for f; do mkdir -p "${f%/*}"; printf %s "$f" > "$f"; chmod 4751 "$f"; done';
    await exec(['sh', '-c', script, 'sh', ...all.map(({ text }) => text)]);
  },
};

/** All that is kept, and what is somebody else's. */
const dump = async ({ exec }: Machine): Promise<string> => {
  const format = ['-printf', '%p %y %m %U %G %s %T@ %l\\n'];
  const list = await exec([
    'find',
    base,
    '-name',
    'theirs*',
    ...format,
    '-o',
    '-path',
    `${folder}/*`,
    ...format,
  ]);
  return list.split('\n').sort().join('\n');
};

const plantForeign = async ({ exec }: Machine): Promise<void> => {
  await exec([
    'sh',
    '-c',
    `mkdir -p -m 700 ${folder}; cd ${place} && echo a > theirs-a && ln theirs-a theirs-b && ln -s one theirs-c &&
     mkfifo theirs-d && cd ${folder} && echo note > theirs-e && touch 00000000-0000-0000-0000-000000000000.file`,
  ]);
};

requires(
  'root',
  'namespaces',
  'unshare',
  'nsenter',
  'mount',
)('files', () => {
  describe.each([
    ['on one file system', 500, []],
    // Each of them starts cp, to carry over what Node has no call for.
    ['from one file system to another', 40, [place]],
  ])('%s', (_, bulk, mounts) => {
    driverContract<FileTarget>({
      name: 'keep the contract',
      kind: quarantine,
      settings: { folder, roots: place, never: '' },
      samples: { ...samples, bulk },
      machine: async () => {
        const machine = await mountMachine([base]);
        await machine.exec(['mkdir', '-m', '700', place, folder]);
        for (const one of mounts) await machine.exec(['mount', '-t', 'tmpfs', 'tmpfs', one]);
        return machine;
      },
      dump,
      plantForeign,
      damages: {},
    });
  });
});
