import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Desk } from '../../agent/desk/desk.ts';
import { createOneShotDesk } from '../../agent/desk/one-shot-desk.ts';
import { ArError } from '../../agent/errors.ts';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { Instance, Order, Outcome } from '../../agent/words.ts';
import type { Attempt, Facts, Judgement, OneShotTraits } from '../../platform/driver.ts';
import type { StepResult } from '../../platform/step.ts';

const instance: Instance = { driver: 'tell', settings: {} };
const done: Judgement = { done: true };
const fails = (why: string, more: object = {}): Judgement => ({
  done: false,
  why,
  again: true,
  ...more,
});

/** One run of the one-shot, which the test ends when it likes. */
interface Run {
  readonly target: string;
  readonly facts: Facts;
  readonly attempt: Attempt | undefined;
  end(judgement: Judgement | Error): Promise<void>;
}

let journal: Journal;
let runs: Run[];
let told: (Outcome | ArError)[];
let troubles: unknown[];
let desks: Desk[];

beforeEach(() => {
  // What a lane waits with (setImmediate) goes on as ever.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
  journal = openJournal(':memory:');
  [runs, told, troubles, desks] = [[], [], [], []];
});
afterEach(() => {
  vi.useRealTimers();
  journal.close();
});

/** Lets everything happen that needs no time to pass. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 30; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

async function pass(ms: number): Promise<void> {
  await turns();
  await vi.advanceTimersByTimeAsync(ms);
  await turns();
}

/** A desk whose runs wait for the test; with `through`, every one ends at once by that judgement. */
function openDesk(traits: Partial<OneShotTraits> = {}, through?: () => Judgement): Desk {
  const wait = new Map<string, (result: StepResult) => void>();
  const judgements = new Map<string, Judgement | Error>();
  let number = 0;
  const desk = createOneShotDesk(
    {
      journal,
      clock: { now: () => Date.now() },
      report: {
        refused: () => {},
        outcome: (_, outcome) => told.push(outcome),
        repaired: () => {},
        trouble: (_, error) => troubles.push(error),
      },
      limits: { pendingRequests: 5_000 },
      carrier: () => {
        throw new Error('a one-shot has no carrier');
      },
      responseOf: () => 'tell',
    },
    instance,
    {
      name: 'tell',
      settings: {},
      traits: { tries: 3, repeatable: true, atOnce: 2, ...traits },
      probe: { steps: [], read: () => ({ usable: true, why: 'here', families: [] }) },
      unwanted: ({ level }) => (level === 1 ? 'level 1 is too low' : undefined),
      perform: (target, facts, attempt) => {
        const key = `${number++}`;
        runs.push({
          target: target.text,
          facts,
          attempt,
          end: async (judgement) => {
            judgements.set(key, judgement);
            wait.get(key)?.({ stdout: '', stderr: '' });
            await turns();
          },
        });
        return {
          steps: [{ kind: 'read-file', path: `/${key}` }],
          read: () => {
            const judgement = through?.() ?? judgements.get(key);
            if (judgement instanceof Error) throw judgement;
            return judgement ?? fails('never ended', { again: false });
          },
        };
      },
    },
    (step) =>
      through === undefined && step.kind === 'read-file'
        ? new Promise((resolve) => wait.set(step.path.slice(1), resolve))
        : Promise.resolve({ stdout: '', stderr: '' }),
  );
  desks.push(desk);
  return desk;
}

function order(text: string, facts: Facts = {}): Order {
  return {
    verb: 'add',
    response: 'tell',
    target: { kind: 'named', text },
    instance,
    facts,
    origin: { dialect: 'native' },
  };
}

const ask = (desk: Desk, text: string, facts?: Facts): Promise<Outcome | ArError> =>
  desk.carryOut(order(text, facts)).catch((error: ArError) => error);

const ended = () => journal.list('ended', 100).map(({ target, state }) => [target.text, state]);

