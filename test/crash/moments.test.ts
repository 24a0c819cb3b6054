/**
 * The agent is killed at every step of its work and started again: then journal and machine agree,
 * nothing is lost, doubled or left over, and what is not ours was not touched.
 */
import { describe, expect, test } from 'vitest';
import { requires } from '../requirements.ts';
import { createEndpoint, type Endpoint } from './endpoint.ts';
import { type Facility, facilities } from './facilities.ts';
import {
  type Moment,
  moments,
  momentsOfExpiry,
  momentsOfRecovery,
  momentsWithoutTool,
} from './moments.ts';

/** The bystanders are held all the time, with an end and without; a prefix, where any are taken. */
const targetsOf = ({ kind, targets }: Facility) => {
  const { prefixes } = kind.make(kind.defaults).traits;
  const bystanders = [prefixes ? '198.51.100.0/24' : '198.51.100.1', '2001:db8::7'] as const;
  return targets ?? { member: 'srcip', target: '203.0.113.7', bystanders };
};

for (const facility of facilities) {
  const { response } = facility;
  const { member, target } = targetsOf(facility);
  const { selfExpiring, sharesPlace } = facility.kind.make(facility.settings('')).traits;
  // Who looks before it acts finds that the kernel was first, and needs no tool.
  const expiry = momentsOfExpiry.filter(
    (moment) => !(selfExpiring && sharesPlace === true && moment === 'tool-begins'),
  );
  const add = { command: 'add', response, [member]: target, timeoutSeconds: 600 };
  const again = { ...add, timeoutSeconds: 1_200 };
  const brief = { ...add, timeoutSeconds: 1 };
  const remove = { command: 'delete', response, [member]: target };
  const at = (moment: Moment, during: 'add' | 'delete' | 'recovery') => ({
    during,
    at: moment,
    target,
  });

  requires(
    'root',
    'namespaces',
    'ip',
    ...facility.needs,
  )(facility.name, () => {
    describe.concurrent('killed', { timeout: facility.slow ? 240_000 : 60_000 }, () => {
      test.each(moments)('while it adds, %s', async (moment) => {
        await tried(facility, async (endpoint) => {
          await endpoint.startDoomed(at(moment, 'add'));
          await hold(endpoint, facility);
          expect(await endpoint.ask(add)).toBeUndefined();
          await endpoint.death();
          await endpoint.start();
          await holds(endpoint, facility, moment === 'before-intent' ? undefined : 600);
        });
      });

      test.each(selfExpiring ? moments : momentsWithoutTool)(
        'while it adds again for longer, %s',
        async (moment) => {
          await tried(facility, async (endpoint) => {
            await endpoint.startDoomed({ ...at(moment, 'add'), after: 1 });
            await hold(endpoint, facility);
            expect(await endpoint.ask(add)).toMatchObject({ ok: true });
            expect(await endpoint.ask(again)).toBeUndefined();
            await endpoint.death();
            await endpoint.start();
            await holds(endpoint, facility, moment === 'before-intent' ? 600 : 1_200);
          });
        },
      );

      test.each(moments)('while it deletes, %s', async (moment) => {
        await tried(facility, async (endpoint) => {
          await endpoint.startDoomed(at(moment, 'delete'));
          await hold(endpoint, facility);
          expect(await endpoint.ask(add)).toMatchObject({ ok: true });
          expect(await endpoint.ask(remove)).toBeUndefined();
          await endpoint.death();
          await endpoint.start();
          await holds(endpoint, facility, moment === 'before-intent' ? 600 : undefined);
        });
      });

      // The same road as a deletion, begun by the agent itself.
      test.each(expiry)('while it takes back what is due, %s', async (moment) => {
        await tried(facility, async (endpoint) => {
          await endpoint.startDoomed(at(moment, 'delete'));
          await hold(endpoint, facility);
          expect(await endpoint.ask(brief)).toMatchObject({ ok: true });
          await endpoint.death();
          await endpoint.start();
          await holds(endpoint, facility, undefined);
        });
      });

      test('and dead while a deadline passes', async () => {
        await tried(facility, async (endpoint) => {
          await endpoint.start();
          await hold(endpoint, facility);
          const reply = await endpoint.ask(brief);
          await endpoint.kill();
          const left = Date.parse(reply?.until ?? '') - Date.now();
          await new Promise((resolve) => setTimeout(resolve, left + 1));
          await endpoint.start();
          await holds(endpoint, facility, undefined);
        });
      });

      test.each(momentsOfRecovery)('while it recovers an addition, %s', async (moment) => {
        await tried(facility, async (endpoint) => {
          await endpoint.startDoomed(at('after-intent', 'add'));
          await hold(endpoint, facility);
          await endpoint.ask(add);
          await endpoint.death();
          await endpoint.startDoomed(at(moment, 'recovery'));
          await endpoint.death();
          await endpoint.start();
          await holds(endpoint, facility, 600);
        });
      });

      test.each(momentsOfRecovery)('while it recovers a deletion, %s', async (moment) => {
        await tried(facility, async (endpoint) => {
          await endpoint.startDoomed(at('after-intent', 'delete'));
          await hold(endpoint, facility);
          await endpoint.ask(add);
          await endpoint.ask(remove);
          await endpoint.death();
          await endpoint.startDoomed(at(moment, 'recovery'));
          await endpoint.death();
          await endpoint.start();
          await holds(endpoint, facility, undefined);
        });
      });
    });
  });

  async function tried(
    { foreign }: Facility,
    scenario: (endpoint: Endpoint) => Promise<void>,
  ): Promise<void> {
    const endpoint = await createEndpoint(facility);
    try {
      const planted = await endpoint.dump();
      await scenario(endpoint);
      expect(foreign(await endpoint.dump())).toBe(foreign(planted));
      await leavesNothing(endpoint);
      expect(await endpoint.dump()).toBe(planted);
    } finally {
      await endpoint.close();
    }
  }

  /** Deletes all that is held, and stops the agent: no trace of it is left, and no open action. */
  async function leavesNothing(endpoint: Endpoint): Promise<void> {
    const held = await endpoint.list();
    for (const one of held) {
      const request = { ...remove, [member]: one.target };
      expect(await endpoint.ask(request)).toMatchObject({ ok: true });
    }
    await endpoint.stop();
    const entries = endpoint.journal();
    expect(entries.map(({ state }) => state)).toEqual(entries.map(() => 'reverted'));
    const targets = entries.map((entry) => entry.target);
    expect(targets, 'one action for each request').toEqual([...new Set(targets)]);
  }
}

