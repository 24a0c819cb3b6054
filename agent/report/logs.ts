/** The logs of what happened, for whoever runs the stages: the agent, or a command that needs none. */
import { dirname, join } from 'node:path';
import { defaultPaths } from '../config/default-paths.ts';
import type { Config } from '../config/settings.ts';
import type { Reporter } from '../desk/desk.ts';
import type { Log } from '../observe/log.ts';
import { createManagerLog } from '../observe/manager-log.ts';
import { createResultsLog } from '../observe/results-log.ts';
import { createReporter } from './report.ts';
import { createResultsReporter } from './report-results.ts';

export interface Logs {
  readonly report: Reporter;
  /** Resolves when all that was told is written, or cannot be. */
  flush(): Promise<void>;
}

/** `onTrouble` is told of a file that cannot be written, once when that begins. */
export function openLogs(
  config: Config,
  log: Log,
  onTrouble: (file: string, error: unknown) => void,
): Logs {
  const managerFile = config.activeResponsesLog ?? defaultPaths().activeResponsesLog;
  const managerLog = createManagerLog(managerFile, (error) => onTrouble(managerFile, error));
  const reporter = createReporter(log, managerLog);
  const resultsFile = config.resultsLog ?? join(dirname(managerFile), 'ar-exec-results.json');
  if (resultsFile === 'none') return { report: reporter, flush: managerLog.flush };
  const results = createResultsLog(resultsFile, (error) => onTrouble(resultsFile, error));
  return {
    report: tellBoth(reporter, createResultsReporter(results)),
    flush: async () => {
      await Promise.all([managerLog.flush(), results.flush()]);
    },
  };
}

function tellBoth(one: Reporter, other: Reporter): Reporter {
  return {
    refused: (request, error) => {
      one.refused(request, error);
      other.refused(request, error);
    },
    outcome: (order, outcome) => {
      one.outcome(order, outcome);
      other.outcome(order, outcome);
    },
    repaired: (instance, repaired, cause) => {
      one.repaired(instance, repaired, cause);
      other.repaired(instance, repaired, cause);
    },
    fight: (instance, fight) => {
      one.fight?.(instance, fight);
      other.fight?.(instance, fight);
    },
    flowsEnded: (ended) => {
      one.flowsEnded?.(ended);
      other.flowsEnded?.(ended);
    },
    breaker: (state) => {
      one.breaker?.(state);
      other.breaker?.(state);
    },
    released: (action, what) => {
      one.released?.(action, what);
      other.released?.(action, what);
    },
    trouble: (instance, error) => {
      one.trouble(instance, error);
      other.trouble(instance, error);
    },
  };
}