describe('a one-shot', () => {
  test('is written down before it begins, and answered when it is done', async () => {
    const desk = openDesk();
    const answer = ask(desk, 'a', { title: 'x' });
    await turns();
    expect(journal.list('live', 10)).toMatchObject([{ target: { text: 'a' }, state: 'intended' }]);
    expect(runs).toMatchObject([{ target: 'a', facts: { title: 'x' } }]);
    await runs[0]?.end(done);
    expect(await answer).toMatchObject({ kind: 'done' });
    expect(ended()).toEqual([['a', 'done']]);
    expect(told).toMatchObject([{ kind: 'done' }]);
    expect(desk.trouble()).toBeUndefined();
  });

  test('that failed is tried again with growing pauses, and in the end given up', async () => {
    const desk = openDesk({ tries: 3 });
    const answer = ask(desk, 'a');
    await turns();
    await runs[0]?.end(fails('first'));
    const nextAt = Date.now() + 1_000;
    expect(await answer).toMatchObject({
      kind: 'waiting',
      nextAt,
      action: { trouble: 'first', attempts: 1 },
    });
    expect(desk.trouble()).toBe('first');
    await pass(999);
    expect(runs).toHaveLength(1);
    await pass(1);
    expect(runs).toHaveLength(2);
    await runs[1]?.end(fails('second'));
    await pass(1_999);
    expect(runs).toHaveLength(2);
    await pass(1);
    expect(runs[2]?.attempt).toMatchObject({ maybeDone: true });
    await runs[2]?.end(fails('third'));
    expect(ended()).toEqual([['a', 'failed']]);
    expect(told.at(-1)).toMatchObject({ code: 'driver-failed', message: 'tell: third' });
    await pass(3_600_000);
    expect(runs).toHaveLength(3);
  });

  test('waits at least as long as the other side asks for', async () => {
    const desk = openDesk();
    const answer = ask(desk, 'a');
    await turns();
    await runs[0]?.end(fails('slow down', { afterMs: 60_000 }));
    expect(await answer).toMatchObject({ nextAt: Date.now() + 60_000 });
    await pass(59_000);
    expect(runs).toHaveLength(1);
    await pass(1_000);
    expect(runs).toHaveLength(2);
    await runs[1]?.end(done);
    expect(told.at(-1)).toMatchObject({ kind: 'done' });
  });

  test('that cannot help to be tried again is over at once', async () => {
    const answer = ask(openDesk(), 'a');
    await turns();
    await runs[0]?.end(fails('no such room', { again: false }));
    expect(await answer).toMatchObject({ code: 'driver-failed', message: 'tell: no such room' });
    expect(ended()).toEqual([['a', 'failed']]);
  });

  test('refused by what was found has a code of its own, and is no trouble of the desk', async () => {
    const desk = openDesk();
    const answer = ask(desk, 'a');
    await turns();
    await runs[0]?.end(fails('is gone', { again: false, refusal: 'absent' }));
    expect(await answer).toMatchObject({ code: 'target-absent', message: 'a is gone' });
    expect(desk.trouble()).toBeUndefined();
  });

  test('that nobody wants is refused, and uses up nothing', async () => {
    const desk = openDesk({ everyMs: 60_000, burst: 1 });
    const unwanted = await ask(desk, 'a', { level: 1 });
    expect(unwanted).toMatchObject({ code: 'not-wanted', message: 'tell: level 1 is too low' });
    expect(told).toHaveLength(1);
    expect(journal.liveCount()).toBe(0);
    void ask(desk, 'b', { level: 5 });
    await turns();
    expect(runs.map(({ target }) => target)).toEqual(['b']);
  });

  test('that does not understand its own answer is over, and says so', async () => {
    const answer = ask(openDesk(), 'a');
    await turns();
    await runs[0]?.end(new Error('cannot read undefined'));
    expect(await answer).toMatchObject({ code: 'internal', message: 'cannot read undefined' });
    expect(ended()).toEqual([['a', 'failed']]);
  });

  test('stops at its first step that fails', async () => {
    const steps: string[] = [];
    const desk = createOneShotDesk(
      {
        journal,
        clock: { now: () => Date.now() },
        report: {
          refused: () => {},
          outcome: () => {},
          repaired: () => {},
          trouble: () => {},
        },
        limits: { pendingRequests: 10 },
        carrier: () => {
          throw new Error('none');
        },
        responseOf: () => 'tell',
      },
      instance,
      {
        name: 'tell',
        settings: {},
        traits: { tries: 1, repeatable: true, atOnce: 1 },
        probe: { steps: [], read: () => ({ usable: true, why: '', families: [] }) },
        perform: () => ({
          steps: ['/1', '/2', '/3'].map((path) => ({ kind: 'read-file', path }) as const),
          read: (results) => fails(`${results.length} results`, { again: false }),
        }),
      },
      async (step) => {
        if (step.kind === 'read-file') steps.push(step.path);
        return { stdout: '', stderr: '', ...(steps.length === 2 ? { failure: 'io' } : {}) };
      },
    );
    expect(await ask(desk, 'a')).toMatchObject({ message: 'tell: 2 results' });
    expect(steps).toEqual(['/1', '/2']);
  });
});

