/**
 * What every driver promises, tried on a machine: a kernel namespace, or a simulator of a tool that
 * does not run here. A driver's own test calls `driverContract` and adds what is peculiar to it.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Carried } from '../../agent/engine/carried.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { DriverKind, Effect, Memory, Reading, Settings } from '../../platform/driver.ts';
import type { Runner, Step } from '../../platform/step.ts';
import { type AddressTarget, parseTarget, type Target } from '../../platform/target.ts';

/** A machine that a driver may do anything to. */
export interface Machine {
  readonly run: Runner;
  /** Does something as a person would, past the driver; rejects when it fails. */
  exec(argv: readonly string[], input?: string): Promise<string>;
  close(): Promise<void>;
}

/** What a driver is tried with. */
export interface Samples<T extends Target> {
  /** A few, no two of which are in each other's way. */
  readonly few: readonly T[];
  /** Any number of others. */
  many(count: number): readonly T[];
  /** Those whose spelling a tool could change. */
  readonly odd: readonly T[];
  /** How many are carried at once; absent: 500. Fewer, where each of them takes its time. */
  readonly bulk?: number;
  /** Some that lie within each other, and may not get in each other's way. */
  readonly nested?: readonly T[];
  /** Has them on the machine, for drivers that act on what has to be there first. */
  plant?(machine: Machine, all: readonly T[]): Promise<unknown>;
}

export interface DriverCase<T extends Target = AddressTarget> {
  readonly name: string;
  readonly kind: DriverKind<T>;
  /** Absent: addresses and prefixes. */
  readonly samples?: Samples<T>;
  readonly settings?: Settings;
  machine(): Promise<Machine>;
  /** The tools' own account of all they hold, ours and not ours, without what changes by itself. */
  dump(machine: Machine): Promise<string>;
  /** Puts things of somebody else beside ours. */
  plantForeign(machine: Machine): Promise<void>;
  /** Ways to break what effects stand in, by name. */
  readonly damages: Readonly<Record<string, (machine: Machine) => Promise<unknown>>>;
  /** Makes a standing effect stand a second time; left out where that cannot be. */
  readonly double?: (machine: Machine, target: T) => Promise<unknown>;
  /** An element that the tool itself refuses; left out where there is none. */
  readonly refused?: T;
  /** It sets up and fills in one go; see `Reading.rebuild`. */
  readonly rebuilds?: true;
  /** The tool is not told what goes, but what stays: it cannot refuse to take one element back. */
  readonly takesBackUnnamed?: true;
}

type Known = Extract<Reading, { known: true }>;

const minute = 60_000;

