import { expect, test } from 'vitest';
import type { Reporter } from '../../agent/desk/desk.ts';
import { startLookout } from '../../agent/lookout.ts';
import { createGuard, type Protected } from '../../agent/policy/guard.ts';
import type { Request } from '../../agent/words.ts';
import { action, target } from './sample.ts';

const guard = createGuard({ neverBlock: [], widestPrefix: { 4: 16, 6: 32 } });

/** A lookout over what is held, with a machine whose essentials are these. */
function setUp(
  held: readonly string[],
  scripts: Record<string, boolean | undefined> = {},
  commands: readonly object[] = [],
) {
  const state = { essentials: [] as Protected[], held: [...held] };
  const deleted: Request[] = [];
  const released: string[] = [];
  const named = Object.entries(scripts).map(([response]) => ({
    response,
    kind: 'named' as const,
    target: `key of ${response}`,
    srcip: '192.0.2.9',
  }));
  const composed = {
    flow: {
      accept: async (request: Request) => {
        deleted.push(request);
        state.held = state.held.filter((one) => one !== request.srcip);
      },
    },
    journal: {
      liveCount: () => state.held.length + named.length,
      holder: () => action('203.0.113.7'),
      heldTargets: () => [
        ...state.held.map((text) => ({
          response: 'firewall-drop',
          kind: 'address' as const,
          target: text,
          srcip: null,
        })),
        ...named,
      ],
    },
    settled: () => ({
      guard,
      essentials: () => state.essentials,
      config: {
        commands,
        scripts: new Map(Object.entries(scripts).map(([name, value]) => [name, { guard: value }])),
      },
    }),
    breaker: { state: () => {} },
  } as unknown as Parameters<typeof startLookout>[0]['composed'];
  const lookout = startLookout({
    composed,
    report: { released: (_: unknown, what: string) => released.push(what) } as unknown as Reporter,
    onTrouble: (error) => {
      throw error;
    },
    system: 'linux',
  });
  lookout.stop();
  return { state, deleted, released, look: lookout.look };
}

const essential = (text: string, what: string): Protected => ({ target: target(text), what });

test.each([
  'an address of this machine',
  'the default gateway',
  'a resolver of this machine',
  'the manager',
])('what becomes %s is let go, and nothing else', async (what) => {
  const { state, deleted, released, look } = setUp(['192.0.2.1', '192.0.2.9', '192.0.2.8/29']);
  await look();
  expect(deleted).toEqual([]);
  state.essentials = [essential('192.0.2.9', what)];
  await look();
  expect(deleted).toMatchObject([
    { verb: 'delete', response: 'firewall-drop', srcip: '192.0.2.9' },
    { verb: 'delete', response: 'firewall-drop', srcip: '192.0.2.8/29' },
  ]);
  expect(released).toEqual(Array(2).fill(`192.0.2.9 is ${what}`));
});

test('a script that was run for it is run to take it back, unless it only tells', async () => {
  const { state, deleted, look } = setUp([], { 'block.sh': true, 'tell.sh': false });
  state.essentials = [essential('192.0.2.9', 'the default gateway')];
  await look();
  expect(deleted).toMatchObject([{ response: 'block.sh', key: 'key of block.sh' }]);
});

test('what its command says of a script counts where its declaration says nothing', async () => {
  const scripts = { 'block.sh': undefined, 'notify.sh': undefined, 'restart.sh': true };
  const { state, deleted, look } = setUp([], scripts, [
    { executable: 'block.sh', statesExpect: true, expect: ['srcip'] },
    { executable: 'notify.sh', statesExpect: true, expect: [] },
    { executable: 'restart.sh', statesExpect: true, expect: ['user'] },
  ]);
  state.essentials = [essential('192.0.2.9', 'the default gateway')];
  await look();
  expect(deleted.map(({ response }) => response)).toEqual(['block.sh', 'restart.sh']);
});

test('what was let through before the change and written down after it is found too', async () => {
  const { state, deleted, look } = setUp(['192.0.2.1']);
  state.essentials = [essential('192.0.2.9', 'the default gateway')];
  await look();
  state.held.push('192.0.2.9');
  await look();
  expect(deleted).toMatchObject([{ srcip: '192.0.2.9' }]);
});
