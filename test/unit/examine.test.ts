/**
 * A driver that looks before it acts, and whose effects nothing tells from those of others: lamps. Tried
 * with a real journal and real desks; "the agent dies" is a desk whose work never goes on.
 */
import { beforeEach, describe, expect, test } from 'vitest';
import { createDesk, type Desk } from '../../agent/desk/desk.ts';
import { createCarrier } from '../../agent/engine/carry-out.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { Order } from '../../agent/words.ts';
import type { Driver, Effect } from '../../platform/driver.ts';
import type { Runner, Step, StepResult } from '../../platform/step.ts';
import type { NamedTarget } from '../../platform/target.ts';

const instance = { driver: 'lamps', settings: {} };
const lamp = (text: string): NamedTarget => ({ kind: 'named', text });
const step = (tool: string, ...args: readonly string[]): Step => ({ kind: 'command', tool, args });
const said = (stdout: string): StepResult => ({ stdout, stderr: '' });

const driver: Driver<NamedTarget> = {
  name: 'lamps',
  settings: {},
  traits: { selfExpiring: false, prefixes: false, batchSize: 10, unmarked: true },
  probe: { steps: [], read: () => ({ usable: true, why: '', families: [] }) },
  inspect: {
    steps: [step('list')],
    read: ([listed]) => ({
      known: true,
      containers: [],
      effects: (listed?.stdout ?? '')
        .split(' ')
        .filter(Boolean)
        .map((name) => ({ target: lamp(name) })),
      foreign: [],
      setup: () => [],
      teardown: () => [],
    }),
  },
  examine: ({ text }) => ({
    steps: [step('look', text)],
    read: ([seen]) => {
      if (seen?.failure !== undefined) return { fit: 'unknown', why: 'is in the dark' };
      if (seen?.stdout === '') return { fit: false, refusal: 'absent', why: 'is no lamp' };
      if (text === 'sun')
        return { fit: false, refusal: 'protected', why: 'is never to be switched' };
      if (text === 'other') return { fit: false, refusal: 'changed', why: 'is another lamp now' };
      const was = seen?.stdout ?? '';
      return { fit: true, memory: { was }, preExisting: was === 'on' };
    },
  }),
  container: () => undefined,
  apply: (effects) => effects.map(({ target }) => step('set', target.text, 'on')),
  revert: (effects: readonly Effect<NamedTarget>[]) =>
    effects.map(({ target, memory }) => step('set', target.text, memory?.['was'] ?? 'nothing')),
};

let lamps: Map<string, string>;
/** What the machine was asked to do, and what it was asked. */
let acts: string[];
let looks: number;
let journal: Journal;

const run: Runner = async (asked) => {
  if (asked.kind !== 'command') throw new Error('lamps have commands only');
  const { tool, args } = asked;
  const [name = '', value = ''] = args;
  if (tool === 'list')
    return said([...lamps].flatMap(([of, is]) => (is === 'on' ? of : [])).join(' '));
  if (tool === 'look') {
    looks += 1;
    if (name === 'hidden') return { failure: 'exit', exitCode: 1, stdout: '', stderr: '' };
    return said(lamps.get(name) ?? '');
  }
  acts.push(args.join(' '));
  lamps.set(name, value);
  return said('');
};

function openDesk(options: { readonly runner?: Runner; readonly journal?: Journal } = {}): Desk {
  const kept = options.journal ?? journal;
  return createDesk(
    {
      journal: kept,
      clock: { now: () => Date.now() },
      report: { refused: () => {}, outcome: () => {}, repaired: () => {}, trouble: () => {} },
      limits: { pendingRequests: 10 },
      carrier: () =>
        createCarrier(driver as unknown as Driver, options.runner ?? run, (found) =>
          kept.remember(instance, found),
        ),
      responseOf: () => 'light',
    },
    instance,
  );
}

const order = (verb: Order['verb'], name: string, response = 'light'): Order => ({
  verb,
  response,
  target: lamp(name),
  instance,
  origin: { dialect: 'native' },
});
const held = (name: string, response = 'light') => journal.holder(response, name);

/** A runner that stops for ever at the first step of a tool, and says when it has got there. */
function dyingAt(tool: string) {
  let reached: () => void = () => {};
  const there = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const runner: Runner = (asked) => {
    if (asked.kind !== 'command' || asked.tool !== tool) return run(asked);
    reached();
    return new Promise(() => {});
  };
  return { runner, there };
}

beforeEach(() => {
  lamps = new Map([
    ['hall', 'off'],
    ['yard', 'on'],
    ['sun', 'off'],
    ['other', 'off'],
    ['hidden', 'off'],
  ]);
  acts = [];
  looks = 0;
  journal = openJournal(':memory:');
});

