import { describe, expect, test, vi } from 'vitest';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import type { Driver, Effect } from '../../platform/driver.ts';
import type { Runner, StepResult } from '../../platform/step.ts';
import { target } from './sample.ts';

const ok: StepResult = { stdout: '', stderr: '' };
const effect = (text: string): Effect => ({ target: target(text) });
const address = (index: number): string => `10.0.${index >> 8}.${index & 255}`;

/**
 * A machine that holds a set of addresses, and a driver for it: a batch is carried out whole or, with
 * one address in it that the tool does not like, not at all. `list` tells what there is.
 */
function machine(options: { readonly bad?: readonly string[]; readonly partial?: boolean } = {}) {
  const bad = new Set(options.bad);
  const state = {
    held: new Set<string>(),
    foreign: [] as string[],
    containers: ['set'] as string[],
    runs: { apply: 0, revert: 0, list: 0, setup: 0 },
    /** In place of what the tool would answer, by what it is asked. */
    answers: {} as Partial<Record<string, StepResult>>,
  };
  const step = (what: string, effects: readonly Effect[] = []) => ({
    kind: 'command' as const,
    tool: what,
    args: effects.map((one) => one.target.text),
  });
  const driver: Driver = {
    name: 'toy',
    settings: {},
    traits: { selfExpiring: false, prefixes: true, batchSize: 5_000 },
    probe: { steps: [], read: () => ({ usable: true, why: '', families: [4, 6] }) },
    inspect: {
      steps: [step('list')],
      read: ([result]) =>
        result?.failure === undefined
          ? {
              known: true,
              containers: state.containers,
              effects: [...state.held].map((text) => effect(text)),
              foreign: state.foreign.map(target),
              setup: () => [step('setup')],
              teardown: () => [step('teardown')],
            }
          : { known: false, why: result.stderr },
    },
    container: () => 'set',
    apply: (effects) => [step('apply', effects)],
    revert: (effects) => [step('revert', effects)],
  };
  const run: Runner = async (asked) => {
    if (asked.kind !== 'command') throw new Error('this toy has commands only');
    const { tool, args } = asked;
    state.runs[tool as keyof typeof state.runs] += 1;
    const answer = state.answers[tool];
    if (answer !== undefined) return answer;
    if (tool === 'setup') state.containers = ['set'];
    if (tool === 'teardown') state.containers = [];
    if (tool !== 'apply' && tool !== 'revert') return ok;
    for (const text of options.partial === true ? args : []) {
      if (bad.has(text)) break;
      if (tool === 'apply') state.held.add(text);
      else state.held.delete(text);
    }
    const first = args.find((text) => bad.has(text));
    if (first !== undefined) {
      return { failure: 'exit', exitCode: 1, stdout: '', stderr: `${first} is bad` };
    }
    for (const text of args) {
      if (tool === 'apply') state.held.add(text);
      else state.held.delete(text);
    }
    return ok;
  };
  return { state, driver, run, carrier: createCarrier(driver, run) };
}

test('however much the tools complain, what went wrong is said in few words', async () => {
  const { state, carrier } = machine({ bad: ['192.0.2.1'] });
  await carrier.apply([effect('192.0.2.2')]);
  const complaint = {
    failure: 'exit',
    exitCode: 1,
    stdout: '',
    stderr: 'x'.repeat(2_000),
  } as const;
  state.answers['apply'] = complaint;
  state.answers['list'] = complaint;
  const [one] = await carrier.apply([effect('192.0.2.1')]);
  expect(one).toMatchObject({ result: 'unknown', why: expect.stringMatching(/x; then: x+$/) });
  expect(one?.why?.length).toBeLessThan(2_100);
});