/** Holds the bystanders. */
async function hold(endpoint: Endpoint, facility: Facility): Promise<void> {
  const { member, bystanders } = targetsOf(facility);
  const [first, second] = bystanders;
  const add = { command: 'add', response: facility.response };
  const replies = [
    await endpoint.ask({ ...add, [member]: first, timeoutSeconds: 3_600 }),
    await endpoint.ask({ ...add, [member]: second }),
  ];
  expect(replies).toMatchObject([{ ok: true }, { ok: true }]);
}

/** The bystanders and, if it is to end in so many seconds, the target stand, each of them once. */
async function holds(
  endpoint: Endpoint,
  facility: Facility,
  seconds: number | undefined,
): Promise<void> {
  const { target, bystanders } = targetsOf(facility);
  const wanted = new Map<string, number | undefined>([
    [bystanders[0], 3_600],
    [bystanders[1], undefined],
    ...(seconds === undefined ? [] : [[target, seconds] as const]),
  ]);
  const actions = await endpoint.list();
  expect(Object.fromEntries(actions.map((one) => [one.target, one.state]))).toEqual(
    Object.fromEntries([...wanted.keys()].map((text) => [text, 'active'])),
  );
  for (const { target: text, until } of actions) {
    isNear(until === null ? undefined : Date.parse(until) - Date.now(), wanted.get(text), facility);
  }
  const effects = await endpoint.found();
  expect(effects.map((one) => one.target.text).sort()).toEqual([...wanted.keys()].sort());
  for (const { target: text, expiresInMs } of effects) {
    if (expiresInMs !== undefined) isNear(expiresInMs, wanted.get(text.text), facility);
  }
}

function isNear(ms: number | undefined, seconds: number | undefined, { slow }: Facility): void {
  const late = slow === true ? 120 : 30;
  if (seconds === undefined) expect(ms).toBeUndefined();
  else expect(Math.abs((ms ?? 0) / 1_000 - seconds)).toBeLessThan(late);
}
