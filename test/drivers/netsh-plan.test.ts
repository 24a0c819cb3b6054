/** How addresses get into rules and out of them: how many processes that is, and what is left when they are cut off. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Reading } from '../../platform/driver.ts';
import type { Runner } from '../../platform/step.ts';
import type { AddressTarget } from '../../platform/target.ts';
import { netsh } from '../../platform/windows/netsh.ts';
import { roomOfSlot } from '../../platform/windows/netsh-slots.ts';
import { addressSamples, effects, targets } from '../contract/driver-contract.ts';
import type { QuickMachine } from '../sim/quick-machine.ts';
import { createQuickWindows } from '../sim/windows.ts';
import { registryOf, rulesKey } from '../sim/windows-registry.ts';

const driver = netsh.make(netsh.defaults);
const many = (count: number): readonly AddressTarget[] => addressSamples(true).many(count);
const results = (carried: readonly { result: string }[]) => [
  ...new Set(carried.map(({ result }) => result)),
];
const ours = ({ parts }: QuickMachine): string[] =>
  Object.values(registryOf(parts)[rulesKey] ?? {}).flatMap(([, data]) =>
    data.includes('|Name=ar-exec-') ? [data] : [],
  );
/** What is blocked in both directions, half, or by mistake. */
const found = async (run: Runner) => {
  const reading: Reading<AddressTarget> = driver.inspect.read(
    await Promise.all(driver.inspect.steps.map(run)),
  );
  if (!reading.known) throw new Error(reading.why);
  const text = (one: { target: AddressTarget }): string => one.target.text;
  return {
    whole: reading.effects
      .filter(({ partial }) => partial !== true)
      .map(text)
      .sort(),
    half: reading.effects
      .filter(({ partial }) => partial === true)
      .map(text)
      .sort(),
  };
};
const changing = (ran: readonly string[]): string[] => ran.filter((line) => /^netsh/.test(line));
const texts = (all: readonly AddressTarget[]): string[] => all.map(({ text }) => text).sort();

describe('few processes', () => {
  test.each([
    [1, 2],
    [200, 2],
    [201, 1],
    [500, 1],
  ])('%d addresses are made by %d, and taken back by two at most', async (count, processes) => {
    const machine = createQuickWindows();
    const carrier = createCarrier(driver, machine.run);
    const all = many(count);
    expect(results(await carrier.apply(effects(all)))).toEqual(['done']);
    expect(changing(machine.ran)).toHaveLength(processes);
    expect(ours(machine)).toHaveLength(2 * Math.ceil(count / roomOfSlot));
    // A look before and a look after, of three questions.
    expect(machine.ran).toHaveLength(processes + 6);
    expect((await found(machine.run)).whole).toEqual(texts(all));
    const before = machine.ran.length;
    expect(results(await carrier.revert(effects(all)))).toEqual(['done']);
    expect(changing(machine.ran.slice(before)).length).toBeLessThanOrEqual(2);
    expect(ours(machine)).toEqual([]);
  });

  test('addresses that come a few at a time fill rule after rule', async () => {
    const machine = createQuickWindows();
    const carrier = createCarrier(driver, machine.run);
    const all = many(450);
    for (let start = 0; start < all.length; start += 30) {
      await carrier.apply(effects(all.slice(start, start + 30)));
    }
    expect((await found(machine.run)).whole).toEqual(texts(all));
    expect(ours(machine)).toHaveLength(2 * Math.ceil(450 / (roomOfSlot - (roomOfSlot % 30))));
  });

  test('a rule never has more addresses than it has room for, and no line is too long', async () => {
    const longest = targets(
      Array.from(
        { length: 450 },
        (_, index) => `2001:db8:aaaa:bbbb:cccc:dddd:eeee:${(index + 4_096).toString(16)}`,
      ),
    );
    const machine = createQuickWindows();
    const carrier = createCarrier(driver, machine.run);
    await carrier.apply(effects(longest.slice(0, 199)));
    await carrier.apply(effects(longest.slice(199, 200)));
    await carrier.apply(effects(longest.slice(200)));
    for (const rule of ours(machine)) {
      expect(rule.match(/\|RA[46]=/g)?.length).toBeLessThanOrEqual(roomOfSlot);
    }
    expect(Math.max(...machine.ran.map((line) => line.length))).toBeLessThan(32_767 / 3);
    expect((await found(machine.run)).whole).toHaveLength(450);
  });
});