describe('the first batch after a quiet time', () => {
  test('goes by what was seen last, and does not look again', async () => {
    const { state, carrier } = machine();
    state.containers = [];
    await carrier.inspect();
    expect(await carrier.apply([effect('192.0.2.1')])).toMatchObject([{ result: 'done' }]);
    expect(state.runs).toMatchObject({ list: 1, setup: 1, apply: 1 });
  });

  test('looks again when what was seen last is no longer so', async () => {
    const { state, carrier } = machine();
    state.containers = [];
    await carrier.inspect();
    // Somebody else made what is to be set up: that way it fails now, but it stands.
    state.answers['setup'] = { failure: 'exit', exitCode: 1, stdout: '', stderr: 'it is there' };
    state.containers = ['set'];
    expect(await carrier.apply([effect('192.0.2.1')])).toMatchObject([{ result: 'done' }]);
    expect(state.runs).toMatchObject({ list: 2, setup: 1, apply: 1 });
  });

  test('after a teardown sets up anew', async () => {
    const { state, carrier } = machine();
    await carrier.apply([effect('192.0.2.1')]);
    await carrier.revert([effect('192.0.2.1')]);
    await carrier.teardown();
    expect(state.containers).toEqual([]);
    expect(await carrier.apply([effect('192.0.2.1')])).toMatchObject([{ result: 'done' }]);
    expect(state.containers).toEqual(['set']);
  });
});

describe('a batch', () => {
  test('is not searched for ever when every run of the tool takes long', async () => {
    const { state, carrier } = machine();
    await carrier.apply([effect('192.0.2.1')]);
    state.answers['apply'] = {
      failure: 'exit',
      exitCode: 4,
      stdout: '',
      stderr: 'the lock is held',
    };
    const clock = vi.spyOn(performance, 'now');
    // Every look at the clock is five seconds later than the one before.
    let seconds = 0;
    clock.mockImplementation(() => {
      seconds += 5;
      return seconds * 1_000;
    });
    const batch = Array.from({ length: 1_000 }, (_, index) => effect(address(index)));
    const results = await carrier.apply(batch);
    clock.mockRestore();
    expect(results.every(({ result }) => result === 'failed')).toBe(true);
    expect(state.runs.apply).toBeLessThan(12);
  });

  test('costs one run when all goes well', async () => {
    const { state, carrier } = machine();
    const batch = Array.from({ length: 1_000 }, (_, index) => effect(address(index)));
    const results = await carrier.apply(batch);
    expect(results.map(({ result }) => result)).toEqual(batch.map(() => 'done'));
    expect(state.runs).toEqual({ apply: 1, revert: 0, list: 1, setup: 0 });
    await carrier.apply(batch);
    expect(state.runs).toMatchObject({ apply: 2, list: 1 });
  });

  test.each([
    [100, []],
    [100, [0]],
    [100, [99]],
    [100, [3, 50, 51]],
    [1_000, [500]],
    [1_000, [0, 250, 500, 999]],
    [8, [0, 1, 2, 3, 4, 5, 6, 7]],
    [1, [0]],
  ])('of %d loses exactly the bad ones: %j', async (length, places) => {
    const mostRuns = 2 + places.length * 5 * (Math.log2(length) + 1);
    for (const partial of [false, true]) {
      const bad = places.map(address);
      const { state, carrier } = machine({ bad, partial });
      const batch = Array.from({ length }, (_, index) => effect(address(index)));
      const results = await carrier.apply(batch);
      expect(results.map((one) => one.target.text)).toEqual(batch.map((one) => one.target.text));
      const failed = results.filter(({ result }) => result === 'failed');
      expect(failed.map((one) => one.target.text)).toEqual(bad);
      expect(failed.map(({ why }) => why)).toEqual(
        bad.map((text) => `apply: exit 1: ${text} is bad`),
      );
      expect(state.held.size).toBe(length - bad.length);
      expect(state.runs.apply + state.runs.list).toBeLessThanOrEqual(mostRuns);
    }
  });

  test('that fails whatever is in it is given up soon', async () => {
    const { state, carrier } = machine();
    state.answers = { apply: { failure: 'exit', exitCode: 4, stdout: '', stderr: 'locked' } };
    const batch = Array.from({ length: 1_000 }, (_, index) => effect(address(index)));
    const results = await carrier.apply(batch);
    expect(new Set(results.map(({ result }) => result))).toEqual(new Set(['failed']));
    expect(state.runs.apply).toBeLessThan(60);
  });

  test.each(['timeout', 'missing'] as const)('is not tried again after %s', async (failure) => {
    const { state, carrier } = machine();
    state.held.add(address(1));
    state.answers = { apply: { failure, stdout: '', stderr: 'no' } };
    const results = await carrier.apply([effect(address(0)), effect(address(1))]);
    expect(results).toMatchObject([{ result: 'failed', failure }, { result: 'done' }]);
    expect(state.runs.apply).toBe(1);
  });

  test('of which nobody knows what became is unknown', async () => {
    const { state, carrier } = machine();
    await carrier.apply([effect(address(9))]);
    state.answers = {
      apply: { failure: 'timeout', stdout: '', stderr: 'killed' },
      list: { failure: 'exit', exitCode: 1, stdout: '', stderr: 'not permitted' },
    };
    const [one] = await carrier.apply([effect(address(0))]);
    expect(one).toMatchObject({ result: 'unknown', failure: 'timeout' });
    expect(one?.why).toContain('not permitted');
  });

  test('leaves alone what somebody else does already', async () => {
    const { state, carrier } = machine({ bad: [address(1)] });
    state.foreign = [address(1)];
    const results = await carrier.apply([effect(address(0)), effect(address(1))]);
    expect(results.map(({ result }) => result)).toEqual(['done', 'pre-existing']);
    expect(state.held).toEqual(new Set([address(0)]));
  });

  test('is not begun while its container is not to be had', async () => {
    const { state, carrier } = machine();
    state.containers = [];
    state.answers = { setup: { failure: 'exit', exitCode: 1, stdout: '', stderr: 'no room' } };
    expect(await carrier.apply([effect(address(0))])).toMatchObject([
      { result: 'failed', why: 'setup: exit 1: no room' },
    ]);
    expect(state.runs.apply).toBe(0);
    state.answers = {};
    expect(await carrier.apply([effect(address(0))])).toMatchObject([{ result: 'done' }]);
    expect(state.runs.setup).toBe(2);
  });
});