export function driverContract<T extends Target = AddressTarget>(it: DriverCase<T>): void {
  describe(it.name, () => {
    const driver = it.kind.make(it.settings ?? it.kind.defaults);
    const { selfExpiring, prefixes, longestExpiryMs } = driver.traits;
    const samples = it.samples ?? (addressSamples(prefixes) as unknown as Samples<T>);
    const { few: four, bulk = 500 } = samples;
    const [host] = four as [T];
    const containers = [...new Set(four.flatMap((target) => driver.container(target) ?? []))];
    let machine: Machine;

    let memories: Map<string, Memory>;

    beforeEach(async () => {
      machine = await it.machine();
      memories = new Map();
      await samples.plant?.(machine, [...four, ...samples.odd]);
    });
    afterEach(() => machine.close());

    const carrier = (run: Runner = machine.run) =>
      createCarrier(driver, run, (found) => {
        for (const { target, memory } of found) memories.set(target.text, memory);
      });
    /** With what the journal would remember of them. */
    const effects = (all: readonly T[], expiresInMs?: number): Effect<T>[] =>
      all.map((target) => {
        const memory = memories.get(target.text);
        return {
          target,
          ...(memory && { memory }),
          ...(expiresInMs === undefined ? {} : { expiresInMs }),
        };
      });
    const look = async (): Promise<Known> => known(await carrier().inspect());

    test('says that it can be used, and changes nothing by asking', async () => {
      await it.plantForeign(machine);
      const before = await it.dump(machine);
      const answers = [];
      for (const step of driver.probe.steps) answers.push(await machine.run(step));
      const families = host.kind === 'address' ? [4, 6] : [];
      expect(driver.probe.read(answers)).toMatchObject({ usable: true, families });
      await look();
      expect(await it.dump(machine)).toBe(before);
    });

    test('finds nothing on a machine that it never touched', async () => {
      const reading = await look();
      expect(reading.containers).toEqual([]);
      expect(reading.effects).toEqual([]);
      expect(reading.rebuild !== undefined).toBe(it.rebuilds === true);
    });

    test('sets up containers, and again without changing anything', async () => {
      const one = carrier();
      expect(await one.mend(await one.inspect(), containers)).toBeUndefined();
      const reading = await look();
      expect([...reading.containers].sort()).toEqual([...containers].sort());
      const before = await it.dump(machine);
      for (const step of reading.setup(containers)) {
        expect(await machine.run(step)).not.toHaveProperty('failure');
      }
      expect(await it.dump(machine)).toBe(before);
    });

    test('makes effects, lists them, takes them back', async () => {
      const one = carrier();
      expect(results(await one.apply(effects(four)))).toEqual(four.map(() => 'done'));
      expect(listed(await look())).toEqual(texts(four));
      expect(results(await one.revert(effects([host])))).toEqual(['done']);
      expect(listed(await look())).toEqual(texts(four.slice(1)));
      expect(results(await one.revert(effects(four.slice(1))))).toEqual(
        four.slice(1).map(() => 'done'),
      );
      expect(listed(await look())).toEqual([]);
    });

    test('leaves one effect where it is asked again for a standing one', async () => {
      const one = carrier();
      await one.apply(effects(four));
      const again = effects(four).map((effect) => ({ ...effect, standing: true }));
      expect(results(await one.apply(again))).toEqual(four.map(() => 'done'));
      expect(listed(await look())).toEqual(texts(four));
    });

    test('takes back what is not there', async () => {
      expect(results(await carrier().revert(effects(four)))).toEqual(four.map(() => 'done'));
      const one = carrier();
      await one.apply(effects([host]));
      expect(results(await one.revert(effects(four)))).toEqual(four.map(() => 'done'));
      expect(listed(await look())).toEqual([]);
    });

    test(`carries ${bulk} at once, there and back`, async () => {
      const many = samples.many(bulk);
      await samples.plant?.(machine, many);
      const one = carrier();
      expect(new Set(results(await one.apply(effects(many, 10 * minute))))).toEqual(
        new Set(['done']),
      );
      expect(listed(await look())).toEqual(texts(many));
      expect(new Set(results(await one.revert(effects(many))))).toEqual(new Set(['done']));
      expect(listed(await look())).toEqual([]);
    });

    test('reads back every spelling of an address', async () => {
      const { odd } = samples;
      const one = carrier();
      expect(results(await one.apply(effects(odd)))).toEqual(odd.map(() => 'done'));
      expect(listed(await look())).toEqual(texts(odd));
      await one.revert(effects(odd));
      expect(listed(await look())).toEqual([]);
    });

    when(samples.nested)('keeps apart what lies within each other', async () => {
      const nested = samples.nested ?? [];
      const one = carrier();
      expect(results(await one.apply(effects(nested)))).toEqual(nested.map(() => 'done'));
      expect(listed(await look())).toEqual(texts(nested));
      const middle = nested.slice(1, 2);
      expect(results(await one.revert(effects(middle)))).toEqual(['done']);
      expect(listed(await look())).toEqual(texts(nested.filter((one) => one !== middle[0])));
    });

    test('loses only the element that is refused', async () => {
      const many = samples.many(60);
      await samples.plant?.(machine, many);
      const bad = many[37] as T;
      const one = carrier(refusing(machine.run, bad));
      expect(inOrder(many, await one.apply(effects(many)))).toEqual(
        many.map((target) => (target === bad ? 'failed' : 'done')),
      );
      expect(listed(await look())).toEqual(texts(many.filter((target) => target !== bad)));
      await carrier().apply(effects([bad]));
      const left = it.takesBackUnnamed === true ? [] : [bad];
      expect(inOrder(many, await one.revert(effects(many)))).toEqual(
        many.map((target) => (left.includes(target) ? 'failed' : 'done')),
      );
      expect(listed(await look())).toEqual(texts(left));
    });

    when(it.refused)('loses only the element that the tool does not take', async () => {
      const bad = it.refused as T;
      const sixty = samples.many(60);
      await samples.plant?.(machine, sixty);
      const many = [...sixty.slice(0, 30), bad, ...sixty.slice(30)];
      expect(results(await carrier().apply(effects(many)))).toEqual(
        many.map((target) => (target === bad ? 'failed' : 'done')),
      );
      expect(listed(await look())).toEqual(texts(many.filter((target) => target !== bad)));
    });

    when(it.double)('reports what stands twice, and takes it back one by one', async () => {
      const one = carrier();
      await one.apply(effects(four));
      await it.double?.(machine, host);
      expect(listed(await look())).toEqual(texts([...four, host]));
      await one.revert(effects([host]));
      expect(listed(await look())).toEqual(texts(four));
      await one.revert(effects(four));
      expect(listed(await look())).toEqual([]);
    });

    test('leaves alone what is not ours, and nothing of ours behind', async () => {
      await it.plantForeign(machine);
      const before = await it.dump(machine);
      const one = carrier();
      await one.apply(effects(four, 10 * minute));
      expect(linesMissing(before, await it.dump(machine))).toEqual([]);
      await one.teardown();
      expect(listed(await look())).toEqual(texts(four));
      await one.revert(effects(four));
      expect(linesMissing(before, await it.dump(machine))).toEqual([]);
      await one.teardown();
      expect(await it.dump(machine)).toBe(before);
      expect((await look()).containers).toEqual([]);
    });

    type Mend = (one: ReturnType<typeof carrier>, broken: Known) => Promise<void>;

    const mendPlainly: Mend = async (one, broken) => {
      expect(await one.mend(broken, containers)).toBeUndefined();
      const held = new Set(listed(known(await one.inspect())));
      await one.apply(effects(four.filter(({ text }) => !held.has(text))));
    };
    const mendInOneGo: Mend = async (one, broken) => {
      const held = new Set(listed(broken));
      const gone = effects(four.filter(({ text }) => !held.has(text)));
      const rebuilt = await one.rebuild(broken, containers, gone);
      expect(rebuilt?.trouble).toBeUndefined();
      expect(results(rebuilt?.carried ?? [])).toEqual(gone.map(() => 'done'));
    };

    for (const [damage, inflict] of Object.entries(it.damages)) {
      const isMended = async (mend: Mend): Promise<void> => {
        await it.plantForeign(machine);
        const one = carrier();
        await one.apply(effects(four));
        const whole = await it.dump(machine);
        await inflict(machine);
        const broken = known(await one.inspect());
        expect(broken.containers.length).toBeLessThan(containers.length);
        expect(one.takeDrift()).toBe(true);
        await mend(one, broken);
        const mended = await look();
        expect([...mended.containers].sort()).toEqual([...containers].sort());
        expect(listed(mended)).toEqual(texts(four));
        expect(sorted(await it.dump(machine))).toEqual(sorted(whole));
      };

      test(`notices and mends: ${damage}`, () => isMended(mendPlainly));
      when(it.rebuilds === true)(`notices and mends in one go: ${damage}`, () =>
        isMended(mendInOneGo),
      );
    }

    test('takes an answer that it cannot understand for unknown, never for absent', async () => {
      const one = carrier();
      await one.apply(effects(four));
      const answers = [];
      for (const step of driver.inspect.steps) answers.push(await machine.run(step));
      const steps = [...driver.inspect.steps, ...(driver.inspect.more?.(answers) ?? [])];
      for (const step of steps.slice(answers.length)) answers.push(await machine.run(step));
      for (const [index, step] of steps.entries()) {
        for (const answer of unreadable(step)) {
          const reading = driver.inspect.read(answers.with(index, answer));
          if (reading.known) expect(listed(reading)).toEqual(texts(four));
          else expect(reading.why).not.toBe('');
        }
      }
      expect(driver.inspect.read([]).known).toBe(false);
    });

    test('comes to the same end when it is cut off anywhere', async () => {
      await it.plantForeign(machine);
      const before = await it.dump(machine);
      const fresh = await look();
      // What is found of a target is on disk before anything is done to it.
      for (const { target, memory } of (await carrier().examine(effects(four))).fit) {
        if (memory !== undefined) memories.set(target.text, memory);
      }
      const plain = [...fresh.setup(containers), ...driver.apply(effects(four))];
      const inOneGo = fresh.rebuild?.(containers, effects(four)) ?? [];
      const cuts = [plain, inOneGo].flatMap((steps) =>
        steps.map((_, done) => ({ steps, done })).concat({ steps, done: steps.length }),
      );
      for (const { steps, done } of cuts) {
        for (const step of steps.slice(0, done)) await machine.run(step);
        const next = steps[done];
        if (next !== undefined) await machine.run(halved(next));
        const one = carrier();
        const held = new Set(listed(known(await one.inspect())));
        await one.apply(effects(four.filter(({ text }) => !held.has(text))));
        expect(await one.mend(await one.inspect(), containers)).toBeUndefined();
        const reading = await look();
        expect(listed(reading)).toEqual(texts(four));
        expect([...reading.containers].sort()).toEqual([...containers].sort());
        await one.revert(effects(four));
        await one.teardown();
        expect(await it.dump(machine)).toBe(before);
      }
    });

    when(selfExpiring)('gives a standing effect its new end, sooner, later or none', async () => {
      const one = carrier();
      const ends = async () =>
        (await look()).effects.map(({ expiresInMs }) => expiresInMs ?? Infinity);
      await one.apply(effects(four, 10 * minute));
      for (const end of await ends()) expect(end).toSatisfy(about(10 * minute));
      for (const expiresInMs of [60 * minute, minute, Infinity, 10 * minute]) {
        const timed = Number.isFinite(expiresInMs) ? { expiresInMs } : {};
        const again = effects(four).map((effect) => ({ ...effect, standing: true, ...timed }));
        expect(results(await one.apply(again))).toEqual(four.map(() => 'done'));
        const found = await ends();
        expect(found).toHaveLength(four.length);
        for (const end of found) expect(end).toSatisfy(about(expiresInMs));
      }
    });

    when(selfExpiring)('takes any length of time', async () => {
      const longest = longestExpiryMs ?? Infinity;
      for (const expiresInMs of [1, 1_500, 30 * 24 * 60 * minute, longest, longest * 4]) {
        const [effect] = effects([host], expiresInMs) as [Effect<T>];
        expect(results(await carrier().apply([{ ...effect, standing: true }]))).toEqual(['done']);
      }
      expect((await look()).effects[0]?.expiresInMs).toSatisfy(about(longest));
    });

    when(selfExpiring)('needs nobody for an effect to end', async () => {
      await carrier().apply(effects(four, 1_000));
      await expect
        .poll(async () => listed(await look()), { timeout: 5_000, interval: 50 })
        .toEqual([]);
    });
  });
}

