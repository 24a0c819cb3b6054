/**
 * The journal against a model of it that is a few lines long: whatever is asked in whatever order,
 * they agree.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Journal, openJournal } from '../../agent/journal/journal.ts';
import type { Action, ActionState, Change, Intent } from '../../agent/words.ts';
import { type AddressTarget, parseTarget } from '../../platform/target.ts';
import { instance, order } from './sample.ts';

interface Held {
  state: ActionState;
  deadlineAt: number | undefined;
  dueAt: number | undefined;
  preExisting: boolean;
  /** What its effect is taken back with: one for all that hold the effect. */
  memory: string | undefined;
}

/** Live actions by response and target, and what is over, word for word. */
interface Model {
  now: number;
  readonly held: Map<string, Held>;
  readonly ended: Map<number, string>;
}

interface Real {
  readonly folder: string;
  journal: Journal;
}

const responses = ['firewall-drop', 'other'] as const;
const targets = ['203.0.113.7', '2001:db8::7', '198.51.100.0/24'] as const;
const isLive: readonly ActionState[] = ['intended', 'active', 'missing', 'reverting'];
const keyOf = (response: string, target: string): string => `${response} ${target}`;
const later = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : Math.max(a, b);

/** What must hold after every command. */
function agree(model: Model, { journal }: Real): void {
  const live = journal.list('live', 1_000);
  const described = live.map((one) => [
    keyOf(one.response, one.target.text),
    {
      state: one.state,
      deadlineAt: one.deadlineAt,
      preExisting: one.preExisting,
      memory: one.memory?.['was'],
    },
  ]);
  const wanted = [...model.held].map(([key, { state, deadlineAt, preExisting, memory }]) => [
    key,
    { state, deadlineAt, preExisting, memory },
  ]);
  expect(new Map(described as [string, object][])).toEqual(new Map(wanted as [string, object][]));
  expect(live).toHaveLength(model.held.size);
  expect(journal.liveCount()).toBe(model.held.size);
  const counts = Object.values(journal.counts()).reduce((sum, count) => sum + count, 0);
  expect(counts).toBe(model.held.size);

  const due = [...model.held].filter(([, { dueAt }]) => dueAt !== undefined && dueAt <= model.now);
  const dueKeys = journal
    .due(instance, model.now, 1_000)
    .map((one) => keyOf(one.response, one.target.text));
  expect(dueKeys.sort()).toEqual(due.map(([key]) => key).sort());
  const next = [...model.held.values()].flatMap(({ dueAt }) => dueAt ?? []);
  expect(journal.nextDueAt(instance)).toBe(next.length === 0 ? undefined : Math.min(...next));

  const ended = journal.list('ended', 1_000);
  for (const one of ended) {
    const text = JSON.stringify(one);
    expect(model.ended.get(one.id) ?? text, 'what is over never changes again').toBe(text);
    model.ended.set(one.id, text);
  }
  expect(ended).toHaveLength(model.ended.size);
}

type Result = 'done' | 'failed' | 'unknown' | 'pre-existing' | 'crash';

class Add implements fc.Command<Model, Real> {
  readonly response: string;
  readonly target: string;
  readonly timeoutSeconds: number | undefined;
  readonly result: Result;

  constructor(
    response: string,
    target: string,
    timeoutSeconds: number | undefined,
    result: Result,
  ) {
    this.response = response;
    this.target = target;
    this.timeoutSeconds = timeoutSeconds;
    this.result = result;
  }
  check = (): boolean => true;
  toString = (): string =>
    `add ${this.response} ${this.target} ${this.timeoutSeconds ?? 'for ever'}: ${this.result}`;

