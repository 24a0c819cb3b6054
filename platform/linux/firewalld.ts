/**
 * firewalld, at runtime and over D-Bus: nothing permanent is changed, and nothing is reloaded.
 *
 * Zones and ipsets can only be made in the permanent configuration, so what is used is settled by what
 * the administrator has made (firewalld-probe.ts):
 * - `zone`: a zone for ar-exec alone, whose target drops. Whatever is a source of it is ours. Hosts are
 *   entries of an ipset that is a source of the zone, where there is one.
 * - `rules`: rich rules in every zone that was in use when the agent started, told from others' by their
 *   priority. They keep packets from this machine, not from what is behind it.
 */
import type { DbusWatch, Driver, DriverKind, Effect, Settings } from '../driver.ts';
import type { DbusCall, Step } from '../step.ts';
import { type AddressTarget, isHost } from '../target.ts';
import { ask, call, objectPath, service } from './firewalld-calls.ts';
import { probeSteps, readProbe } from './firewalld-probe.ts';
import { inspectRules, inspectZone } from './firewalld-reading.ts';

/**
 * `mode`, `zones` and which of the ipsets are there is settled by the probe. `priority` marks our rich
 * rules: firewalld takes -32768 to 32767, and looks at rules below 0 before all others.
 */
const defaults: Settings = {
  mode: '',
  zone: 'ar-exec',
  ipset4: 'ar-exec4',
  ipset6: 'ar-exec6',
  zones: '',
  priority: '-17373',
};

/** All that runs out of firewalld's memory: a reload (also a complete one), a restart, another zone. */
const watch: DbusWatch = {
  kind: 'dbus',
  service,
  signals: [
    { path: objectPath, interface: service, member: 'Reloaded' },
    { path: objectPath, interface: service, member: 'DefaultZoneChanged' },
    { path: objectPath, interface: `${service}.zone`, member: 'InterfaceAdded' },
    { path: objectPath, interface: `${service}.zone`, member: 'ZoneOfInterfaceChanged' },
  ],
};

export const firewalld: DriverKind<AddressTarget> = {
  name: 'firewalld',
  defaults,
  about: {
    systems: ['Linux'],
    add: 'firewalld over D-Bus: an entry of an ipset, a source of a zone, or a rich rule',
    remove: 'firewalld over D-Bus: takes it out again',
    options: ['firewalld/zone', 'firewalld/ipset_ipv4', 'firewalld/ipset_ipv6', 'dbus_socket'],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const way = settings['mode'] === 'zone' ? inZone(settings) : byRules(settings);
    return {
      name: 'firewalld',
      settings,
      traits: { selfExpiring: false, prefixes: true, batchSize: 1_000, leavesFlows: true },
      probe: {
        steps: probeSteps(settings),
        read: (results) => readProbe(settings, results),
      },
      inspect: settings['mode'] === 'zone' ? inspectZone(settings) : inspectRules(settings),
      container: () => undefined,
      apply: way.apply,
      revert: way.revert,
      watch: [watch],
    };
  },
};

type Way = Pick<Driver<AddressTarget>, 'apply' | 'revert'>;

function byRules({ zones = '', priority = '' }: Settings): Way {
  const names = zones.split(' ').filter(Boolean);
  const inEach = (
    effects: readonly Effect<AddressTarget>[],
    one: (zone: string, rule: string) => DbusCall,
  ) => effects.flatMap(({ target }) => names.map((zone) => one(zone, ruleOf(target, priority))));
  const add = (zone: string, rule: string): DbusCall => ({
    member: 'addRichRule',
    signature: 'ssi',
    args: [zone, rule, 0],
  });
  const remove = (zone: string, rule: string): DbusCall => call('removeRichRule', zone, rule);
  return {
    apply: (effects) => [ask('zone', inEach(effects, add), { alreadySo: ['ALREADY_ENABLED'] })],
    revert: (effects) => [
      ask('zone', inEach(effects, remove), { alreadySo: ['NOT_ENABLED', 'INVALID_ZONE'] }),
    ],
  };
}

/** As firewalld prints it, so that both come to the same text. */
function ruleOf({ family, text }: AddressTarget, priority: string): string {
  return `rule priority="${priority}" family="ipv${family}" source address="${text}" drop`;
}

function inZone(settings: Settings): Way {
  const { zone = '' } = settings;
  const setOf = (target: AddressTarget): string =>
    (isHost(target) ? settings[`ipset${target.family}`] : undefined) ?? '';
  const plan = (
    effects: readonly Effect<AddressTarget>[],
    entries: (set: string, all: readonly string[]) => Step,
    sources: (all: readonly string[]) => Step,
  ): Step[] =>
    [...Map.groupBy(effects, ({ target }) => setOf(target))].map(([set, some]) => {
      const texts = some.map(({ target }) => target.text);
      return set === '' ? sources(texts) : entries(set, texts);
    });
  const each = (member: string, to: string, all: readonly string[]): DbusCall[] =>
    all.map((text) => call(member, to, text));
  return {
    apply: (effects) =>
      plan(
        effects,
        (set, all) =>
          ask('ipset', each('addEntry', set, all), {
            alreadySo: ['ALREADY_ENABLED'],
            ...(all.length > 1 ? { first: fill(set, all) } : {}),
          }),
        (all) => ask('zone', each('addSource', zone, all), { alreadySo: ['ZONE_ALREADY_SET'] }),
      ),
    revert: (effects) =>
      plan(
        effects,
        (set, all) =>
          ask('ipset', each('removeEntry', set, all), {
            alreadySo: ['NOT_ENABLED', 'INVALID_IPSET'],
          }),
        (all) =>
          ask('zone', each('removeSource', zone, all), {
            // In conflict: it is a source of somebody else's zone by now.
            alreadySo: ['UNKNOWN_SOURCE', 'ZONE_CONFLICT', 'INVALID_ZONE'],
          }),
      ),
  };
}

/**
 * All at once, sixty times as fast as one by one. Only into an empty set: firewalld empties a set before
 * it fills it, and would let in for a moment what is in it.
 */
function fill(set: string, all: readonly string[]) {
  return {
    ifEmpty: call('getEntries', set),
    call: { member: 'setEntries', signature: 'sas', args: [set, all] },
  };
}
