/** Puts the stages together. Used by the running agent, by `--direct` and by `--dry-run` alike. */
import { randomUUID } from 'node:crypto';
import type { DriverKind, OneShot } from '../platform/driver.ts';
import { drivers, flowsOn, oneShots } from '../platform/index.ts';
import type { Runner } from '../platform/step.ts';
import type { System } from '../platform/system.ts';
import { currentSystem } from './config/default-paths.ts';
import type { Config } from './config/settings.ts';
import type { Reporter } from './desk/desk.ts';
import { createCarrier } from './engine/carry-out.ts';
import { createFlowEnder, flowSteps } from './engine/flow-ender.ts';
import { createFlow, type Flow } from './flow.ts';
import { askedByAlerts, heldByAlerts } from './held-by-alerts.ts';
import { type Journal, openJournal } from './journal/journal.ts';
import { type KeptJournal, keepJournal } from './journal/keep.ts';
import { type Breaker, createBreaker } from './policy/breaker.ts';
import { decide } from './policy/decide.ts';
import { escalationOf } from './policy/offenders.ts';
import { responses } from './policy/responses.ts';
import { createScriptParts } from './script/services.ts';
import { scriptDriver } from './script/settings.ts';
import { type Settled, settle } from './settle/settle.ts';
import { type Clock, createClock } from './system/clock.ts';
import { createBus } from './system/dbus/bus.ts';
import type { KnownNames } from './system/manager-addresses.ts';
import type { ScriptRunner } from './system/run-script.ts';
import { createRunner } from './system/runner.ts';
import { createOwnWork } from './system/watch/own-work.ts';
import { createWatching } from './system/watch/watching.ts';
import type { Instance } from './words.ts';

/** Put around what touches disk and machine; how a test stops the agent at a given moment. */
export interface Adornments {
  runner?(inner: Runner): Runner;
  journal?(inner: Journal): Journal;
  oneShot?(inner: OneShot): OneShot;
  readonly scripts?: (inner: ScriptRunner) => ScriptRunner;
}

const minuteMs = 60_000;

export interface Composed {
  readonly flow: Flow;
  readonly journal: Journal;
  /** Looks after the journal's file; absent where it is open for a moment only. */
  readonly kept: Pick<KeptJournal, 'tend' | 'mishaps'> | undefined;
  readonly clock: Clock;
  readonly breaker: Breaker;
  /** What the configuration comes to on this machine now. */
  settled(): Settled;
  /** Goes by another configuration from now on; what is in work and what is held is not touched. */
  reload(config: Config): Promise<void>;
  /** Looks anew at what the drivers stand on, and goes by what is found. */
  lookAgain(): Promise<void>;
}

export interface ComposeOptions {
  readonly config: Config;
  /** Folder of the journal, or `:memory:` for one that nobody keeps. */
  readonly state: string;
  /** How long to wait for somebody else to let go of the journal. */
  readonly lockWaitMs?: number;
  readonly report: Reporter;
  readonly adornments?: Adornments;
  /** What it runs on; this machine's own if absent. */
  readonly system?: System;
  /** Whether to go on with a journal that is damaged or cannot be written to: see journal/keep.ts. */
  readonly keeping?: boolean;
  /** Whether to listen for what others do to effects: for an agent that goes on running. */
  readonly watching?: boolean;
}

