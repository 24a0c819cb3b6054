/** Puts the stages together. Used by the running agent, by `--direct` and by `--dry-run` alike. */
import { randomUUID } from 'node:crypto';
import type { Driver, DriverKind, OneShot, OneShotKind, Usability } from '../platform/driver.ts';
import { drivers, oneShots } from '../platform/index.ts';
import { planFlows } from '../platform/linux/flows.ts';
import type { Runner } from '../platform/step.ts';
import { createChoosing } from './choosing.ts';
import { createEndpoints } from './config/notification-secrets.ts';
import type { Config } from './config/settings.ts';
import type { Reporter } from './desk.ts';
import { driverSettings } from './driver-settings.ts';
import { createCarrier } from './engine/carry-out.ts';
import { type Choice, choose } from './engine/choose.ts';
import { createFlowEnder } from './engine/flow-ender.ts';
import { createFlow, type Flow } from './flow.ts';
import { type Journal, openJournal } from './journal/journal.ts';
import { configuredResponses } from './notifications.ts';
import { decide } from './policy/decide.ts';
import { createGuard } from './policy/guard.ts';
import { findResponse, responses } from './policy/responses.ts';
import { createScriptParts } from './script/services.ts';
import { scriptDriver } from './script/settings.ts';
import { type Clock, createClock } from './system/clock.ts';
import { createBus } from './system/dbus/bus.ts';
import { createEssentials } from './system/machine.ts';
import type { ScriptRunner } from './system/run-script.ts';
import { createRunner, toolFolders } from './system/runner.ts';
import type { Instance } from './words.ts';

/** Put around what touches disk and machine; how a test stops the agent at a given moment. */
export interface Adornments {
  runner?(inner: Runner): Runner;
  journal?(inner: Journal): Journal;
  oneShot?(inner: OneShot): OneShot;
  readonly scripts?: (inner: ScriptRunner) => ScriptRunner;
}

export interface Composed {
  readonly flow: Flow;
  readonly journal: Journal;
  readonly clock: Clock;
  /** Every driver and one-shot: what its probe said, and how it would be set up. */
  readonly probes: readonly {
    readonly driver: string;
    readonly instance: Instance;
    readonly usability: Usability;
  }[];
  /** What each response would be carried out by now. */
  readonly chosen: ReadonlyMap<string, Choice>;
  /** Why each response has the driver it has, a line each. */
  readonly choices: readonly string[];
}

export interface ComposeOptions {
  readonly config: Config;
  /** Folder of the journal, or `:memory:` for one that nobody keeps. */
  readonly state: string;
  /** How long to wait for somebody else to let go of the journal. */
  readonly lockWaitMs?: number;
  readonly report: Reporter;
  readonly adornments?: Adornments;
  /** Whether to listen for what others do to effects: for an agent that goes on running. */
  readonly watching?: boolean;
}

export async function compose(options: ComposeOptions): Promise<Composed> {
  const { config, report, adornments } = options;
  const opened = openJournal(options.state, options.lockWaitMs);
  const journal = adornments?.journal?.(opened) ?? opened;
  const bus = createBus(config.dbusSocket);
  const endpoints = createEndpoints(config.notifications);
  const systemRunner = createRunner(toolFolders, bus, endpoints);
  const run = adornments?.runner?.(systemRunner) ?? systemRunner;
  const clock = createClock();
  const kinds = [...drivers, ...oneShots];
  const probes = await Promise.all(kinds.map((kind) => probe(kind, config, run)));
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
  const guard = createGuard({
    neverBlock: config.neverBlock,
    widestPrefix: { 4: config.widestPrefixIpv4, 6: config.widestPrefixIpv6 },
  });
  const scripts = createScriptParts(config, journal, adornments?.scripts);
  const flows = createFlowEnder({
    plan: planFlows,
    run,
    ended: (ended) => report.flowsEnded?.(ended),
  });
  const endsFlows = ({ traits }: Driver): boolean =>
    config.establishedConnections === 'end' ||
    (config.establishedConnections === 'auto' && traits.leavesFlows === true);
  const essentials = createEssentials(config.managers, clock.now);
  const flow = createFlow({
    journal,
    clock,
    report,
    ...(options.watching === true ? { watch: bus.watch } : {}),
    limits: config.limits,
    essentials,
    define: (request) =>
      configured.get(request.response) ?? findResponse(request.response) ?? scripts.define(request),
    decide: (request, definition, essential) =>
      decide(request, { definition, guard, essential, newName: randomUUID }),
    script: (instance) => (instance.driver === scriptDriver ? scripts.services : undefined),
    oneShot: (instance) => {
      const kind = oneShots.find(({ name }) => name === instance.driver);
      if (kind === undefined) return undefined;
      const oneShot = kind.make(instance.settings);
      return { oneShot: adornments?.oneShot?.(oneShot) ?? oneShot, run };
    },
    choose: (response, target) => choosing.choose(response, target),
    firstFor: (response) => {
      const found = configured.get(response);
      return found === undefined ? choosing.firstFor(response) : [found.instance];
    },
    usable: () => probes.flatMap(({ usability, instance }) => (usability.usable ? instance : [])),
    carrier: (instance) =>
      createCarrier(kindOf(instance).make(instance.settings), run, (found) =>
        journal.remember(instance, found),
      ),
    made: (driver, targets) => {
      if (endsFlows(driver)) flows.end(targets);
    },
    close: flows.close,
    responseOf: (driver) =>
      responses.find((response) => response.drivers.includes(driver))?.name ?? driver,
  });
  const choices = [...chosen.values()].map(({ why }) => why);
  return { flow, journal, clock, probes, chosen, choices };
}

async function probe(kind: DriverKind | OneShotKind, config: Config, run: Runner) {
  const settings = { ...kind.defaults, ...driverSettings(config)[kind.name] };
  const { probe } = kind.make(settings);
  const usability = probe.read(await Promise.all(probe.steps.map(run)));
  const instance: Instance = { driver: kind.name, settings: usability.settled ?? settings };
  // What it takes can follow from what was found.
  const { traits } = kind.make(instance.settings);
  const prefixes = 'prefixes' in traits && traits.prefixes;
  return { driver: kind.name, instance, usability, prefixes };
}

function kindOf(instance: Instance): DriverKind {
  const kind = drivers.find(({ name }) => name === instance.driver);
  if (kind === undefined) throw new Error(`there is no driver ${instance.driver}`);
  return kind;
}
