/**
 * READ FIRST. The way of a request, as code: this is the only place where the stages meet.
 *
 *   accept   intake -> policy -> journal (intent) -> engine -> journal (outcome) -> reply
 *   revert   timetable -> the same road, as an order to delete what is due
 *   recover  journal <-> what the machine holds: repair the difference
 *
 * Every driver instance has a desk of its own (desk/desk.ts): a lane, where what waits together is carried
 * out together, and a timetable. Nothing here knows a socket, a database or a tool by name.
 */
import type { OneShot } from '../platform/driver.ts';
import type { Runner } from '../platform/step.ts';
import type { Target } from '../platform/target.ts';
import { createDesk, type Desk, type DeskStages } from './desk/desk.ts';
import { carryOut, type Ways } from './desk/next-driver.ts';
import { createOneShotDesk } from './desk/one-shot-desk.ts';
import type { Plan } from './desk/plan.ts';
import { createScriptDesk } from './desk/script-desk.ts';
import { ArError } from './errors.ts';
import { instanceKey } from './instance-key.ts';
import { type Breaker, isAutomatic } from './policy/breaker.ts';
import type { Decision } from './policy/decide.ts';
import type { Protected } from './policy/guard.ts';
import type { ResponseDefinition } from './policy/responses.ts';
import type { ScriptServices } from './script/bench.ts';
import type { Escalation, Instance, Outcome, Request } from './words.ts';

/** The stages, put together by daemon.ts. */
export interface Stages extends DeskStages {
  /** What the machine must not cut off; at once, if that is known freshly. */
  essentials(): readonly Protected[] | Promise<readonly Protected[]>;
  /** The response that a request's name stands for, at once if it is a built-in one. */
  define(request: Request): ResponseDefinition | Promise<ResponseDefinition>;
  /** Policy: what a request means here. Throws when it is refused. */
  decide(
    request: Request,
    definition: ResponseDefinition,
    essential: readonly Protected[],
  ): Decision;
  /** Policy: how an order is answered that the same target has set off before; undefined: alike. */
  escalation?(request: Request, decision: Decision): Escalation | undefined;
  /** Policy: refuses what alerts ask for when it is more than a machine could stand to lose. */
  readonly breaker?: Pick<Breaker, 'check'>;
  /** Engine: which drivers can carry out a response for a target, the best first, and why. */
  choose(response: string, target: Target): Chosen;
  /** The one-shot that an instance is of, and the door to the machine; undefined for a driver. */
  oneShot(instance: Instance): { readonly oneShot: OneShot; readonly run: Runner } | undefined;
  /** What the desk of a script needs; undefined for anything else. */
  script(instance: Instance): ScriptServices | undefined;
  /** The instances that `choose` can name first for a response. */
  firstFor(response: string): readonly Instance[];
  /** Instances that may hold effects though no action says so. */
  usable(): readonly Instance[];
  /** Resolves when what follows from effects that were made (see `made`) is done. */
  close?(): Promise<void>;
  readonly limits: DeskStages['limits'] & { readonly activeActions: number };
}

export interface Flow {
  /** Carries a request out. Rejects with an ArError when it is refused or did not come true. */
  accept(request: Request): Promise<Outcome | Plan>;
  /** Makes journal and machine agree; what cannot be put right now is tried again by itself. */
  recover(options: { readonly adopt: boolean }): Promise<void>;
  desks(): readonly Desk[];
  /** Finishes what is in work, and leaves or takes back what is held. */
  stop(options: { readonly revert: boolean }): Promise<void>;
}

/** What carries out a response, if anything can. */
export interface Chosen {
  readonly instance?: Instance | undefined;
  /** What can do it besides, in order of preference. */
  readonly others: readonly Instance[];
  readonly why: string;
  /** There is one, but for single addresses only. */
  readonly hostsOnly?: boolean | undefined;
}

interface Admitted {
  readonly decision: Decision;
  readonly instance: Instance;
  readonly desk: Desk;
  /** What can do it besides, should this one fail. */
  readonly others: readonly Instance[];
}

const none: readonly Instance[] = [];
const dayMs = 86_400_000;