  run(model: Model, real: Real): void {
    const { response, timeoutSeconds } = this;
    const key = keyOf(response, this.target);
    const before = model.held.get(key);
    const asked = timeoutSeconds === undefined ? undefined : model.now + timeoutSeconds * 1_000;
    const intent = intend(real, order('add', this.target, { response, timeoutSeconds }), model.now);
    const anew = before === undefined || before.state === 'reverting';
    const deadlineAt = anew ? asked : later(before.deadlineAt, asked);
    if (before?.state === 'active' && deadlineAt === before.deadlineAt) {
      expect(intent.kind).toBe('keep');
      agree(model, real);
      return;
    }
    if (intent.kind !== 'apply') throw new Error(`an addition came to ${intent.kind}`);
    expect(intent.isNew).toBe(before === undefined);
    expect(intent.refreshed).toBe(before?.state === 'active');
    expect(intent.action.deadlineAt).toBe(deadlineAt);
    const others = [...model.held].filter(
      ([other, { state }]) =>
        other !== key && other.endsWith(` ${this.target}`) && state !== 'reverting',
    );
    expect(intent.endsAt).toBe(
      others.reduce((end, [, one]) => later(end, one.deadlineAt), deadlineAt),
    );
    const state = anew ? 'intended' : before.state;
    // Whoever comes second goes by what was found before the first.
    const remembered = holdersOf(model, this.target).find(({ memory }) => memory !== undefined);
    const { preExisting = false, memory } = before ?? remembered ?? {};
    model.held.set(key, { state, deadlineAt, dueAt: deadlineAt, preExisting, memory });
    expect(intent.action).toMatchObject({
      preExisting,
      ...(memory && { memory: { was: memory } }),
    });
    agree(model, real);
    this.finish(model, real, intent);
  }

  private finish(model: Model, real: Real, intent: Extract<Intent, { kind: 'apply' }>): void {
    const held = model.held.get(keyOf(this.response, this.target));
    if (held === undefined) throw new Error('the model has lost it');
    const { id } = intent.action;
    const dueAt = model.now + 1_000;
    switch (this.result) {
      case 'crash':
        reopen(real);
        break;
      case 'done':
      case 'pre-existing':
        held.preExisting = this.result === 'pre-existing';
        held.state = 'active';
        settle(real, { id, state: 'active', preExisting: held.preExisting }, model.now);
        break;
      case 'failed':
        if (intent.isNew) {
          model.held.delete(keyOf(this.response, this.target));
          settle(real, { id, state: 'failed', trouble: 'failed' }, model.now);
          remember(model, real, id);
        } else {
          held.state = 'missing';
          settle(real, { id, state: 'missing', trouble: 'failed' }, model.now);
        }
        break;
      case 'unknown':
        held.state = 'reverting';
        held.dueAt = dueAt;
        settle(real, { id, state: 'reverting', trouble: 'unknown', dueAt }, model.now);
        break;
    }
    agree(model, real);
  }
}

class Delete implements fc.Command<Model, Real> {
  readonly response: string;
  readonly target: string;
  readonly forget: boolean;
  readonly onlyWhenDue: boolean;
  readonly result: 'done' | 'failed' | 'crash';

  constructor(
    response: string,
    target: string,
    how: 'delete' | 'forget' | 'expire',
    result: 'done' | 'failed' | 'crash',
  ) {
    this.response = response;
    this.target = target;
    this.forget = how === 'forget';
    this.onlyWhenDue = how === 'expire';
    this.result = result;
  }
  check = (): boolean => true;
  toString = (): string =>
    `delete ${this.response} ${this.target} ${this.forget} ${this.onlyWhenDue}: ${this.result}`;

  run(model: Model, real: Real): void {
    const { response, forget, onlyWhenDue } = this;
    const key = keyOf(response, this.target);
    const before = model.held.get(key);
    const intent = intend(
      real,
      order('delete', this.target, { response, forget, onlyWhenDue }),
      model.now,
    );
    const due = before?.dueAt !== undefined && before.dueAt <= model.now;
    if (before === undefined || (onlyWhenDue && !due)) {
      expect(intent.kind).toBe('absent');
    } else {
      const others = [...model.held].filter(
        ([other, { state }]) =>
          other !== key && other.endsWith(` ${this.target}`) && state !== 'reverting',
      );
      const released = forget || others.length > 0 || before.preExisting;
      expect(intent.kind).toBe(released ? 'release' : 'revert');
      if (intent.kind === 'absent') return;
      if (!released) {
        before.state = 'reverting';
        before.dueAt = model.now;
      }
      agree(model, real);
      this.finish(model, real, intent.action, released);
    }
    agree(model, real);
  }

