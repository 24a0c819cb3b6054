import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { groupId } from '../../agent/system/folders.ts';
import type { Runner, Step } from '../../platform/step.ts';

const refuse: Runner = async () => {
  throw new Error('nothing is to be asked');
};

test('a group is found in /etc/group', async () => {
  const [name = '', , id] = readFileSync('/etc/group', 'utf8').split('\n', 1)[0]?.split(':') ?? [];
  expect(await groupId(name, 'linux', refuse)).toBe(Number(id));
  expect(await groupId('no-such-group', 'openbsd', refuse)).toBeUndefined();
});

test.each([
  ['that is there', 'name: ar-exec\npassword: *\ngid: 701\nusers: root\n', 701],
  ['that is not there', '', undefined],
])('on macOS the directory is asked for one %s', async (_, stdout, expected) => {
  const asked: Step[] = [];
  const run: Runner = async (step) => {
    asked.push(step);
    return { stdout, stderr: '' };
  };
  expect(await groupId('ar-exec', 'darwin', run)).toBe(expected);
  expect(asked).toMatchObject([
    { tool: 'dscacheutil', args: ['-q', 'group', '-a', 'name', 'ar-exec'] },
  ]);
});
