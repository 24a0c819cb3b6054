/**
 * The agent is killed at a random moment of a burst of requests: what it said yes to is true after
 * the restart, and journal and machine agree in everything else.
 *
 * AR_EXEC_CRASH_ROUNDS: rounds for each facility (1). AR_EXEC_CRASH_SEED: another row of moments.
 */
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { requires } from '../requirements.ts';
import { createEndpoint, type Endpoint } from './endpoint.ts';
import { facilities } from './facilities.ts';

const burst = 2_000;
const longestMoreMs = 40;
const rounds = Number(process.env['AR_EXEC_CRASH_ROUNDS'] ?? 1);
const seed = Number(process.env['AR_EXEC_CRASH_SEED'] ?? 1);

const addresses = Array.from({ length: burst }, (_, index) =>
  index % 4 === 3 ? `2001:db8::${index.toString(16)}` : `10.9.${index >> 8}.${index & 255}`,
);

/** A fraction of a burst, the same for the same seed. */
function fraction(...seeds: readonly number[]): number {
  return createHash('sha256').update(seeds.join(' ')).digest().readUInt16BE() / 2 ** 16;
}

/** What acts on one thing at a time has no batch that could be cut in two. */
const batching = facilities.filter(({ targets, slow }) => targets === undefined && slow !== true);

for (const [place, facility] of batching.entries()) {
  const { response, foreign } = facility;
  const request = (command: string) => (srcip: string) => ({ command, response, srcip });

  requires(
    'root',
    'namespaces',
    'ip',
    ...facility.needs,
  )(facility.name, () => {
    const pairs = Array.from({ length: rounds }, (_, round) => [
      fraction(seed, place, round, 1),
      fraction(seed, place, round, 2),
    ]);

    /** What reaches a tool in part can be half a line: the address of somebody else. */
    test('a batch reaches its tool whole or not at all', async () => {
      const endpoint = await createEndpoint(facility);
      try {
        const planted = await endpoint.dump();
        // As long as addresses get.
        const long = addresses.map((_, index) => `2001:db8:${'1234:'.repeat(5)}${index + 4_096}`);
        const target = long[0] ?? '';
        await endpoint.startDoomed({ during: 'add', at: 'tool-begins', target });
        await endpoint.askAll(long.map(request('add')));
        await endpoint.death();
        await endpoint.calm();
        const intended = endpoint.journal().length;
        expect(intended).toBeGreaterThan(100);
        expect([0, intended]).toContain((await endpoint.found()).length);
        expect(foreign(await endpoint.dump())).toBe(foreign(planted));
      } finally {
        await endpoint.close();
      }
    });

    describe('a burst', () => {
      test.each(pairs)(
        'of additions cut at %d, of deletions at %d',
        async (first = 0, second = 0) => {
          const endpoint = await createEndpoint(facility);
          try {
            const planted = await endpoint.dump();
            await endpoint.start();
            const added = await cut(endpoint, addresses.map(request('add')), first);
            await endpoint.start();
            const held = await agreed(endpoint);
            expect(added.filter((srcip) => !held.has(srcip))).toEqual([]);

            const removed = await cut(endpoint, [...held].map(request('delete')), second);
            await endpoint.start();
            const left = await agreed(endpoint);
            expect(removed.filter((srcip) => left.has(srcip))).toEqual([]);
            expect(foreign(await endpoint.dump())).toBe(foreign(planted));

            const replies = await endpoint.askAll([...left].map(request('delete')));
            expect([...replies.values()].filter(({ ok }) => !ok)).toEqual([]);
            await endpoint.stop();
            expect(await endpoint.dump()).toBe(planted);
            const states = new Set(endpoint.journal().map(({ state }) => state));
            expect([...states]).toEqual(['reverted']);
          } finally {
            await endpoint.close();
          }
        },
      );
    });
  });
}

/**
 * Kills the agent a few milliseconds after that part of the replies is there: replies come a batch at
 * a time, and the next batch is then in work. Returns what it said yes to.
 */
async function cut(
  endpoint: Endpoint,
  requests: readonly { readonly srcip: string }[],
  part: number,
): Promise<string[]> {
  let seen = 0;
  let timer: NodeJS.Timeout | undefined;
  const enough = Math.floor(requests.length * part);
  const moreMs = Math.floor(part * 2 ** 16) % longestMoreMs;
  const replies = await endpoint.askAll(requests, () => {
    seen += 1;
    if (seen === enough) timer = setTimeout(() => void endpoint.kill(), moreMs);
  });
  clearTimeout(timer);
  await endpoint.kill();
  return requests.flatMap(({ srcip }, id) => (replies.get(id)?.ok === true ? srcip : []));
}

/** What journal and machine both hold; every effect stands once. */
async function agreed(endpoint: Endpoint): Promise<Set<string>> {
  const actions = await endpoint.list();
  const effects = await endpoint.found();
  expect(new Set(actions.map(({ state }) => state)).isSubsetOf(new Set(['active']))).toBe(true);
  const held = actions.map(({ target }) => target);
  expect(effects.map(({ target }) => target.text).sort()).toEqual([...held].sort());
  return new Set(held);
}
