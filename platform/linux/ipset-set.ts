/**
 * Blocks with sets of the administrator's, whose rules say what happens to what is in them. Nothing
 * but entries is made or taken away: no set, no chain, no rule.
 *
 * A set that was made with `comment` tells ours from others' entries by it. In one without, only what
 * the journal has is ours: each address is looked at before it is put in, and what was there already
 * stays.
 */
import type {
  Driver,
  DriverKind,
  Effect,
  Examined,
  Question,
  Reading,
  Settings,
} from '../driver.ts';
import type { CommandStep, Step, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { diagnose, probe } from './ipset-set-probe.ts';
import {
  askSaved,
  type Entry,
  readSaved,
  readSavedOnce,
  type Saved,
  type SetName,
} from './ipset-set-reading.ts';
import { families } from './xtables.ts';

/** ipset refuses a longer timeout (ipset(8); 32 bits of milliseconds in the kernel). */
const longestSeconds = 2_147_483;
/** See ipset.ts: a whole batch reaches the kernel in one write, or not at all. */
const batchSize = 1_000;

/**
 * `marks` (`comment`, `none`), `expiry` (`kernel`, `agent`) and `prefixes` are settled by how the sets
 * were made; two sets of two kinds come to what both can.
 */
const defaults: Settings = {
  ipv4: '',
  ipv6: '',
  mark: 'ar-exec',
  marks: '',
  expiry: '',
  prefixes: '',
};

export const ipsetSet: DriverKind<AddressTarget> = {
  name: 'ipset-set',
  defaults,
  about: {
    systems: ['Linux'],
    add: '`ipset`: puts it into a set of yours, which your own rules ask for',
    remove: '`ipset`: takes it out of the set',
    options: ['ipset_set/ipv4', 'ipset_set/ipv6'],
  },
  make,
};

function make(settings: Settings): Driver<AddressTarget> {
  const names = families.flatMap((family): SetName[] => {
    const name = settings[`ipv${family}`] ?? '';
    return name === '' ? [] : [{ family, name }];
  });
  const marked = settings['marks'] !== 'none';
  return {
    name: 'ipset-set',
    settings,
    traits: {
      selfExpiring: settings['expiry'] !== 'agent',
      longestExpiryMs: longestSeconds * 1_000,
      prefixes: settings['prefixes'] !== 'no',
      batchSize,
      leavesFlows: true,
      ...(marked ? { sharesPlace: true } : { unmarked: true }),
    },
    probe: probe(settings, names),
    inspect: { steps: askSaved(names), read: (results) => read(settings, names, results) },
    ...(marked ? {} : { examine: (target: AddressTarget) => examine(names, target) }),
    container: () => undefined,
    watch: [{ kind: 'ipset', sets: names.map(({ name }) => name) }],
    apply: (effects) => apply(settings, names, effects.filter(wasAbsent)),
    revert: (effects) => revert(names, effects.filter(wasAbsent)),
    diagnose: diagnose(names),
  };
}

/** Without marks: what stood there before us is neither changed nor taken away. */
function wasAbsent({ memory }: Effect<AddressTarget>): boolean {
  return memory?.['before'] !== 'present';
}

function examine(names: readonly SetName[], target: AddressTarget): Question<Examined> {
  return {
    steps: askSaved(names),
    read: (results) => {
      const saved = readSavedOnce(names, results)[names.findIndex(isFor(target))];
      if (saved?.there !== true) {
        const why = saved?.there === 'unknown' ? saved.why : 'the set is not there';
        return { fit: 'unknown', why };
      }
      const present = saved.entries.some((entry) => entry.target.text === target.text);
      return present
        ? { fit: true, memory: { before: 'present' }, preExisting: true }
        : { fit: true, memory: { before: 'absent' } };
    },
  };
}

function isFor(target: AddressTarget): (name: SetName) => boolean {
  return ({ family }) => family === target.family;
}

/** A new entry is refused where one is already, so that nobody's is taken over. */
function apply(
  settings: Settings,
  names: readonly SetName[],
  effects: readonly Effect<AddressTarget>[],
): Step[] {
  const standing = effects.filter((effect) => effect.standing === true);
  const fresh = effects.filter((effect) => effect.standing !== true);
  const linesOf = (some: readonly Effect<AddressTarget>[]): string[] =>
    some.flatMap((effect) => {
      const name = names.find(isFor(effect.target))?.name;
      return name === undefined ? [] : [addLine(settings, name, effect)];
    });
  return [...restore(linesOf(standing), ['-exist']), ...restore(linesOf(fresh), [])];
}

function revert(names: readonly SetName[], effects: readonly Effect<AddressTarget>[]): Step[] {
  const lines = effects.flatMap(({ target }) => {
    const name = names.find(isFor(target))?.name;
    return name === undefined ? [] : [`del ${name} ${target.text}`];
  });
  return restore(lines, ['-exist']);
}

function restore(lines: readonly string[], options: readonly string[]): CommandStep[] {
  if (lines.length === 0) return [];
  const stdin = lines.map((line) => `${line}\n`).join('');
  return [{ kind: 'command', tool: 'ipset', args: ['restore', ...options], stdin }];
}

/** A timeout of 0 is none, also where the set gives one to what has none. */
function addLine(
  { expiry, marks, mark }: Settings,
  name: string,
  { target, expiresInMs }: Effect<AddressTarget>,
): string {
  const seconds =
    expiresInMs === undefined
      ? 0
      : Math.min(longestSeconds, Math.max(1, Math.ceil(expiresInMs / 1_000)));
  const timeout = expiry === 'agent' ? '' : ` timeout ${seconds}`;
  const comment = marks === 'none' ? '' : ` comment "${mark}"`;
  return `add ${name} ${target.text}${timeout}${comment}`;
}

function read(
  settings: Settings,
  names: readonly SetName[],
  results: readonly StepResult[],
): Reading<AddressTarget> {
  const all = readSaved(names, results);
  const unknown = all.find((saved) => saved.there === 'unknown');
  if (unknown !== undefined) return { known: false, why: unknown.why };
  if (all.length === 0) return { known: false, why: 'no set is named' };
  const entries = all.flatMap(entriesOf);
  const isOurs = ({ comment }: Entry): boolean =>
    settings['marks'] === 'none' || comment === settings['mark'];
  return {
    known: true,
    containers: [],
    effects: entries.filter(isOurs).map(({ comment: _comment, ...effect }) => effect),
    foreign: entries.filter((entry) => !isOurs(entry)).map(({ target }) => target),
    setup: () => [],
    teardown: () => [],
  };
}

/** Whoever took the set away took away what was in it. */
function entriesOf(saved: Saved): readonly Entry[] {
  return saved.there === true ? saved.entries : [];
}
