import { expect, test } from 'vitest';
import { type Plan, planEffect } from '../../agent/desk/plan.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { responses } from '../../agent/policy/responses.ts';
import type { Action, Request } from '../../agent/words.ts';
import { nftables } from '../../platform/linux/nftables.ts';
import { parseTarget } from '../../platform/target.ts';

const now = 1_795_270_756_000;
const origin = { dialect: 'native' } as const;
const [definition] = responses;
const target = parseTarget('203.0.113.7');
if (definition === undefined || target === undefined) throw new Error('nothing to plan with');

const instance = { driver: nftables.name, settings: nftables.defaults };
const carrier = createCarrier(nftables.make(nftables.defaults), async () => ({
  exitCode: 0,
  stdout: '{"nftables":[]}',
  stderr: '',
}));

/** Held for another ten minutes. */
const held: Action = {
  id: 1,
  response: definition.name,
  target,
  instance,
  state: 'active',
  createdAt: now,
  deadlineAt: now + 600_000,
  origin,
  preExisting: false,
  attempts: 0,
};

function plan(wish: Partial<Request>, holder?: Action): Promise<Plan> {
  const sources = {
    journal: { holder: () => holder },
    clock: { now: () => now },
    carrier,
    why: 'chosen for new ones',
  };
  const request: Request = { verb: 'add', response: definition?.name ?? '', origin, ...wish };
  if (definition === undefined || target === undefined) throw new Error('nothing to plan with');
  return planEffect(sources, request, { definition, target });
}

test('a new effect is planned with the driver that would be chosen, and says why', async () => {
  const { why, steps } = await plan({ timeoutSeconds: 60 });
  expect(why).toBe('chosen for new ones');
  expect(JSON.stringify(steps)).toContain('203.0.113.7 timeout 0d60000ms');
});

test('what is held is planned with the driver that holds it, and says so', async () => {
  const { why, steps } = await plan({ timeoutSeconds: 3_600 }, held);
  expect(why).toBe('nftables holds it');
  expect(JSON.stringify(steps)).toContain('203.0.113.7 timeout 0d3600000ms');
});

test.each([
  ['a shorter time', { timeoutSeconds: 60 }, held],
  ['the same time', { timeoutSeconds: 600 }, held],
  ['any time, when it has no end', { timeoutSeconds: 600 }, { ...held, deadlineAt: undefined }],
  ['no end, when it has none', {}, { ...held, deadlineAt: undefined }],
])('asking again for %s takes no step', async (_, wish, holder) => {
  expect(await plan(wish, holder)).toMatchObject({
    steps: [],
    why: expect.stringContaining('as long as that'),
  });
});

test.each([
  ['of what stood there before', {}, { ...held, preExisting: true }],
  ['that only forgets', { forget: true }, held],
])('a deletion %s takes no step', async (_, wish, holder) => {
  expect(await plan({ verb: 'delete', ...wish }, holder)).toMatchObject({ steps: [] });
});

test('a deletion takes back what is held, and nothing else', async () => {
  expect(JSON.stringify((await plan({ verb: 'delete' }, held)).steps)).toContain('delete element');
  expect(await plan({ verb: 'delete' })).toMatchObject({
    steps: [],
    why: 'nothing is held for it',
  });
});