export async function compose(options: ComposeOptions): Promise<Composed> {
  const { report, adornments, system = currentSystem() } = options;
  const kept =
    options.keeping === true ? keepJournal(options.state, options.lockWaitMs) : undefined;
  const opened = kept ?? openJournal(options.state, options.lockWaitMs);
  const journal = adornments?.journal?.(opened) ?? opened;
  const clock = createClock();
  const bus = createBus(options.config.dbusSocket);
  const own = createOwnWork();
  let { toolTimeLimitSeconds } = options.config;
  const systemRunner = createRunner({
    bus,
    endpoints: (name) => settled.endpoints(name),
    own,
    limitMs: () => toolTimeLimitSeconds * 1_000,
  });
  const run = adornments?.runner?.(systemRunner) ?? systemRunner;
  const names: KnownNames = new Map();
  const settleNow = (config: Config) => settle(config, { run, now: clock.now, system, names });
  let settled = await settleNow(options.config);
  let settling: Promise<unknown> = Promise.resolve();
  /** One after the other: what was read last counts. */
  const settleAnew = (config: () => Config): Promise<void> => {
    const next = settling.then(async () => {
      const wanted = config();
      // What works here is not to be taken for unusable because less time is given from now on.
      toolTimeLimitSeconds = Math.max(toolTimeLimitSeconds, wanted.toolTimeLimitSeconds);
      settled = await settleNow(wanted);
      ({ toolTimeLimitSeconds } = wanted);
    });
    settling = next.catch(() => {});
    return next;
  };
  const scripts = createScriptParts(() => settled.config, journal, adornments?.scripts);
  const breaker = createBreaker({
    settings: () => settled.config.breaker,
    held: heldByAlerts(journal, clock, () => settled.config.breaker.held),
    now: clock.now,
    before: askedByAlerts(journal, clock.now() - minuteMs, settled.config.breaker.perMinute),
    onChange: (state) => report.breaker?.(state),
  });
  const flows = createFlowEnder({
    plan: flowsOn(system),
    run,
    ended: (ended) => report.flowsEnded?.(ended),
  });
  const flow = createFlow({
    journal,
    clock,
    report,
    ...(options.watching === true ? { watch: createWatching(bus, own) } : {}),
    limits: {
      get pendingRequests() {
        return settled.config.limits.pendingRequests;
      },
      get activeActions() {
        return settled.config.limits.activeActions;
      },
    },
    essentials: () => settled.essentials(),
    define: (request) =>
      settled.define(request.response) ??
      scripts.define(request, settled.foreign(request.response)),
    decide: (request, definition, essential) =>
      decide(request, {
        definition,
        guard: settled.guard,
        essential,
        system,
        newName: randomUUID,
      }),
    breaker,
    escalation: (request, decision) => escalationOf(request, decision, settled.config),
    script: (instance) => (instance.driver === scriptDriver ? scripts.services : undefined),
    oneShot: (instance) => {
      const kind = oneShots.find(({ name }) => name === instance.driver);
      if (kind === undefined) return undefined;
      const oneShot = kind.make(instance.settings);
      return { oneShot: adornments?.oneShot?.(oneShot) ?? oneShot, run };
    },
    choose: (response, target) => settled.choose(response, target),
    firstFor: (response) => settled.firstFor(response),
    usable: () =>
      settled.probes.flatMap(({ usability, instance }) => (usability.usable ? instance : [])),
    carrier: (instance) =>
      createCarrier(kindOf(instance).make(instance.settings), run, (found) =>
        journal.remember(instance, found),
      ),
    made: (driver, targets) => {
      if (settled.endsFlows(driver)) flows.end(targets);
    },
    madeSteps: async (driver, targets) => {
      if (!settled.endsFlows(driver)) return [];
      const addresses = targets.filter((target) => target.kind === 'address');
      return flowSteps(flowsOn(system)(addresses), run);
    },
    close: flows.close,
    responseOf: (driver) =>
      responses.find((response) => response.drivers.includes(driver))?.name ?? driver,
  });
  return {
    flow,
    journal,
    kept,
    clock,
    breaker,
    settled: () => settled,
    reload: (config) => settleAnew(() => config),
    lookAgain: () => settleAnew(() => settled.config),
  };
}

function kindOf(instance: Instance): DriverKind {
  const kind = drivers.find(({ name }) => name === instance.driver);
  if (kind === undefined) throw new Error(`there is no driver ${instance.driver}`);
  return kind;
}
