/** What happens, as the results log has it. */
import { isIP } from 'node:net';
import type { Reporter } from '../desk/desk.ts';
import { ArError, describeError } from '../errors.ts';
import type { Result, ResultsLog } from '../observe/results-log.ts';
import { iso } from '../reply.ts';
import type { Action, Order, Origin, Request } from '../words.ts';
import { hasExpired } from './report.ts';

/** The rules in scripts/wazuh that make alerts of this log. */
const ownRules = { from: 119_800, to: 119_849, group: 'ar_exec' };

export function createResultsReporter({ record }: ResultsLog): Reporter {
  return {
    refused: (request, error) => {
      if (request.dryRun === true || isOwnAlert(request)) return;
      record({ result: 'refused', ...factsOfRequest(request), ...factsOfError(error) });
    },
    outcome: (order, outcome) => {
      if (isOwnAlert(order)) return;
      if (!(outcome instanceof ArError)) record(resultOf(order, outcome));
      else if (outcome.code !== 'not-held' || order.onlyWhenDue !== true) {
        record({ result: 'failed', ...factsOfOrder(order), ...factsOfError(outcome) });
      }
    },
    repaired: ({ driver }, { ended, orphans, reapplied, mended, removed, trouble }) => {
      for (const action of ended) {
        const isOver = action.deadlineAt !== undefined && action.deadlineAt <= Date.now();
        record({ result: isOver ? 'expired' : 'reverted', verb: 'delete', ...factsOf(action) });
      }
      const facts = { verb: 'repair' as const, driver, reapplied, removed };
      if (trouble !== undefined) record({ result: 'failed', ...facts, reason: trouble });
      else if (reapplied + mended + removed + orphans.length > 0) {
        record({ result: 'repaired', ...facts, adopted: orphans.length });
      }
    },
    breaker: ({ open, why, refused }) =>
      record({
        result: open ? 'suspended' : 'resumed',
        verb: 'breaker',
        code: open ? 'breaker-open' : undefined,
        reason: why === 'held' ? 'alerts hold too much' : 'alerts ask for too much at once',
        refused: open ? undefined : refused,
      }),
    released: (action, what) =>
      record({ result: 'released', verb: 'delete', ...factsOf(action), reason: what }),
    trouble: () => {},
  };
}

function resultOf(
  order: Order,
  outcome: Exclude<Parameters<Reporter['outcome']>[1], ArError>,
): Result {
  const { action, kind } = outcome;
  const facts = { verb: order.verb, ...factsOf(action) };
  switch (kind) {
    case 'active':
      return { result: outcome.refreshed ? 'refreshed' : 'applied', ...facts };
    case 'waiting':
      return { result: kind, ...facts, next_try: iso(outcome.nextAt) };
    case 'reverted': {
      const others = outcome.stillHeldBy.join(',');
      const result = hasExpired(action, order) ? 'expired' : kind;
      return { result, ...facts, still_held_by: others === '' ? undefined : others };
    }
    default:
      return { result: kind, ...facts };
  }
}

/**
 * An active response that is set off by alerts of this very log, and fails, would go on for ever: what
 * comes of it is in the agent's own log only.
 */
function isOwnAlert({ origin, facts }: Pick<Request, 'origin' | 'facts'>): boolean {
  const id = Number(origin.ruleId);
  return (
    (id >= ownRules.from && id <= ownRules.to) || facts?.groups?.includes(ownRules.group) === true
  );
}

function factsOf(action: Action): Omit<Result, 'result' | 'verb'> {
  return {
    response: action.response,
    ...factsOfTarget(action),
    driver: action.instance.driver,
    action: action.id,
    until: action.deadlineAt === undefined ? undefined : iso(action.deadlineAt),
    pre_existing: action.preExisting ? true : undefined,
    reason: action.trouble,
    ...factsOfOrigin(action.origin),
  };
}

function factsOfOrder(order: Order): Omit<Result, 'result'> {
  const { verb, response, instance, origin } = order;
  const target = factsOfTarget(order);
  return { verb, response, ...target, driver: instance.driver, ...factsOfOrigin(origin) };
}

/** Nothing of it is checked: an address that is none is not told as one. */
function factsOfRequest(request: Request): Omit<Result, 'result'> {
  const { verb, response, srcip, user, file, key, origin } = request;
  return {
    verb,
    response: response.slice(0, 256),
    target: srcip ?? user ?? file ?? key,
    srcip: srcip !== undefined && isIP(srcip) !== 0 ? srcip : undefined,
    user: srcip === undefined ? user?.slice(0, 256) : undefined,
    ...factsOfOrigin(origin),
  };
}

function factsOfTarget({ target }: Pick<Order, 'target'>): Partial<Result> {
  const { kind, text } = target;
  return {
    target: text,
    srcip: kind === 'address' ? text : undefined,
    user: kind === 'user' ? text : undefined,
  };
}

function factsOfOrigin({ dialect, by, reason, ruleId, alertId }: Origin): Partial<Result> {
  return { dialect, by, cause: reason, rule_id: ruleId, alert_id: alertId };
}

function factsOfError(error: unknown): Pick<Result, 'code' | 'reason'> {
  const { code, message } = describeError(error);
  return { code, reason: message };
}