export function createFlow(stages: Stages): Flow {
  const { journal } = stages;
  const desks = new Map<string, Desk>();
  /** Most requests come with the very instance object of the one before. */
  const byInstance = new WeakMap<Instance, Desk>();
  /** Whether instances that nobody would choose today hold something; they get nothing new. */
  let othersHold = true;
  let stopping = false;

  const deskOf = (instance: Instance): Desk => {
    const quick = byInstance.get(instance);
    if (quick !== undefined) return quick;
    const key = instanceKey(instance);
    const desk = desks.get(key) ?? openDesk(stages, instance);
    desks.set(key, desk);
    byInstance.set(instance, desk);
    return desk;
  };

  /** What is held is the business of the driver that made it, whatever would be chosen today. */
  const holderOf = ({ definition, target }: Decision): Instance | undefined =>
    othersHold || definition.instance !== undefined
      ? journal.holder(definition.name, target.text)?.instance
      : undefined;

  /** A script is its own choice. */
  const choose = ({ definition, target }: Decision): ReturnType<Stages['choose']> =>
    definition.instance === undefined
      ? stages.choose(definition.name, target)
      : { instance: definition.instance, others: none, why: definition.summary };

  /** What a request comes to before it goes to a desk. Throws when it is refused. */
  const admit = (
    request: Request,
    definition: ResponseDefinition,
    essential: readonly Protected[],
  ): Admitted => {
    if (stopping) {
      throw new ArError('agent-stopping', 'the agent is stopping', 'Ask again when it is back.');
    }
    const decision = stages.decide(request, definition, essential);
    const chosen = choose(decision);
    const holder = holderOf(decision);
    const instance = holder ?? chosen.instance;
    if (instance === undefined) throw noDriver(request, decision, chosen);
    const desk = deskOf(instance);
    const full = journal.liveCount() + desk.pending() >= stages.limits.activeActions;
    if (full && request.verb === 'add' && !isHeld(decision)) {
      throw new ArError(
        'limit-actions',
        `${stages.limits.activeActions} actions are held already`,
        'Wait until some end, delete some, or raise <active_actions>.',
      );
    }
    if (isNewWish(request, decision)) stages.breaker?.check(decision.target.text, desk.pending());
    const others = holder === undefined && request.verb === 'add' ? chosen.others : none;
    return { decision, instance, desk, others };
  };

  /** What an alert wants to have blocked, and is not yet. */
  const isNewWish = (request: Request, decision: Decision): boolean =>
    request.verb === 'add' &&
    request.dryRun !== true &&
    isAutomatic(request.origin) &&
    (decision.definition.stateful || decision.definition.guardsAddress === true) &&
    !isHeld(decision);

  const isHeld = ({ definition, target }: Decision): boolean =>
    journal.holder(definition.name, target.text) !== undefined;

  const accept = async (request: Request): Promise<Outcome | Plan> => {
    const essentials = stages.essentials();
    const essential = essentials instanceof Promise ? await essentials : essentials;
    let admitted: Admitted;
    try {
      const defined = stages.define(request);
      const definition = defined instanceof Promise ? await defined : defined;
      admitted = admit(request, definition, essential);
    } catch (error) {
      stages.report.refused(request, error);
      throw error;
    }
    const { decision, instance, desk, others } = admitted;
    const { definition, target, facts } = decision;
    const response = definition.name;
    if (request.onlyHeld === true && !isHeld(decision)) {
      throw new ArError('not-held', `${response} ${target.text} is not held`, 'Nothing was done.');
    }
    if (request.dryRun === true) {
      return desk.plan(request, decision, choose(decision).why);
    }
    const { verb, managerLine, logged, forget } = request;
    const { forceProtected } = request;
    const origin = forceProtected ? { ...request.origin, forced: true as const } : request.origin;
    const timeoutSeconds = definition.stateful ? request.timeoutSeconds : undefined;
    const escalation = stages.escalation?.(request, decision);
    const told = { origin, managerLine, logged, escalation };
    const order = { verb, response, target, instance, timeoutSeconds, facts, forget, ...told };
    return carryOut(ways, order, others);
  };

  /**
   * An agent that was killed had no time to take away what was empty, and this one may have been told
   * to go by another driver since. Tried once: whose tools are gone has nothing here any more.
   */
  const tidyUp = async (instance: Instance): Promise<void> => {
    // Desks see to that themselves.
    if (desks.has(instanceKey(instance)) || !isDriver(instance)) return;
    await stages.carrier(instance).teardown();
  };

  const isDriver = (instance: Instance): boolean =>
    stages.script(instance) === undefined && stages.oneShot(instance) === undefined;

  const ways: Ways = {
    journal,
    report: stages.report,
    deskOf,
    isStopping: () => stopping,
    onNext: () => {
      othersHold = true;
    },
  };

  return {
    accept,
    desks: () => [...desks.values()],
    recover: async ({ adopt }) => {
      const known = [...journal.instances(), ...stages.usable()];
      await Promise.all([...new Set(known.map(deskOf))].map((desk) => desk.reconcile(adopt)));
      const former = journal.endedInstances(stages.clock.now() - dayMs);
      // What this version or system does not know has to be left.
      await Promise.allSettled(former.map(tidyUp));
      othersHold = journal.holdings().some(({ response, instance }) => {
        const first = stages.firstFor(response).map(deskOf);
        const alone = first.length > 0 && first.every((desk) => desk === deskOf(instance));
        return stages.script(instance) === undefined && !alone;
      });
    },
    stop: async ({ revert }) => {
      stopping = true;
      await Promise.all([...desks.values()].map((desk) => desk.stop(revert)));
      await stages.close?.();
    },
  };
}

function noDriver(
  { response }: Request,
  { target }: Decision,
  { why, hostsOnly }: Chosen,
): ArError {
  if (hostsOnly === true) {
    return new ArError(
      'prefix-too-wide',
      `${target.text} is a prefix, and what carries out ${response} here takes single addresses only`,
      'Name the addresses one by one.',
    );
  }
  return new ArError(
    'driver-unavailable',
    `nothing on this machine can carry out ${response} for ${target.text}: ${why}`,
    'Install one of these facilities, or run ar-exec with the rights it needs.',
  );
}

function openDesk(stages: Stages, instance: Instance): Desk {
  const script = stages.script(instance);
  if (script !== undefined) return createScriptDesk(stages, instance, script);
  const found = stages.oneShot(instance);
  if (found === undefined) return createDesk(stages, instance);
  return createOneShotDesk(stages, instance, found.oneShot, found.run);
}
