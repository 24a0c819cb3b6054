/**
 * Blocks with sets of the administrator's, whose rules say what happens to what is in them. Nothing
 * but elements is made or taken away: no table, no chain, no rule, no set.
 *
 * An element of ours carries a comment. `create element` never takes over one that is there already,
 * as `add` would (from Linux 6.12 on `add` even gives it another end).
 */
import type { Driver, DriverKind, Effect, NftablesWatch, Reading, Settings } from '../driver.ts';
import type { CommandStep, Step, StepResult } from '../step.ts';
import { type AddressTarget, addressRange } from '../target.ts';
import {
  askAllSets,
  type Content,
  complaint,
  contentOf,
  declarationOf,
  readAllSets,
  readListed,
  type SetName,
} from './nft-set-reading.ts';
import { askTables, diagnose, mergeTrouble, readProbe } from './nftables-set-probe.ts';

const dayMs = 86_400_000;
/** nft takes up to 49,710 days (32 bits of seconds). */
const longestDays = 49_708;
/** How an element without an end is written where the set would give it one. */
const foreverDays = 49_709;

/**
 * `expiry` and `prefixes` are settled by how the sets were made; two sets of two kinds come to what
 * both can. `expiry`: `kernel`; `kernel-always`, where the set gives an end to whatever has none;
 * `agent`, where it has no timeouts.
 */
const defaults: Settings = {
  ipv4: 'inet filter ossec_ar4',
  ipv6: 'inet filter ossec_ar6',
  mark: 'ar-exec',
  expiry: '',
  prefixes: '',
};

export const nftablesSet: DriverKind<AddressTarget> = {
  name: 'nftables-set',
  defaults,
  about: {
    systems: ['Linux'],
    add: '`nft`: puts it into a set of yours, which your own rules ask for',
    remove: '`nft`: takes it out of the set',
    options: ['nftables_set/ipv4', 'nftables_set/ipv6'],
  },
  make,
};

function make(settings: Settings): Driver<AddressTarget> {
  const names = namesOf(settings);
  const setFor = ({ family }: AddressTarget) => names.find((name) => name.family === family);
  return {
    name: 'nftables-set',
    settings,
    traits: {
      selfExpiring: settings['expiry'] !== 'agent',
      longestExpiryMs: longestDays * dayMs,
      prefixes: settings['prefixes'] !== 'no',
      batchSize: 4_096,
      sharesPlace: true,
      leavesFlows: true,
    },
    probe: {
      steps: [version, ...askAllSets, ...askTables(names)],
      read: (results) => readProbe(settings, names, results),
    },
    inspect: {
      steps: [...askAllSets, ...names.map(listSet)],
      read: (results) => readSets(settings, names, results),
    },
    container: () => undefined,
    watch: names.map(watchSet),
    apply: (effects) => plan(effects, setFor, (set, some) => applyLines(settings, set, some)),
    revert: (effects) => plan(effects, setFor, revertLines),
    diagnose: {
      steps: askTables(names),
      read: (results) => diagnose(names, results),
    },
  };
}

const version: CommandStep = { kind: 'command', tool: 'nft', args: ['--version'] };

function watchSet({ words: [family, table, set] }: SetName): NftablesWatch {
  return { kind: 'nftables', family: family as NftablesWatch['family'], table, set };
}

function listSet({ words }: SetName): CommandStep {
  return { kind: 'command', tool: 'nft', args: ['-j', 'list', 'set', ...words] };
}

/** The sets that are named; a family without one is not served. */
function namesOf(settings: Settings): SetName[] {
  return ([4, 6] as const).flatMap((family) => {
    const text = settings[`ipv${family}`] ?? '';
    const [kind, table, set] = text.split(' ');
    if (kind === undefined || table === undefined || set === undefined) return [];
    return [{ family, text, words: [kind, table, set] as const }];
  });
}

type Lines = (set: SetName, effects: readonly Effect<AddressTarget>[]) => string[];

/** One transaction for both sets. */
function plan(
  effects: readonly Effect<AddressTarget>[],
  setFor: (target: AddressTarget) => SetName | undefined,
  linesOf: Lines,
): Step[] {
  const bySet = Map.groupBy(effects, ({ target }) => setFor(target));
  const lines = [...bySet].flatMap(([set, some]) => (set === undefined ? [] : linesOf(set, some)));
  if (lines.length === 0) return [];
  const stdin = `${lines.join('\n')}\n`;
  return [{ kind: 'command', tool: 'nft', args: ['-f', '-'], stdin, standby: true }];
}

/** What stands is taken out and put back within the transaction, with its new end. */
function applyLines(
  settings: Settings,
  set: SetName,
  effects: readonly Effect<AddressTarget>[],
): string[] {
  const standing = effects.filter((effect) => effect.standing === true);
  const elements = effects.map(
    ({ target, expiresInMs }) =>
      `${target.text}${timeout(settings, expiresInMs)} comment "${settings['mark']}"`,
  );
  return [
    ...(standing.length > 0 ? revertLines(set, standing) : []),
    `create element ${set.text} { ${elements.join(', ')} }`,
  ];
}

function revertLines(set: SetName, effects: readonly Effect<AddressTarget>[]): string[] {
  const elements = effects.map(({ target }) => target.text).join(', ');
  return [`delete element ${set.text} { ${elements} }`];
}

/** In days and milliseconds: nft (1.0.6) takes no number of more than eight digits here. */
function timeout({ expiry }: Settings, expiresInMs: number | undefined): string {
  if (expiry === 'agent') return '';
  if (expiresInMs === undefined)
    return expiry === 'kernel-always' ? ` timeout ${foreverDays}d` : '';
  const whole = Math.max(1, Math.min(longestDays * dayMs, Math.ceil(expiresInMs)));
  return ` timeout ${Math.floor(whole / dayMs)}d${whole % dayMs}ms`;
}

function readSets(
  settings: Settings,
  names: readonly SetName[],
  results: readonly StepResult[],
): Reading<AddressTarget> {
  const sets = readAllSets(results);
  if (sets === undefined) {
    return { known: false, why: `nft list sets: ${complaint(results.find(isFailed))}` };
  }
  const contents = results.slice(askAllSets.length);
  const found: Content[] = [];
  for (const [index, name] of names.entries()) {
    const declaration = declarationOf(name, sets);
    // Whoever took the set away took away what was in it.
    if (declaration === undefined) continue;
    const objects = readListed(contents[index]);
    const content =
      objects === undefined
        ? undefined
        : contentOf(name, objects, {
            mark: settings['mark'] ?? 'ar-exec',
            foreverSeconds: foreverDays * 86_400,
          });
    if (content === undefined) {
      return { known: false, why: `set ${name.text}: ${complaint(contents[index])}` };
    }
    if (declaration.merges && content.ours.length > 0) {
      return { known: false, why: mergeTrouble(name) };
    }
    found.push(content);
  }
  return {
    known: true,
    containers: [],
    effects: found.flatMap(({ ours }) => ours),
    foreign: found.flatMap(({ foreign }) => foreign),
    isCovered: (target) => isCovered(target, found),
    setup: () => [],
    teardown: () => [],
  };
}

/** Whether something of others, wider than the target, does for it what we would do. */
function isCovered(target: AddressTarget, found: readonly Content[]): boolean {
  const { first, last } = addressRange(target);
  return found.some(({ others }) =>
    others.some(
      (range) => range.family === target.family && range.first <= first && last <= range.last,
    ),
  );
}

function isFailed({ failure }: StepResult): boolean {
  return failure !== undefined;
}