describe('what is cut off', () => {
  /** Every word that is typed, at the end of any letter: the pipe of an agent that is killed. */
  test('half a line does nothing, wherever it ends', { timeout: 30_000 }, async () => {
    const all = many(410);
    const [step] = driver.apply(effects(all));
    if (step?.kind !== 'command' || step.stdin === undefined) throw new Error('not typed');
    const { length } = step.stdin;
    const wanted = new Set(texts(all));
    const places = [...Array.from({ length: 24 }, (_, index) => length - index), 1, 90, 150];
    for (let at = 7; at < length; at += 997) places.push(at);
    for (const reads of places) {
      const machine = createQuickWindows({ reads });
      await machine.run(step);
      const { whole, half } = await found(machine.run);
      for (const text of [...whole, ...half]) expect(wanted.has(text), text).toBe(true);
      expect(ours(machine).every((data) => /\|RA[46]=/.test(data))).toBe(true);
    }
  });

  test('of rules that are to go only those go that were named in full', {
    timeout: 30_000,
  }, async () => {
    const all = many(600);
    const machine = createQuickWindows();
    const carrier = createCarrier(driver, machine.run);
    await carrier.apply(effects(all));
    const plan = await carrier.planner();
    if ('failure' in plan) throw new Error(plan.why);
    const [step] = plan.revert(effects(all));
    if (step?.kind !== 'command' || step.stdin === undefined) throw new Error('not typed');
    const before = JSON.stringify(machine.parts);
    for (let reads = 0; reads <= step.stdin.length; reads += 1) {
      Object.assign(machine.parts, JSON.parse(before));
      machine.switches = { reads };
      await machine.run(step);
      const lines = step.stdin.slice(0, reads).split('\r\n');
      const named = lines.filter((line) => /name=ar-exec-\d{4}\r?$/.test(line)).length;
      expect(ours(machine)).toHaveLength(6 - 2 * named);
    }
  });

  test('any number of commands that were done leave what a next agent puts right', async () => {
    const [first, second, third] = [many(30), many(33), many(31)];
    for (let done = 0; done < 8; done += 1) {
      const machine = createQuickWindows();
      let left = done;
      const dying: Runner = async (step) => {
        if (step.kind === 'command' && step.tool === 'netsh') {
          if (left === 0) return { failure: 'timeout', stdout: '', stderr: 'killed' };
          left -= 1;
        }
        return machine.run(step);
      };
      const dead = createCarrier(driver, dying);
      await dead.apply(effects(first));
      await dead.apply(effects(second));
      await dead.revert(effects(second.slice(20)));
      const next = createCarrier(driver, machine.run);
      expect(results(await next.apply(effects(third)))).toEqual(['done']);
      const { whole, half } = await found(machine.run);
      expect(
        results(
          await next.revert(
            effects(
              targets([...whole, ...half]).filter(
                (one) => !third.some(({ text }) => text === one.text),
              ),
            ),
          ),
        ),
      ).toEqual(done === 0 ? [] : expect.anything());
      expect(await found(machine.run)).toEqual({ whole: texts(third), half: [] });
    }
  });
});

describe('lines that are too long for a netsh', () => {
  test.each([120, 511, 1_023, 2_047])(
    'of %d characters: all is blocked in the end, and nobody else',
    async (lineLimit) => {
      const machine = createQuickWindows({ lineLimit });
      const carrier = createCarrier(driver, machine.run);
      const all = many(500);
      expect(results(await carrier.apply(effects(all)))).toEqual(['done']);
      expect(await found(machine.run)).toEqual({ whole: texts(all), half: [] });
      expect(results(await carrier.revert(effects(all)))).toEqual(['done']);
      expect(ours(machine)).toEqual([]);
    },
  );
});

test('a status of the netsh that is typed to tells nothing', async () => {
  const machine = createQuickWindows({ consoleExit: 1 });
  const carrier = createCarrier(driver, machine.run);
  expect(results(await carrier.apply(effects(many(300))))).toEqual(['done']);
  expect(results(await carrier.revert(effects(many(300))))).toEqual(['done']);
});