describe('before an effect is made', () => {
  test('what was found is on disk', async () => {
    let known: unknown;
    const runner: Runner = (asked) => {
      if (asked.kind === 'command' && asked.tool === 'set') known ??= held('hall')?.memory;
      return run(asked);
    };
    await openDesk({ runner }).carryOut(order('add', 'hall'));
    expect(known).toEqual({ was: 'off' });
    expect(held('hall')).toMatchObject({ state: 'active', preExisting: false });
  });

  test.each([
    ['nowhere', 'target-absent', 'nowhere is no lamp'],
    ['sun', 'target-protected', 'sun is never to be switched'],
    ['other', 'target-changed', 'other is another lamp now'],
  ])('%s is refused: %s', async (name, code, message) => {
    const asked = openDesk().carryOut(order('add', name));
    await expect(asked).rejects.toMatchObject({ code, message });
    expect([acts, journal.liveCount()]).toEqual([[], 0]);
    expect(journal.list('ended', 1)).toMatchObject([{ state: 'failed' }]);
  });

  test('what cannot be seen is not acted on, and that is no refusal', async () => {
    await expect(openDesk().carryOut(order('add', 'hidden'))).rejects.toMatchObject({
      code: 'driver-failed',
    });
    expect([acts, journal.liveCount()]).toEqual([[], 0]);
  });

  test('one of a batch that is refused does no harm to the others', async () => {
    const desk = openDesk();
    const all = await Promise.allSettled(
      ['hall', 'sun', 'yard'].map((name) => desk.carryOut(order('add', name))),
    );
    expect(all.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(acts).toEqual(['hall on']);
  });

  test('a dry run looks, and writes nothing down', async () => {
    const definition = {
      name: 'light',
      target: 'named',
      stateful: true,
      drivers: ['lamps'],
      summary: '',
    } as const;
    const request = { verb: 'add', response: 'light', origin: { dialect: 'native' } } as const;
    const plan = async (name: string) =>
      openDesk().plan(request, { definition, target: lamp(name) }, 'chosen');
    expect(await plan('hall')).toMatchObject({ steps: [step('set', 'hall', 'on')] });
    expect(await plan('yard')).toMatchObject({ why: 'it is so already', steps: [] });
    expect(await plan('sun')).toMatchObject({ why: 'is never to be switched', steps: [] });
    expect([acts, journal.liveCount()]).toEqual([[], 0]);
  });
});

describe('what was so before', () => {
  test('is left as it is, now and at the end', async () => {
    const desk = openDesk();
    expect(await desk.carryOut(order('add', 'yard'))).toMatchObject({
      action: { preExisting: true },
    });
    await desk.reconcile(false);
    expect(held('yard')).toMatchObject({ state: 'active', preExisting: true });
    await desk.carryOut(order('delete', 'yard'));
    expect([acts, lamps.get('yard')]).toEqual([[], 'on']);
  });

  test('and was undone by somebody is looked at anew, and is ours from then on', async () => {
    const desk = openDesk();
    await desk.carryOut(order('add', 'yard'));
    lamps.set('yard', 'off');
    await desk.reconcile(false);
    expect(held('yard')).toMatchObject({ state: 'active', preExisting: false });
    expect(held('yard')?.memory).toEqual({ was: 'off' });
    await desk.carryOut(order('delete', 'yard'));
    expect([acts, lamps.get('yard')]).toEqual([['yard on', 'yard off'], 'off']);
  });

  test('is so for every response that holds it', async () => {
    const desk = openDesk();
    await desk.carryOut(order('add', 'yard'));
    expect(await desk.carryOut(order('add', 'yard', 'party'))).toMatchObject({
      action: { preExisting: true },
    });
    await desk.carryOut(order('delete', 'yard'));
    await desk.carryOut(order('delete', 'yard', 'party'));
    expect([acts, lamps.get('yard')]).toEqual([[], 'on']);
  });

  test('and was undone is taken back in the end, whoever made it and whoever ends last', async () => {
    for (const last of ['light', 'party']) {
      lamps.set('yard', 'on');
      acts = [];
      const desk = openDesk();
      await desk.carryOut(order('add', 'yard'));
      lamps.set('yard', 'off');
      // Looks, and finds that it is to be made.
      await desk.carryOut(order('add', 'yard', 'party'));
      const first = last === 'light' ? 'party' : 'light';
      await desk.carryOut(order('delete', 'yard', first));
      expect(lamps.get('yard')).toBe('on');
      await desk.carryOut(order('delete', 'yard', last));
      expect([acts, lamps.get('yard')]).toEqual([['yard on', 'yard off'], 'off']);
    }
  });

  test('nobody asked for is left alone at a start, adopting or not', async () => {
    for (const adopt of [true, false]) await openDesk().reconcile(adopt);
    expect([acts, journal.liveCount()]).toEqual([[], 0]);
  });
});

test('one effect has one memory, that of before the first', async () => {
  const desk = openDesk();
  await desk.carryOut(order('add', 'hall'));
  await desk.carryOut(order('add', 'hall', 'party'));
  expect(held('hall', 'party')?.memory).toEqual({ was: 'off' });
  expect(looks).toBe(1);
  await desk.carryOut(order('delete', 'hall'));
  expect(lamps.get('hall')).toBe('on');
  await desk.carryOut(order('delete', 'hall', 'party'));
  expect([acts, lamps.get('hall')]).toEqual([['hall on', 'hall off'], 'off']);
});

describe('an agent that dies', () => {
  test('after the look was written down, and before it acts: the next one goes by that look', async () => {
    const { runner, there } = dyingAt('set');
    void openDesk({ runner }).carryOut(order('add', 'hall'));
    await there;
    await openDesk().reconcile(false);
    expect(held('hall')).toMatchObject({ state: 'active', memory: { was: 'off' } });
    expect([acts, looks]).toEqual([['hall on'], 1]);
  });

  test('after it acted, and before the outcome: what stands is known to be ours', async () => {
    const dead = { ...journal, settle: () => {} };
    await openDesk({ journal: dead }).carryOut(order('add', 'hall'));
    expect(held('hall')?.state).toBe('intended');
    const desk = openDesk();
    await desk.reconcile(false);
    expect(held('hall')).toMatchObject({ state: 'active', preExisting: false });
    await desk.carryOut(order('delete', 'hall'));
    expect([acts, lamps.get('hall')]).toEqual([['hall on', 'hall off'], 'off']);
  });

  test('after it saw that it was so before, and before the outcome: it is known to be theirs', async () => {
    const dead = { ...journal, settle: () => {} };
    await openDesk({ journal: dead }).carryOut(order('add', 'yard'));
    expect(held('yard')?.state).toBe('intended');
    const desk = openDesk();
    await desk.reconcile(false);
    expect(held('yard')).toMatchObject({ state: 'active', preExisting: true });
    await desk.carryOut(order('delete', 'yard'));
    expect([acts, lamps.get('yard')]).toEqual([[], 'on']);
  });

  test('before it looked: nothing was made, and nothing is taken back', async () => {
    const { runner, there } = dyingAt('look');
    void openDesk({ runner }).carryOut(order('add', 'hall'));
    await there;
    lamps.set('hall', 'on');
    const outcome = await openDesk().carryOut(order('delete', 'hall'));
    expect(outcome).toMatchObject({ kind: 'reverted' });
    expect([acts, lamps.get('hall')]).toEqual([[], 'on']);
  });

  test('before it looked, and somebody does it meanwhile: it is theirs', async () => {
    const { runner, there } = dyingAt('look');
    void openDesk({ runner }).carryOut(order('add', 'hall'));
    await there;
    lamps.set('hall', 'on');
    const desk = openDesk();
    await desk.reconcile(false);
    expect(held('hall')).toMatchObject({ state: 'active', preExisting: true });
    await desk.carryOut(order('delete', 'hall'));
    expect([acts, lamps.get('hall')]).toEqual([[], 'on']);
  });

  test('before it looked at what is to be refused: the next one refuses it', async () => {
    const { runner, there } = dyingAt('look');
    void openDesk({ runner }).carryOut(order('add', 'sun'));
    await there;
    const desk = openDesk();
    await desk.reconcile(false);
    expect([acts, journal.liveCount(), desk.trouble()]).toEqual([[], 0, undefined]);
    expect(journal.list('ended', 1)).toMatchObject([
      { state: 'failed', trouble: 'is never to be switched' },
    ]);
  });

  test('while it takes back: the next one does, with the memory that is there', async () => {
    await openDesk().carryOut(order('add', 'hall'));
    const { runner, there } = dyingAt('set');
    void openDesk({ runner }).carryOut(order('delete', 'hall'));
    await there;
    await openDesk().reconcile(false);
    expect([acts, lamps.get('hall')]).toEqual([['hall on', 'hall off'], 'off']);
    expect(journal.liveCount()).toBe(0);
  });
});

test('what was looked at and cannot be written down is not acted on', async () => {
  const full: Journal = {
    ...journal,
    remember: () => {
      throw new Error('the disk is full');
    },
  };
  await expect(openDesk({ journal: full }).carryOut(order('add', 'hall'))).rejects.toThrow('full');
  expect(acts).toEqual([]);
});