/** Cases that do not concern a driver are left out rather than shown as skipped. */
function when(concerns: unknown): (name: string, body: () => Promise<void>) => void {
  return concerns ? (name, body) => test(name, body) : () => {};
}

export function targets(all: readonly string[]): AddressTarget[] {
  return all.map((text) => {
    const target = parseTarget(text);
    if (target === undefined) throw new Error(`not an address: ${text}`);
    return target;
  });
}

export function effects(
  all: readonly AddressTarget[],
  expiresInMs?: number,
): Effect<AddressTarget>[] {
  return all.map((target) => (expiresInMs === undefined ? { target } : { target, expiresInMs }));
}

/** Addresses of both families, and prefixes for those who can. */
export function addressSamples(prefixes: boolean): Samples<AddressTarget> {
  const few = ['203.0.113.7', '2001:db8::7', '198.51.100.0/24', '2001:db8:1::/48'];
  const hosts = [
    '0.0.0.1',
    '255.255.255.254',
    '::2',
    '::102:304',
    '2001:db8:0:0:1::',
    '64:ff9b::102:304',
  ];
  const wide = ['128.0.0.0/1', '10.9.8.6/31', '8000::/1', '::5:0/112', '2001:db8::2/127'];
  const nested = ['10.1.0.0/16', '10.1.2.0/24', '10.1.2.3', '2001:db8::/32', '2001:db8::7'];
  return {
    few: targets(few.filter((text) => prefixes || !text.includes('/'))),
    many: (count) => mixed(count, prefixes),
    odd: targets(prefixes ? [...hosts, ...wide] : hosts),
    ...(prefixes ? { nested: targets(nested) } : {}),
  };
}