describe('taking back', () => {
  test('loses exactly the bad ones, and what is gone is done', async () => {
    const { state, carrier } = machine({ bad: [address(2)] });
    for (const index of [0, 2]) state.held.add(address(index));
    const results = await carrier.revert([0, 1, 2, 3].map((index) => effect(address(index))));
    expect(results.map(({ result }) => result)).toEqual(['done', 'done', 'failed', 'done']);
    expect(state.held).toEqual(new Set([address(2)]));
  });

  test('is not done because somebody else does the same', async () => {
    const { state, carrier } = machine({ bad: [address(0)] });
    state.held.add(address(0));
    state.foreign = [address(0)];
    expect(await carrier.revert([effect(address(0))])).toMatchObject([{ result: 'failed' }]);
  });

  test('takes the containers away only when nothing is in them, or unknown', async () => {
    const { state, carrier } = machine();
    state.held.add(address(0));
    await carrier.teardown();
    expect(state.containers).toEqual(['set']);
    state.held.clear();
    state.answers = { list: { failure: 'exit', stdout: '', stderr: 'not permitted' } };
    await carrier.teardown();
    expect(state.containers).toEqual(['set']);
    state.answers = {};
    await carrier.teardown();
    expect(state.containers).toEqual([]);
    // It has to be looked for again before the next effect.
    await carrier.apply([effect(address(1))]);
    expect(state.runs.setup).toBe(1);
  });
});

test('a container that somebody took away is noticed once', async () => {
  const { state, carrier } = machine();
  await carrier.apply([effect(address(0))]);
  expect(carrier.takeDrift()).toBe(false);
  state.containers = [];
  await carrier.inspect();
  expect([carrier.takeDrift(), carrier.takeDrift()]).toEqual([true, false]);
});