describe('many one-shots', () => {
  test('run so many beside each other and no more, in their order', async () => {
    const desk = openDesk({ atOnce: 2 });
    const answers = ['a', 'b', 'c', 'd'].map((text) => ask(desk, text));
    await turns();
    expect(runs.map(({ target }) => target)).toEqual(['a', 'b']);
    expect(desk.pending()).toBe(4);
    await runs[1]?.end(done);
    expect(runs.map(({ target }) => target)).toEqual(['a', 'b', 'c']);
    await runs[0]?.end(done);
    await runs[2]?.end(done);
    await runs[3]?.end(done);
    expect(await Promise.all(answers)).toMatchObject(Array(4).fill({ kind: 'done' }));
  });

  test('that wait for another try do not wait for those at work', async () => {
    const desk = openDesk({ atOnce: 2 });
    void ask(desk, 'stuck');
    void ask(desk, 'again');
    await turns();
    await runs[1]?.end(fails('first'));
    await pass(1_000);
    expect(runs.map(({ target }) => target)).toEqual(['stuck', 'again', 'again']);
  });

  test('for the same while it is at work are one, and share its outcome', async () => {
    const desk = openDesk();
    const [first, second] = [ask(desk, 'a'), ask(desk, 'a')];
    await turns();
    const third = ask(desk, 'a');
    await turns();
    await runs[0]?.end(done);
    for (const answer of [first, second, third])
      expect(await answer).toMatchObject({ kind: 'done' });
    expect(runs).toHaveLength(1);
    expect(told).toHaveLength(1);
    expect(ended()).toEqual([['a', 'done']]);
  });

  test('for the same while it waits leave its next try, and how often it was tried, as they are', async () => {
    const desk = openDesk({ tries: 2 });
    void ask(desk, 'a');
    await turns();
    await runs[0]?.end(fails('first', { afterMs: 5_000 }));
    await pass(1_000);
    expect(await ask(desk, 'a')).toMatchObject({
      kind: 'waiting',
      nextAt: Date.now() + 4_000,
      action: { trouble: 'first', attempts: 1 },
    });
    await pass(4_000);
    expect(runs).toHaveLength(2);
    await runs[1]?.end(fails('second'));
    expect(ended()).toEqual([['a', 'failed']]);
  });

  test('are limited in number while they wait to be written down', async () => {
    const desk = openDesk({}, () => done);
    const answers = Array.from({ length: 5_001 }, (_, index) => ask(desk, `${index}`));
    const results = await Promise.all(answers);
    expect(results.at(-1)).toMatchObject({ code: 'limit-pending' });
    expect(results.filter((one) => !(one instanceof ArError))).toHaveLength(5_000);
    expect(told.filter((one) => one instanceof ArError)).toHaveLength(1);
  });
});