/** Hosts and prefixes of both families. */
function mixed(count: number, prefixes: boolean): AddressTarget[] {
  return targets(
    Array.from({ length: count }, (_, index) => {
      const number = 1_000 + index;
      const [high, low] = [number >> 8, number & 255];
      switch (index % 4) {
        case 1:
          return `2001:db8::${number.toString(16)}:1`;
        case 2:
          return prefixes ? `10.${high}.${low}.0/24` : `10.${high}.${low}.201`;
        case 3:
          return prefixes
            ? `2001:db8:${number.toString(16)}::/48`
            : `2001:db8::${number.toString(16)}:2`;
        default:
          return `172.16.${high}.${low}`;
      }
    }),
  );
}

function known(reading: Reading): Known {
  if (!reading.known) throw new Error(`unknown: ${reading.why}`);
  return reading;
}

const results = (all: readonly Carried[]): string[] => all.map(({ result }) => result);
/** What is found unfit is told before the rest of its batch. */
const inOrder = (all: readonly Target[], carried: readonly Carried[]) =>
  all.map(({ text }) => carried.find(({ target }) => target.text === text)?.result);
const texts = (all: readonly Target[]): string[] => all.map(({ text }) => text).sort();
const listed = (reading: Known): string[] => texts(reading.effects.map(({ target }) => target));
const sorted = (text: string): string[] => text.split('\n').sort();

