import { expect, test } from 'vitest';
import { readConfig } from '../../agent/config/read.ts';
import { knownNames } from '../../agent/settle/known-names.ts';
import { settle } from '../../agent/settle/settle.ts';
import type { Step } from '../../platform/step.ts';

test('drivers that share a facility have it asked once', async () => {
  const asked: Step[] = [];
  await settle(readConfig('<ar-exec/>', 'test', knownNames).config, {
    now: () => 0,
    system: 'linux',
    run: async (step) => {
      asked.push(step);
      return { failure: 'missing', stdout: '', stderr: '' };
    },
  });
  const texts = asked.map((step) => JSON.stringify(step));
  expect(texts).toContainEqual(expect.stringContaining('"nft"'));
  expect(texts).toEqual([...new Set(texts)]);
});
