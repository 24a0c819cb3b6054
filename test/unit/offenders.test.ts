import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDesk } from '../../agent/desk/desk.ts';
import { carryOut } from '../../agent/desk/next-driver.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { ArError } from '../../agent/errors.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import { escalationOf, mergeEscalations } from '../../agent/policy/offenders.ts';
import { responses } from '../../agent/policy/responses.ts';
import type { Escalation, Order, Request } from '../../agent/words.ts';
import { nftables } from '../../platform/linux/nftables.ts';
import { instance, order, target } from './sample.ts';

const minute = 60_000;
const start = 1_000_000;
const a = '203.0.113.7';
const b = '203.0.113.8';
const origin = { dialect: 'wazuh4' } as const;
const escalation: Escalation = {
  steps: [60, 120, 180],
  forgetAfterMs: 60 * minute,
  offender: a,
  messages: 1,
};
let folder: string;
let journal: Journal;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ar-exec-offenders-'));
  journal = openJournal(folder);
});
afterEach(async () => {
  journal.close();
  await rm(folder, { recursive: true });
});

/** One more message for `who`; returns the seconds after which its block ends. */
function offend(now: number, who = a, more: Partial<Order> = {}): number | undefined {
  const wish = order('add', who, {
    timeoutSeconds: 600,
    escalation: { ...escalation, offender: who },
    ...more,
  });
  const [intent] = journal.intend([wish], now);
  if (intent === undefined || !('action' in intent)) throw new Error('it came to nothing');
  journal.settle([{ id: intent.action.id, state: 'active' }], now);
  const { deadlineAt } = intent.action;
  return deadlineAt === undefined ? undefined : (deadlineAt - now) / 1_000;
}

/** Ends the block of `who`, so that the next one starts anew. */
function end(now: number, who = a): void {
  const held = journal.holder('firewall-drop', who);
  if (held !== undefined) journal.settle([{ id: held.id, state: 'reverted' }], now);
}

describe('offences', () => {
  test('go up the steps, and stay on the last', () => {
    const seconds = [0, 1, 2, 3, 4].map((number) => {
      const now = start + number * minute;
      const held = offend(now);
      end(now);
      return held;
    });
    expect(seconds).toEqual([600, 60, 120, 180, 180]);
    expect(journal.offencesOf('firewall-drop', a)).toBe(5);
  });

  test('count while the block is live, and never shorten it', () => {
    expect(offend(start)).toBe(600);
    expect(offend(start + minute)).toBe(540);
    expect(offend(start + 9 * minute)).toBe(120);
    expect(offend(start + 9.5 * minute)).toBe(180);
  });

  test('are those of one target and one response', () => {
    offend(start);
    expect(offend(start, b)).toBe(600);
    expect(offend(start, a, { response: 'host-deny' })).toBe(600);
    expect(journal.offencesOf('firewall-drop', b)).toBe(1);
  });

  test('survive a restart', () => {
    offend(start);
    end(start);
    journal.close();
    journal = openJournal(folder);
    expect(offend(start + minute)).toBe(60);
  });

  test('are forgotten after a quiet time, counted from the last', () => {
    offend(start);
    offend(start + 50 * minute);
    end(start);
    expect(offend(start + 100 * minute)).toBe(120);
    end(start);
    expect(offend(start + 160 * minute)).toBe(600);
  });

  test('of a target that nobody heard of are thrown away', () => {
    offend(start);
    offend(start + minute, b);
    journal.forgetOffences(start + minute);
    expect(journal.offencesOf('firewall-drop', a)).toBe(0);
    expect(journal.offencesOf('firewall-drop', b)).toBe(1);
  });

  test('do not end sooner or later because the wall clock was set', () => {
    offend(start);
    end(start);
    journal.shiftDeadlines(1_000 * minute);
    expect(offend(start + 1_001 * minute)).toBe(60);
  });

  test('that could not be written down are not counted', () => {
    const bad = order('add', b, { escalation, timeoutSeconds: 5, facts: 1n as never });
    const good = order('add', a, { escalation, timeoutSeconds: 600 });
    expect(() => journal.intend([good, bad], start)).toThrow('BigInt');
    expect(journal.offencesOf('firewall-drop', a)).toBe(0);
    expect(journal.liveCount()).toBe(0);
  });

  test('of messages that came together count one each, and the longest of their times is taken', () => {
    const together = { escalation: { ...escalation, messages: 3 } };
    expect(offend(start, a, together)).toBe(600);
    end(start);
    expect(journal.offencesOf('firewall-drop', a)).toBe(3);
    expect(offend(start + minute)).toBe(180);
  });

  test('whose driver failed are not counted again with the next driver', async () => {
    const other = { driver: 'ipset', settings: {} };
    const asked: Order[] = [];
    const ways = {
      journal,
      report: { outcome: () => {}, trouble: () => {} },
      isStopping: () => false,
      onNext: () => {},
      deskOf: (of: { driver: string }) =>
        ({
          carryOut: async (one: Order) => {
            asked.push(one);
            const [intent] = journal.intend([one], start);
            if (intent?.kind !== 'apply') throw new Error('nothing to do');
            if (of.driver === other.driver) return { kind: 'active', action: intent.action };
            journal.settle([{ id: intent.action.id, state: 'failed' }], start);
            throw new ArError('driver-failed', 'no', 'no');
          },
        }) as never,
    };
    const wish = order('add', a, { escalation, timeoutSeconds: 600 });
    for (const seconds of [600, 60, 120]) {
      const outcome = await carryOut(ways, wish, [other]);
      expect(outcome).toMatchObject({ action: { deadlineAt: start + seconds * 1_000 } });
      end(start);
    }
    expect(journal.offencesOf('firewall-drop', a)).toBe(3);
    expect(asked).toHaveLength(6);
  });
});