describe('where nothing tells ours from others', () => {
  const unmarkedOne = (options: Parameters<typeof machine>[0] = {}) => {
    const toy = machine(options);
    const { driver } = toy;
    const traits = { ...driver.traits, unmarked: true };
    return { ...toy, driver: { ...driver, traits } };
  };

  test('a part that could not be taken back is not taken for gone because it does not show', async () => {
    const { driver, run, state } = unmarkedOne({ bad: ['10.0.0.2'] });
    const carrier = createCarrier(driver, run);
    const effects = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map(effect);
    state.held.clear();
    expect(await carrier.revert(effects)).toMatchObject([
      { result: 'done' },
      { result: 'failed', why: expect.stringContaining('10.0.0.2 is bad') },
      { result: 'done' },
    ]);
  });
});

test('what a step remarks is told of what was done', async () => {
  const { driver, run, state } = machine();
  state.answers['apply'] = { ...ok, remark: 'and yet' };
  state.answers['revert'] = { ...ok, remark: 'but still' };
  const carrier = createCarrier(driver, run);
  expect(await carrier.apply([effect('10.0.0.1')])).toMatchObject([
    { result: 'done', why: 'and yet' },
  ]);
  expect(await carrier.revert([effect('10.0.0.1')])).toMatchObject([
    { result: 'done', why: 'but still' },
  ]);
});

describe('where the status of the tools tells nothing', () => {
  const silent = () => {
    const toy = machine();
    const { driver } = toy;
    const traits = { ...driver.traits, statusTellsNothing: true };
    return { ...toy, driver: { ...driver, traits } };
  };

  test('only what is seen to stand counts as made, and what is seen to be gone as taken back', async () => {
    const { driver, run, state } = silent();
    const carrier = createCarrier(driver, run);
    const effects = ['10.0.0.1', '10.0.0.2'].map(effect);
    expect(await carrier.apply(effects)).toMatchObject([{ result: 'done' }, { result: 'done' }]);
    state.answers['revert'] = ok;
    const [one, two] = await carrier.revert(effects);
    expect([one?.result, two?.result]).toEqual(['failed', 'failed']);
    expect(one?.why).toBe('nothing was said of a failure, and it has not come true');
    state.held.clear();
    state.answers['apply'] = ok;
    expect((await carrier.apply(effects)).map(({ result }) => result)).toEqual([
      'failed',
      'failed',
    ]);
  });

  test('nothing to do is nothing to look after', async () => {
    const { driver, run, state } = silent();
    const idle = { ...driver, apply: () => [], container: () => undefined };
    expect(await createCarrier(idle, run).apply([effect('10.0.0.1')])).toMatchObject([
      { result: 'done' },
    ]);
    expect(state.runs.list).toBe(0);
  });
});

describe('a look', () => {
  const step = (tool: string) => ({ kind: 'command' as const, tool, args: [] });

  test('asks all at once, so that a tool that hangs keeps nobody waiting', async () => {
    const { driver } = machine();
    const asked: string[] = [];
    let end = (_: StepResult): void => {};
    const hanging = new Promise<StepResult>((resolve) => {
      end = resolve;
    });
    const curious: Driver = {
      ...driver,
      inspect: {
        steps: ['one', 'two', 'three'].map(step),
        read: (results) => ({ known: false, why: results.map(({ stderr }) => stderr).join() }),
      },
    };
    const carrier = createCarrier(curious, async ({ kind, ...one }) => {
      asked.push('tool' in one ? one.tool : kind);
      return asked.length === 2 ? hanging : ok;
    });
    const looked = carrier.inspect();
    expect(asked).toEqual(['one', 'two', 'three']);
    end({ failure: 'timeout', stdout: '', stderr: 'killed' });
    expect(await looked).toEqual({ known: false, why: ',killed,' });
  });

  test('asks more by what it was answered, and understands all of it together', async () => {
    const { driver } = machine();
    const curious: Driver = {
      ...driver,
      inspect: {
        steps: ['one', 'two'].map(step),
        more: (results) => results.map(({ stdout }) => step(`${stdout} more`)),
        read: (results) => ({ known: false, why: results.map(({ stdout }) => stdout).join() }),
      },
    };
    const carrier = createCarrier(curious, async (one) => ({
      ...ok,
      stdout: 'tool' in one ? one.tool : '',
    }));
    expect(await carrier.inspect()).toEqual({ known: false, why: 'one,two,one more,two more' });
  });
});

