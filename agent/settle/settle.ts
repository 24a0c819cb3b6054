/** What a configuration comes to on this machine. It is made anew when the configuration is. */
import type { Driver, DriverKind, OneShotKind, Usability } from '../../platform/driver.ts';
import { kindsOn } from '../../platform/index.ts';
import type { Runner } from '../../platform/step.ts';
import type { System } from '../../platform/system.ts';
import { createEndpoints } from '../config/notification-secrets.ts';
import type { Config } from '../config/settings.ts';
import { ask } from '../engine/ask.ts';
import { type Choice, choose } from '../engine/choose.ts';
import { createGuard, type Guard, type Protected } from '../policy/guard.ts';
import {
  findResponse,
  findResponseOn,
  type ResponseDefinition,
  responses,
} from '../policy/responses.ts';
import { createGateways } from '../system/gateways.ts';
import { createEssentials } from '../system/machine.ts';
import type { KnownNames } from '../system/manager-addresses.ts';
import type { Endpoints, Instance } from '../words.ts';
import { type Choosing, createChoosing } from './choosing.ts';
import { driverSettings } from './driver-settings.ts';
import { configuredResponses } from './notifications.ts';

/** A driver or one-shot: what its probe said, and how it would be set up. */
export interface Probed {
  readonly driver: string;
  readonly instance: Instance;
  readonly usability: Usability;
}

export interface Settled extends Choosing {
  readonly config: Config;
  readonly probes: readonly Probed[];
  /** What each response would be carried out by. */
  readonly chosen: ReadonlyMap<string, Choice>;
  /** Why each response has the driver it has, a line each. */
  readonly choices: readonly string[];
  readonly guard: Guard;
  readonly endpoints: Endpoints;
  /** What the machine must not cut off now; at once, if that is known freshly. */
  essentials(): readonly Protected[] | Promise<readonly Protected[]>;
  /** The configured or built-in response that a name stands for, if it is one for this system. */
  define(name: string): ResponseDefinition | undefined;
  /** One that is built in, and for other systems. */
  foreign(name: string): ResponseDefinition | undefined;
  /** Whether connections that stand are ended when a driver has made an effect. */
  endsFlows(driver: Driver): boolean;
}

interface Surroundings {
  readonly run: Runner;
  readonly system: System;
  /** Milliseconds since 1970. */
  now(): number;
  /** What the names of managers stood for when it was settled before. */
  readonly names?: KnownNames | undefined;
}

/** Probes every driver, and chooses. */
export async function settle(
  config: Config,
  { run, now, system, names }: Surroundings,
): Promise<Settled> {
  const { drivers, oneShots } = kindsOn(system);
  const kinds = [...drivers, ...oneShots];
  const ask = onceEach(run);
  const probes = await Promise.all(kinds.map((kind) => probe(kind, { config, run: ask, system })));
  const chosen = new Map(
    responses.map((response) => {
      const preferred = config.drivers.get(response.name) ?? response.drivers;
      const candidates = preferred.flatMap(
        (name) => probes.find((one) => one.driver === name) ?? [],
      );
      return [response.name, choose(response.name, candidates, response.target === 'address')];
    }),
  );
  const choosing = createChoosing(chosen, probes);
  const configured = configuredResponses(config.notifications);
  const isForHere = ({ drivers }: ResponseDefinition): boolean =>
    drivers.some((name) => kinds.some((kind) => kind.name === name));
  return {
    config,
    probes,
    chosen,
    choices: [...chosen.values()].map(({ why }) => why),
    choose: choosing.choose,
    firstFor: (response) => {
      const found = configured.get(response);
      return found === undefined ? choosing.firstFor(response) : [found.instance];
    },
    guard: createGuard({
      neverBlock: config.neverBlock,
      widestPrefix: { 4: config.widestPrefixIpv4, 6: config.widestPrefixIpv6 },
    }),
    endpoints: createEndpoints(config.notifications),
    essentials: createEssentials(config.managers, now, createGateways(system, run), names),
    define: (name) => {
      const found = configured.get(name) ?? findResponseOn(system, name);
      return found !== undefined && isForHere(found) ? found : undefined;
    },
    foreign: (name) => {
      const found = findResponse(name);
      return found === undefined || isForHere(found) ? undefined : found;
    },
    endsFlows: ({ traits }) =>
      config.establishedConnections === 'end' ||
      (config.establishedConnections === 'auto' && traits.leavesFlows === true),
  };
}

/** Drivers that share a facility ask the same of it. */
function onceEach(run: Runner): Runner {
  const asked = new Map<string, ReturnType<Runner>>();
  return (step) => {
    const key = JSON.stringify(step);
    const answer = asked.get(key) ?? run(step);
    asked.set(key, answer);
    return answer;
  };
}

async function probe(
  kind: DriverKind | OneShotKind,
  { config, run, system }: { config: Config; run: Runner; system: System },
) {
  const own = 'defaultsOn' in kind ? kind.defaultsOn?.(system) : undefined;
  const settings = { ...kind.defaults, ...own, ...driverSettings(config)[kind.name] };
  const { probe } = kind.make(settings);
  const usability = probe.read(await ask(probe, run));
  const instance: Instance = { driver: kind.name, settings: usability.settled ?? settings };
  // What it takes can follow from what was found.
  const { traits } = kind.make(instance.settings);
  const prefixes = 'prefixes' in traits && traits.prefixes;
  return { driver: kind.name, instance, usability, prefixes };
}