describe('a one-shot with a pace', () => {
  test('is done once for all that come within it', async () => {
    const desk = openDesk({ everyMs: 60_000 }, () => done);
    expect(await ask(desk, 'a')).toMatchObject({ kind: 'done' });
    const later = await Promise.all([ask(desk, 'b'), ask(desk, 'c'), ask(desk, 'd')]);
    const nextAt = Date.now() + 60_000;
    for (const answer of later) expect(answer).toMatchObject({ kind: 'waiting', nextAt });
    await pass(59_999);
    expect(runs).toHaveLength(1);
    await pass(1);
    expect(runs.map(({ target }) => target)).toEqual(['a', 'b']);
    expect(runs[1]?.attempt?.also).toHaveLength(2);
    expect(ended()).toHaveLength(4);
    expect(told).toHaveLength(7);
    expect(await ask(desk, 'e')).toMatchObject({ kind: 'waiting' });
  });

  test('goes ahead so many times, and then gathers: the severest have a run of their own', async () => {
    const desk = openDesk({ everyMs: 60_000, burst: 3, atOnce: 10 }, () => done);
    const asked = Array.from({ length: 20 }, (_, index) =>
      ask(desk, `${index}`, { level: index === 17 ? 12 : index === 9 ? 10 : 3 }),
    );
    const answers = await Promise.all(asked);
    expect(answers.filter((one) => !(one instanceof ArError) && one.kind === 'done')).toHaveLength(
      3,
    );
    await pass(60_000);
    expect(runs.map(({ target }) => target)).toEqual(['0', '1', '2', '17', '9', '3']);
    expect(runs[5]?.attempt?.also).toHaveLength(14);
    expect(ended()).toHaveLength(20);
    await pass(60_000);
    expect(runs).toHaveLength(6);
  });

  test('keeps those apart that are tried again, as long as the pace allows', async () => {
    const desk = openDesk({ everyMs: 60_000, burst: 10 });
    void ask(desk, 'a');
    void ask(desk, 'b');
    await turns();
    await runs[0]?.end(fails('first'));
    await runs[1]?.end(fails('first'));
    await pass(1_000);
    expect(runs.map(({ target }) => target)).toEqual(['a', 'b', 'a', 'b']);
  });

  test('is not held up for hours by a clock that was set back', async () => {
    const desk = openDesk({ everyMs: 60_000 }, () => done);
    await ask(desk, 'a');
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(await ask(desk, 'b')).toMatchObject({ kind: 'done' });
  });
});

describe('after a restart', () => {
  test('what was begun and may be repeated is done again', async () => {
    void ask(openDesk(), 'a');
    await turns();
    const next = openDesk();
    await next.reconcile(false);
    await pass(0);
    expect(runs.map(({ target }) => target)).toEqual(['a', 'a']);
    expect(runs[1]?.attempt).toMatchObject({ maybeDone: true });
    await runs[1]?.end(done);
    expect(ended()).toEqual([['a', 'done']]);
  });

  test('what was begun and must not be repeated is given up, and told', async () => {
    void ask(openDesk({ repeatable: false }), 'a');
    await turns();
    await openDesk({ repeatable: false }).reconcile(false);
    await pass(0);
    expect(runs).toHaveLength(1);
    expect(ended()).toEqual([['a', 'failed']]);
    expect(told).toMatchObject([{ code: 'driver-failed' }]);
  });

  test('what was at work for the second time must not be repeated either', async () => {
    void ask(openDesk({ repeatable: false }), 'a');
    await turns();
    await runs[0]?.end(fails('first'));
    await pass(1_000);
    expect(runs).toHaveLength(2);
    await openDesk({ repeatable: false }).reconcile(false);
    expect(ended()).toEqual([['a', 'failed']]);
  });

  test.each([true, false])(
    'what waited goes on waiting until its time (repeatable: %s)',
    async (repeatable) => {
      const first = openDesk({ repeatable });
      void ask(first, 'a');
      await turns();
      await runs[0]?.end(fails('busy', { afterMs: 60_000 }));
      await first.stop(false);
      await openDesk({ repeatable }).reconcile(false);
      await pass(59_999);
      expect(runs).toHaveLength(1);
      await pass(1);
      expect(runs).toHaveLength(2);
      expect(runs[1]?.attempt).toMatchObject({ maybeDone: true });
    },
  );

  test('what was put off by the pace is done, though it was never begun', async () => {
    const first = openDesk({ repeatable: false, everyMs: 60_000 }, () => done);
    await ask(first, 'a');
    await ask(first, 'b');
    await first.stop(false);
    await openDesk({ repeatable: false, everyMs: 60_000 }, () => done).reconcile(false);
    await pass(60_000);
    expect(ended()).toEqual([
      ['b', 'done'],
      ['a', 'done'],
    ]);
  });

  test('a second look does not do again what this agent is at', async () => {
    const desk = openDesk();
    await desk.reconcile(false);
    void ask(desk, 'a');
    await turns();
    await desk.reconcile(false);
    await pass(60_000);
    expect(runs).toHaveLength(1);
  });
});

