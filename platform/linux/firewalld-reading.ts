/** What of ours firewalld holds now. */
import type { FoundEffect, Inquiry, Reading, Settings } from '../driver.ts';
import { parsePrinted } from '../printed.ts';
import type { CommandStep, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import {
  answerOf,
  answersOf,
  ask,
  askBackend,
  call,
  isRecord,
  isTexts,
  whyNot,
} from './firewalld-calls.ts';
import { sourcesOfDropping } from './firewalld-probe.ts';

type Found = Inquiry<Reading<AddressTarget>>;

/** firewalld does not notice when somebody empties the kernel's ruleset, and goes on saying yes. */
const askTables: CommandStep = {
  kind: 'command',
  tool: 'nft',
  args: ['-j', 'list', 'tables', 'inet'],
};

/** One that starts is on the bus before its rules are in the kernel, and answers when they are. */
const askTablesThen = ([answered]: readonly StepResult[]): CommandStep[] =>
  answered?.failure === undefined ? [askTables] : [];

export function inspectRules({ zones = '', priority = '' }: Settings): Found {
  const names = zones.split(' ').filter(Boolean);
  return {
    steps: [
      // A zone that was taken away has no rules.
      ask(
        'zone',
        names.map((zone) => call('getRichRules', zone)),
        { alreadySo: ['INVALID_ZONE'] },
      ),
      ask('zone', [call('getActiveZones')]),
      ask('', [call('getDefaultZone')]),
      askBackend,
    ],
    more: askTablesThen,
    read: ([rules, active, standard, backend, tables]) => {
      const lists = answersOf(rules)?.flatMap((answer) => (answer.length === 0 ? [] : answer));
      if (lists === undefined || lists.length === 0) return unknown(rules);
      if (!lists.every(isTexts)) return unknown(undefined);
      const [inUse, first] = [answerOf(active), answerOf(standard)];
      if (!isRecord(inUse)) return unknown(active);
      if (typeof first !== 'string') return unknown(standard);
      const left = [first, ...Object.keys(inUse)].filter((zone) => !names.includes(zone));
      return {
        ...reading(inAll(lists, priority)),
        trouble: flushed(backend, tables) ?? uncovered(left),
      };
    },
  };
}

/** Targets of our rules; those that are not in every zone stand only in part. */
function inAll(
  lists: readonly (readonly string[])[],
  priority: string,
): FoundEffect<AddressTarget>[] {
  const ours = new RegExp(
    `^rule priority="${priority}" family="ipv[46]" source address="([0-9a-f:./]+)" drop$`,
  );
  const targets = lists.flatMap((rules) =>
    rules.flatMap((rule) => {
      const text = ours.exec(rule)?.[1];
      return text === undefined ? [] : (parsePrinted(text) ?? []);
    }),
  );
  return [...Map.groupBy(targets, ({ text }) => text).values()].map((some) => {
    const target = some[0] as AddressTarget;
    return some.length === lists.length ? { target } : { target, partial: true };
  });
}

function uncovered([zone]: readonly string[]): string | undefined {
  return zone === undefined
    ? undefined
    : `zone ${zone} is in use and was not when ar-exec started: nothing is blocked in it until ar-exec is started again`;
}

export function inspectZone({ zone = '', ipset4 = '', ipset6 = '' }: Settings): Found {
  const sets = [ipset4, ipset6].filter((set) => set !== '');
  return {
    steps: [
      ask('zone', [call('getZoneSettings2', zone)]),
      askBackend,
      ...sets.map((set) => ask('ipset', [call('getEntries', set)])),
    ],
    more: askTablesThen,
    read: ([settings, backend, ...rest]) => {
      const entries = rest.slice(0, sets.length);
      const tables = rest[sets.length];
      if (settings === undefined || settings.failure !== undefined) return unknown(settings);
      const sources = sourcesOfDropping(answerOf(settings));
      if (sources === undefined)
        return lost(`zone ${zone} does not drop what comes from its sources`);
      const unbound = sets.find((set) => !sources.includes(`ipset:${set}`));
      if (unbound !== undefined) return lost(`ipset ${unbound} is no source of zone ${zone}`);
      const texts = [...sources];
      for (const [index] of sets.entries()) {
        const list = answerOf(entries[index]);
        if (!isTexts(list)) return unknown(entries[index]);
        texts.push(...list);
      }
      // What is no address (a MAC, another ipset) was never ours.
      const targets = texts.flatMap((text) => parsePrinted(text) ?? []);
      const effects = targets.map((target) => ({ target }));
      return { ...reading(effects), trouble: flushed(backend, tables) };
    },
  };
}

function flushed(
  backend: StepResult | undefined,
  tables: StepResult | undefined,
): string | undefined {
  if (answerOf(backend) !== 'nftables' || tables?.failure !== undefined) return undefined;
  const names = tablesOf(tables?.stdout ?? '');
  return names === undefined || names.includes('firewalld')
    ? undefined
    : 'the table of firewalld is gone from the kernel (nft flush ruleset?), and firewalld did not notice: restart it (a reload fails)';
}

function tablesOf(text: string): readonly string[] | undefined {
  try {
    const { nftables } = JSON.parse(text) as { nftables?: { table?: { name?: string } }[] };
    if (!Array.isArray(nftables)) return undefined;
    return nftables.flatMap(({ table }) => table?.name ?? []);
  } catch {
    return undefined;
  }
}

function reading(effects: readonly FoundEffect<AddressTarget>[]) {
  const none = { containers: [], foreign: [], setup: () => [], teardown: () => [] };
  return { known: true as const, effects, ...none };
}

function unknown(result: StepResult | undefined): Reading<AddressTarget> {
  return { known: false, why: whyNot(result) };
}

function lost(why: string): Reading<AddressTarget> {
  return { known: false, why: `firewalld: ${why}` };
}