  private finish(model: Model, real: Real, { id }: Action, released: boolean): void {
    const key = keyOf(this.response, this.target);
    const held = model.held.get(key);
    if (this.result === 'crash') {
      reopen(real);
    } else if (this.result === 'failed' && !released && held !== undefined) {
      const dueAt = model.now + 4_000;
      held.dueAt = dueAt;
      settle(real, { id, state: 'reverting', trouble: 'busy', dueAt, triedAgain: true }, model.now);
    } else {
      model.held.delete(key);
      settle(real, { id, state: this.forget ? 'forgotten' : 'reverted' }, model.now);
      remember(model, real, id);
    }
  }
}

class Remember implements fc.Command<Model, Real> {
  readonly target: string;
  readonly was: string;
  readonly preExisting: boolean;
  constructor(target: string, was: string, preExisting: boolean) {
    this.target = target;
    this.was = was;
    this.preExisting = preExisting;
  }
  check = (): boolean => true;
  toString = (): string =>
    `remember of ${this.target} that it was ${this.was}: ${this.preExisting}`;

  run(model: Model, real: Real): void {
    const { was, preExisting } = this;
    const target = parseTarget(this.target) as AddressTarget;
    real.journal.remember(instance, [{ target, memory: { was }, preExisting }]);
    for (const one of holdersOf(model, this.target))
      Object.assign(one, { memory: was, preExisting });
    agree(model, real);
  }
}

function holdersOf(model: Model, target: string): Held[] {
  return [...model.held].flatMap(([key, one]) => (key.endsWith(` ${target}`) ? one : []));
}

class Pass implements fc.Command<Model, Real> {
  readonly seconds: number;
  constructor(seconds: number) {
    this.seconds = seconds;
  }
  check = (): boolean => true;
  toString = (): string => `${this.seconds} s pass`;
  run(model: Model, real: Real): void {
    model.now += this.seconds * 1_000;
    agree(model, real);
  }
}

class Reopen implements fc.Command<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'reopen';
  run(model: Model, real: Real): void {
    reopen(real);
    agree(model, real);
  }
}

function intend(real: Real, one: ReturnType<typeof order>, now: number): Intent {
  const [intent] = real.journal.intend([one], now);
  if (intent === undefined) throw new Error('no intent for an order');
  return intent;
}

function settle(real: Real, change: Change, now: number): void {
  real.journal.settle([change], now);
}

/** The row as it ended; `agree` holds every later look against it. */
function remember(model: Model, real: Real, id: number): void {
  const row = real.journal.list('ended', 1_000).find((one) => one.id === id);
  expect(row?.endedAt).toBe(model.now);
  expect(isLive).not.toContain(row?.state);
  model.ended.set(id, JSON.stringify(row));
}

function reopen(real: Real): void {
  real.journal.close();
  real.journal = openJournal(real.folder);
}

const response = fc.constantFrom(...responses);
const target = fc.constantFrom(...targets);
const timeout = fc.option(fc.constantFrom(1, 10, 60), { nil: undefined });
const commands = [
  fc
    .tuple(
      response,
      target,
      timeout,
      fc.constantFrom<Result>('done', 'done', 'failed', 'unknown', 'pre-existing', 'crash'),
    )
    .map((words) => new Add(...words)),
  fc
    .tuple(
      response,
      target,
      fc.constantFrom('delete' as const, 'forget' as const, 'expire' as const),
      fc.constantFrom('done' as const, 'failed' as const, 'crash' as const),
    )
    .map((words) => new Delete(...words)),
  fc
    .tuple(target, fc.constantFrom('open', 'shut'), fc.boolean())
    .map((words) => new Remember(...words)),
  fc.constantFrom(1, 5, 60).map((seconds) => new Pass(seconds)),
  fc.constant(new Reopen()),
];

test('the journal does what its model does', { timeout: 60_000 }, () => {
  fc.assert(
    fc.property(fc.commands(commands, { size: '+1', maxCommands: 40 }), (run) => {
      const folder = mkdtempSync(join(tmpdir(), 'ar-exec-model-'));
      const real: Real = { folder, journal: openJournal(folder) };
      try {
        const model = { now: 1_000_000, held: new Map(), ended: new Map() };
        fc.modelRun(() => ({ model, real }), run);
      } finally {
        real.journal.close();
        rmSync(folder, { recursive: true });
      }
    }),
    { numRuns: Number(process.env['AR_EXEC_PROPERTY_RUNS'] ?? 60) },
  );
});