describe('a driver that sets up and fills in one go', () => {
  /** Setting up is a part of it, and fails where it must. */
  function builder() {
    const one = machine({ bad: [address(1)] });
    const { driver, state, run } = one;
    const inOneGo: Driver = {
      ...driver,
      inspect: {
        ...driver.inspect,
        read: (results) => {
          const reading = driver.inspect.read(results);
          if (!reading.known) return reading;
          return {
            ...reading,
            rebuild: (containers, effects) => [
              { kind: 'command', tool: 'rebuild', args: [...containers] },
              ...driver.apply(effects),
            ],
          };
        },
      },
    };
    let rebuilds = 0;
    const counting: Runner = async (step) => {
      if (!('tool' in step) || step.tool !== 'rebuild') return run(step);
      rebuilds += 1;
      const answer = state.answers['rebuild'];
      if (answer === undefined) state.containers = step.args.length > 0 ? ['set'] : [];
      return answer ?? ok;
    };
    return { state, carrier: createCarrier(inOneGo, counting), rebuilds: () => rebuilds };
  }

  test('does so for the first batch, and goes the plain way from then on', async () => {
    const { state, carrier, rebuilds } = builder();
    state.containers = [];
    expect(await carrier.apply([effect(address(0))])).toMatchObject([{ result: 'done' }]);
    expect([rebuilds(), state.runs.setup, state.containers]).toEqual([1, 0, ['set']]);
    expect(await carrier.apply([effect(address(2))])).toMatchObject([{ result: 'done' }]);
    expect([rebuilds(), state.runs.setup, state.runs.list]).toEqual([1, 0, 1]);
  });

  test('loses one bad element of it alone', async () => {
    const { state, carrier } = builder();
    state.containers = [];
    const carried = await carrier.apply([0, 1, 2].map((index) => effect(address(index))));
    expect(carried.map(({ result }) => result)).toEqual(['done', 'failed', 'done']);
    expect(state.held).toEqual(new Set([address(0), address(2)]));
  });

  test('sets up the plain way when that does not work', async () => {
    const { state, carrier } = builder();
    state.containers = [];
    state.answers['rebuild'] = { failure: 'exit', exitCode: 1, stdout: '', stderr: 'it is there' };
    expect(await carrier.apply([effect(address(0))])).toMatchObject([{ result: 'done' }]);
    expect(state.runs).toMatchObject({ setup: 1, apply: 1 });
  });

  test('says that nothing was made when neither works', async () => {
    const { state, carrier } = builder();
    state.containers = [];
    const no = { failure: 'exit', exitCode: 1, stdout: '', stderr: 'no room' } as const;
    state.answers = { rebuild: no, setup: no };
    expect(await carrier.apply([effect(address(0))])).toMatchObject([
      { result: 'failed', why: 'setup: exit 1: no room' },
    ]);
    expect(state.runs.apply).toBe(0);
  });

  test('does not say so of what stands in containers that are broken', async () => {
    const { state, carrier } = builder();
    state.containers = [];
    const no = { failure: 'exit', exitCode: 1, stdout: '', stderr: 'no room' } as const;
    state.answers = { rebuild: no, setup: no };
    state.held.add(address(0));
    const carried = await carrier.apply([effect(address(0)), effect(address(1))]);
    expect(carried.map(({ target, result }) => [target.text, result])).toEqual([
      [address(0), 'unknown'],
      [address(1), 'failed'],
    ]);
  });
});

test('of what a tool complains at length, so much is told as fits', async () => {
  const { driver, run, state } = machine();
  const carrier = createCarrier(driver, run);
  state.answers = {
    apply: { failure: 'exit', exitCode: 1, stdout: '', stderr: 'x'.repeat(9_000) },
  };
  const [carried] = await carrier.apply([effect('192.0.2.1')]);
  expect(carried).toMatchObject({ result: 'failed' });
  expect(carried?.why?.length).toBeLessThan(1_100);
});