describe('at the end', () => {
  test('what runs is waited for, and what does not is left to the next agent', async () => {
    const desk = openDesk({ atOnce: 1, repeatable: false });
    const [first, second] = [ask(desk, 'a'), ask(desk, 'b')];
    await turns();
    let stopped = false;
    const stop = desk.stop(false).then(() => {
      stopped = true;
    });
    await turns();
    expect(stopped).toBe(false);
    expect(await second).toMatchObject({ kind: 'waiting' });
    await runs[0]?.end(done);
    expect(await first).toMatchObject({ kind: 'done' });
    await stop;
    expect(runs).toHaveLength(1);
    await openDesk({ repeatable: false }).reconcile(false);
    await pass(0);
    expect(runs.map(({ target }) => target)).toEqual(['a', 'b']);
  });

  test('nothing begins any more', async () => {
    const desk = openDesk();
    void ask(desk, 'a');
    await turns();
    await runs[0]?.end(fails('first'));
    await desk.stop(false);
    await pass(60_000);
    expect(runs).toHaveLength(1);
  });
});

describe('with a full disk', () => {
  let full: boolean;
  const disk = () => {
    if (full) throw new ArError('journal-failed', 'the disk is full', 'Make room.');
  };
  beforeEach(() => {
    full = false;
    const inner = journal;
    journal = {
      ...inner,
      intend: (...args) => {
        disk();
        return inner.intend(...args);
      },
      settle: (...args) => {
        disk();
        inner.settle(...args);
      },
    };
  });

  test('nothing is begun that is not written down, and that is told', async () => {
    const desk = openDesk();
    full = true;
    expect(await ask(desk, 'a')).toMatchObject({ code: 'journal-failed' });
    expect(runs).toEqual([]);
    expect(told).toMatchObject([{ code: 'journal-failed' }]);
  });

  test('what was done and could not be written down is written later, and not done again', async () => {
    const desk = openDesk();
    const answer = ask(desk, 'a');
    await turns();
    full = true;
    await runs[0]?.end(done);
    expect(await answer).toMatchObject({ code: 'journal-failed' });
    await pass(1_000);
    expect(journal.liveCount()).toBe(1);
    full = false;
    await pass(2_000);
    expect(ended()).toEqual([['a', 'done']]);
    await pass(600_000);
    expect(runs).toHaveLength(1);
  });

  test('it is written at the end of the agent, if not before', async () => {
    const desk = openDesk();
    void ask(desk, 'a');
    await turns();
    full = true;
    await runs[0]?.end(done);
    full = false;
    await desk.stop(false);
    expect(ended()).toEqual([['a', 'done']]);
  });

  test('a try that is due waits until it can be written down', async () => {
    const desk = openDesk();
    void ask(desk, 'a');
    await turns();
    await runs[0]?.end(fails('first'));
    full = true;
    await pass(5_000);
    expect(runs).toHaveLength(1);
    expect(troubles.length).toBeGreaterThan(0);
    full = false;
    await pass(10_000);
    expect(runs).toHaveLength(2);
  });
});