const about = (wanted: number) => (found: number) =>
  found === wanted || (found <= wanted + 1_000 && found > wanted - 10_000);

/** Lines of `before` that do not come in this order in `after`. */
function linesMissing(before: string, after: string): string[] {
  const lines = after.split('\n');
  let place = 0;
  return before.split('\n').filter((line) => {
    const found = lines.indexOf(line, place);
    if (found !== -1) place = found + 1;
    return found === -1;
  });
}

/** A machine whose tools refuse everything that names `bad`, as a whole. */
function refusing(run: Runner, bad: Target): Runner {
  const word = new RegExp(`(?<![0-9a-f:.])${bad.text.replaceAll('.', '\\.')}(?![0-9a-f:.])`);
  return async (step) =>
    word.test(JSON.stringify(step))
      ? { failure: 'exit', exitCode: 1, stdout: '', stderr: 'refused' }
      : run(step);
}

/** What a step can answer without having said anything. */
function unreadable(step: Step) {
  const failures = ['exit', 'timeout', 'missing', 'signal', 'io'] as const;
  const said = step.kind === 'read-file' ? [] : ['', 'no such thing\n', '{}', '{"nftables": 7}'];
  return [
    ...failures.map((failure) => ({ failure, stdout: '', stderr: '' })),
    ...said.map((stdout) => ({ exitCode: 0, stdout, stderr: '' })),
  ];
}

/** A step that was cut off half-way: of its tool's input, at the end of a line, or of its calls. */
function halved(step: Step): Step {
  if (step.kind === 'dbus') {
    const { first: _first, ...rest } = step;
    return { ...rest, calls: step.calls.slice(0, step.calls.length >> 1) };
  }
  if (step.kind !== 'command' || step.stdin === undefined) return step;
  const lines = step.stdin.split('\n').slice(0, -1);
  return {
    ...step,
    stdin: lines
      .slice(0, lines.length >> 1)
      .map((line) => `${line}\n`)
      .join(''),
  };
}
