import type { Reporter } from '../desk/desk.ts';
import { ArError, describeError } from '../errors.ts';
import type { Log } from '../observe/log.ts';
import type { ManagerLog } from '../observe/manager-log.ts';
import { iso } from '../reply.ts';
import type { Action, Order } from '../words.ts';

/** Different ones; they can have numbers in them. */
const troublesAtMost = 1_000;

/** Tells what happened to the agent's own log and, where a manager asked, to the manager's. */
export function createReporter(log: Log, managerLog: ManagerLog): Reporter {
  const troublesTold = new Set<string>();
  const removed = (action: Action, why: string, logged = false): void => {
    log.info({ ...factsOf(action), trouble: action.trouble }, why);
    const line = logged ? undefined : managerLineOf(action);
    if (line !== undefined) managerLog.removed(line, action.target.text, driverOf(action));
  };
  const failed = (order: Order, error: ArError): void => {
    // An expiry that came too late for what it was made for is nothing to tell.
    if (error.code === 'not-held' && order.onlyWhenDue === true) return;
    const { response, target, verb } = order;
    log.warn({ verb, response, target: target.text, ...describeError(error) }, 'not done');
    const line = managerLineOf(order);
    if (line !== undefined) managerLog.failed(line, error.message);
  };
  return {
    refused: ({ verb, response, origin, managerLine, logged }, error) => {
      const { dialect, by, ruleId } = origin;
      log.warn({ verb, response, dialect, by, ruleId, ...describeError(error) }, 'refused');
      // The name of an unknown response is a stranger's text, and would begin the manager's lines.
      const known = !(error instanceof ArError && error.code === 'response-unknown');
      if (managerLine !== undefined && logged !== true && known) {
        managerLog.failed(managerLine, describeError(error).message);
      }
    },
    outcome: (order, outcome) => {
      if (outcome instanceof ArError) {
        failed(order, outcome);
        return;
      }
      const { action, kind } = outcome;
      if (kind === 'waiting') {
        const nextTry = iso(outcome.nextAt);
        log.warn({ ...factsOf(action), trouble: action.trouble, nextTry }, 'waiting');
        return;
      }
      if (kind === 'active' || kind === 'done') {
        const refreshed = kind === 'active' ? outcome.refreshed : undefined;
        log.info({ ...factsOf(action), refreshed, trouble: action.trouble }, kind);
        const line = managerLineOf(order);
        // A restart or a message is about nothing that execd could look for again.
        const key =
          kind === 'done' && action.target.kind === 'named' ? undefined : action.target.text;
        if (line !== undefined) managerLog.added(line, key, driverOf(action));
      } else removed(action, hasExpired(action, order) ? 'expired' : kind, order.logged);
    },
    repaired: ({ driver }, { ended, orphans, trouble, ...repaired }, cause) => {
      for (const action of ended) removed(action, 'ended while nobody watched');
      const { changes, reapplied, mended } = repaired;
      const facts = {
        driver,
        changes: changes.length,
        reapplied,
        mended,
        removed: repaired.removed,
        noticedBy: cause?.by,
        what: cause?.what,
      };
      if (orphans.length > 0)
        log.warn({ driver, adopted: orphans.length }, 'effects without an owner');
      if (trouble !== undefined) log.error({ ...facts, trouble }, 'journal and machine differ');
      else if (reapplied + mended + repaired.removed > 0)
        log.warn(facts, 'repaired what differed from the journal');
      else log.debug(facts, 'journal and machine agree');
    },
    fight: ({ driver }, fight) => {
      if (fight === undefined) {
        log.info({ driver }, 'nobody undoes it any longer');
        return;
      }
      const { times, withinMs, what, pauseMs } = fight;
      log.warn(
        { driver, times, withinMs, what, pauseMs },
        'somebody undoes what is put back, again and again: it is put back more slowly',
      );
    },
    flowsEnded: ({ troubles, ...facts }) => {
      if (facts.sockets + facts.flows > 0) log.info(facts, 'connections ended');
      else log.debug(facts, 'no connections to end');
      for (const trouble of troubles) {
        // A tool that is missing is missing at every block: it is told once.
        const told = troublesTold.has(trouble) || troublesTold.size >= troublesAtMost;
        log[told ? 'debug' : 'warn']({ trouble }, 'connections may go on');
        if (!told) troublesTold.add(trouble);
      }
    },
    breaker: ({ open, since, settings, ...facts }) => {
      if (open) log.error({ ...facts, ...settings }, 'the breaker opened');
      else log.warn(facts, 'the breaker closed');
    },
    released: (action, what) =>
      log.warn({ ...factsOf(action), what }, 'released: it must never be blocked'),
    trouble: ({ driver }, error) => log.error({ driver, ...describeError(error) }, 'trouble'),
  };
}

/** Wazuh 5 tells by which means an address was blocked. */
function driverOf({ target, instance }: Action): string | undefined {
  return target.kind === 'address' ? instance.driver : undefined;
}

/** A script can be one that writes active-responses.log itself. */
function managerLineOf(of: Order | Action): string | undefined {
  const isWritten = of.instance.settings['log'] === 'no' || ('logged' in of && of.logged === true);
  return isWritten ? undefined : of.managerLine;
}

/** The timetable also brings back what a person deleted and a tool did not take back at once. */
export function hasExpired({ deadlineAt }: Action, { onlyWhenDue }: Order): boolean {
  return onlyWhenDue === true && deadlineAt !== undefined && deadlineAt <= Date.now();
}

function factsOf({ id, response, target, instance, deadlineAt, origin }: Action) {
  return {
    action: id,
    response,
    target: target.text,
    driver: instance.driver,
    until: deadlineAt === undefined ? null : iso(deadlineAt),
    dialect: origin.dialect,
    ruleId: origin.ruleId,
    by: origin.by,
  };
}