test('an address that Windows does not take is alone', async () => {
  const machine = createQuickWindows({ language: 'de' });
  const carrier = createCarrier(driver, machine.run);
  const all = targets(['203.0.113.7', '127.0.0.9', '203.0.113.8']);
  const carried = await carrier.apply(effects(all));
  expect(carried).toMatchObject([
    { result: 'done' },
    {
      result: 'failed',
      // The first line of what netsh prints; its usage follows.
      why: 'netsh: exit 1: Eine angegebene IP-Adresse oder ein Adressschlüsselwort ist ungültig.',
    },
    { result: 'done' },
  ]);
  expect((await found(machine.run)).whole).toEqual(['203.0.113.7', '203.0.113.8']);
});

test('a rule of nothing would block everything, and cannot be planned', () => {
  const texts = fc.array(fc.constantFrom('203.0.113.7', '10.0.0.0/8', '2001:db8::7'));
  fc.assert(
    fc.property(texts, (some) => {
      for (const steps of [
        driver.apply(effects(targets(some))),
        driver.revert(effects(targets(some))),
      ]) {
        for (const step of steps)
          expect(JSON.stringify(step)).not.toMatch(/remoteip=(["\s,\\]|any)/);
      }
    }),
  );
});

/** Whatever happens to our rules, whoever does it: what is wanted stands in the end, and nothing besides. */
test('any changes by others are put right', { timeout: 60_000 }, async () => {
  const pool = texts(many(12));
  const changes = fc.constantFrom(
    ['delete', 'rule', 'name=%'],
    ['delete', 'rule', 'name=%', 'dir=in'],
    ['set', 'rule', 'name=%', 'new', 'enable=no'],
    ['set', 'rule', 'name=%', 'dir=out', 'new', 'action=allow'],
    ['set', 'rule', 'name=%', 'dir=in', 'new', 'remoteip=any'],
    ['set', 'rule', 'name=%', 'new', 'profile=domain,private'],
    ['set', 'rule', 'name=%', 'dir=out', 'new', `remoteip=${pool[0]},${pool[1]}`],
    ['set', 'rule', 'name=%', 'dir=in', 'new', 'name=ar-exec-0777'],
    ['add', 'rule', 'name=%', 'dir=in', 'action=block', `remoteip=${pool[2]},198.51.100.9`],
    ['add', 'rule', 'name=ar-exec-0500', 'dir=out', 'action=block', `remoteip=${pool[3]}`],
  );
  const wish = fc.record({
    block: fc.subarray(pool),
    change: fc.array(changes, { maxLength: 3 }),
    want: fc.subarray(pool),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(wish, { minLength: 1, maxLength: 3 }), async (wishes) => {
      const machine = createQuickWindows({ language: 'de' });
      const carrier = createCarrier(driver, machine.run);
      for (const { block, change, want } of wishes) {
        await carrier.apply(effects(targets(block)));
        for (const words of change) {
          const [rule = ''] = ours(machine);
          const name = /\|Name=([^|]*)/.exec(rule)?.[1] ?? 'ar-exec-0001';
          machine.call([
            'netsh',
            'advfirewall',
            'firewall',
            ...words.map((word) => word.replace('%', name)),
          ]);
        }
        // As a comparison with the journal does it.
        const { whole, half } = await found(machine.run);
        const missing = want.filter((text) => !whole.includes(text));
        expect(results(await carrier.apply(effects(targets(missing))))).toEqual(
          missing.length > 0 ? ['done'] : [],
        );
        const surplus = [...whole, ...half].filter((text) => !want.includes(text));
        expect(results(await carrier.revert(effects(targets(surplus))))).toEqual(
          surplus.length > 0 ? ['done'] : [],
        );
        expect(await found(machine.run)).toEqual({ whole: want.toSorted(), half: [] });
        if (missing.length + surplus.length > 0) {
          expect(ours(machine).filter((data) => !/\|RA[46]=/.test(data))).toEqual([]);
        }
      }
    }),
    { numRuns: 60 },
  );
});