test('a desk counts messages that it merges one by one', async () => {
  let now = start;
  const desk = createDesk(
    {
      journal,
      clock: { now: () => now },
      report: { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} },
      limits: { pendingRequests: 100 },
      carrier: () =>
        createCarrier(nftables.make(nftables.defaults), async () => ({
          exitCode: 0,
          stdout: '{"nftables":[]}',
          stderr: '',
        })),
      responseOf: () => 'firewall-drop',
    },
    instance,
  );
  const wish = order('add', a, { origin, escalation, timeoutSeconds: 1 });
  const person = order('add', a, { timeoutSeconds: 1 });
  await Promise.all([wish, wish, person, wish].map((one) => desk.carryOut(one)));
  expect(journal.offencesOf('firewall-drop', a)).toBe(3);
  expect(journal.holder('firewall-drop', a)?.deadlineAt).toBe(start + 120_000);
  now += minute;
  await desk.carryOut(wish);
  expect(journal.holder('firewall-drop', a)?.deadlineAt).toBe(start + 60_000 + 180_000);
  await desk.stop(false);
});

/** Any messages, at any distance, for two targets: against a model of a few lines. */
test('whatever comes in whatever order, the steps are as said', () => {
  const message = fc.record({
    who: fc.constantFrom(a, b),
    after: fc.integer({ min: 0, max: 90 }),
    own: fc.integer({ min: 1, max: 1_000 }),
    together: fc.integer({ min: 1, max: 6 }),
    over: fc.boolean(),
  });
  const steps = fc.array(fc.integer({ min: 1, max: 1_000 }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(steps, fc.array(message, { maxLength: 15 }), (given, messages) => {
      const fresh = openJournal(':memory:');
      const seen = new Map<string, { count: number; at: number; until: number }>();
      let now = start;
      for (const { who, after, own, together, over } of messages) {
        now += after * minute;
        const live = fresh.holder('firewall-drop', who);
        if (over && live !== undefined) {
          fresh.settle([{ id: live.id, state: 'reverted' }], now);
        }
        const last = seen.get(who);
        let count = last === undefined || now - last.at >= 60 * minute ? 0 : last.count;
        let until = over || last === undefined ? 0 : last.until;
        for (let one = 0; one < together; one += 1) {
          count += 1;
          const seconds = count === 1 ? own : (given[Math.min(count - 2, given.length - 1)] ?? 0);
          until = Math.max(until, now + seconds * 1_000);
        }
        seen.set(who, { count, at: now, until });
        const wish = order('add', who, {
          timeoutSeconds: own,
          escalation: { ...escalation, steps: given, offender: who, messages: together },
        });
        const [intent] = fresh.intend([wish], now);
        if (intent?.kind === 'apply') {
          fresh.settle([{ id: intent.action.id, state: 'active' }], now);
        }
        expect(fresh.holder('firewall-drop', who)?.deadlineAt).toBe(until);
        expect(fresh.offencesOf('firewall-drop', who)).toBe(count);
      }
      fresh.close();
    }),
    { numRuns: 200 },
  );
});

describe('what counts as an offence', () => {
  const [definition] = responses;
  if (definition === undefined) throw new Error('there is no response');
  const request: Request = { verb: 'add', response: 'firewall-drop', timeoutSeconds: 600, origin };
  const repetition = { repeatedOffenderSeconds: [60, 120], repeatedOffendersForgetSeconds: 3_600 };
  const of = (more: Partial<Request>, stateful = true, given = repetition) =>
    escalationOf(
      { ...request, ...more },
      { definition: { ...definition, stateful }, target: target(a) },
      given,
    );

  test.each(['ossec', 'wazuh4', 'wazuh5', 'alert'] as const)('what %s asks for', (dialect) => {
    expect(of({ origin: { dialect } })).toEqual({
      steps: [60, 120],
      forgetAfterMs: 3_600_000,
      offender: a,
      messages: 1,
    });
  });

  test('nothing that has no end, is done once, is deleted, or that a person asks for', () => {
    expect(of({ timeoutSeconds: undefined })).toBeUndefined();
    expect(of({}, false)).toBeUndefined();
    expect(of({ verb: 'delete' })).toBeUndefined();
    expect(of({ origin: { dialect: 'native' } })).toBeUndefined();
  });

  test("nothing that a manager's own execd counts", () => {
    expect(of({ logged: true })).toBeUndefined();
  });

  test('nothing where no steps are configured', () => {
    expect(of({}, true, { ...repetition, repeatedOffenderSeconds: [] })).toBeUndefined();
  });

  test('orders are one only if both count, or neither does', () => {
    expect(mergeEscalations(undefined, undefined)).toEqual({ escalation: undefined });
    expect(mergeEscalations(escalation, undefined)).toBeUndefined();
    expect(mergeEscalations(undefined, escalation)).toBeUndefined();
    expect(mergeEscalations(escalation, { ...escalation, counted: true })).toBeUndefined();
    expect(mergeEscalations(escalation, { ...escalation, messages: 2 })).toEqual({
      escalation: { ...escalation, messages: 3 },
    });
  });
});
