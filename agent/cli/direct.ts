/** The agent's work without an agent: for `--direct`, `--dry-run` and the commands on the journal. */

import { devNull } from 'node:os';
import { type Composed, compose } from '../compose.ts';
import { currentSystem, defaultPaths } from '../config/default-paths.ts';
import type { Reporter } from '../desk/desk.ts';
import { openArConf } from '../execd/ar-conf.ts';
import { parseLine } from '../intake/message.ts';
import { createLog } from '../observe/log.ts';
import { createCommands } from '../policy/commands.ts';
import { describeOutcome } from '../reply.ts';
import { openLogs } from '../report/logs.ts';
import { loadHere } from '../settle/load-here.ts';
import { prepareStateFolder } from '../system/folders.ts';
import type { Commands } from '../words.ts';
import { type CommonFlags, placesOf } from './agent.ts';
import { remark } from './output.ts';

/** An agent that has the journal locked may be about to let go of it. */
const lockWaitMs = 5_000;
const silent: Reporter = {
  refused: () => {},
  outcome: () => {},
  repaired: () => {},
  trouble: () => {},
};

/** Carries out one request here. Throws `journal-locked` when an agent runs on this journal. */
export async function actDirect(flags: CommonFlags, request: object): Promise<object> {
  return withStages(flags, async (composed) => {
    if (composed.journal.isNew) await composed.flow.recover({ adopt: true });
    return accept(composed, request);
  });
}

/** Where active-responses.log is, by the configuration. */
export async function findManagerLog(flags: CommonFlags): Promise<string> {
  const { config } = await load(flags);
  return config.activeResponsesLog ?? defaultPaths().activeResponsesLog;
}

/** Opens the journal for the time of `work`, as an agent would. */
export async function withStages<Answer>(
  flags: CommonFlags,
  work: (composed: Composed) => Promise<Answer>,
): Promise<Answer> {
  process.umask(0o077);
  const { config } = await load(flags);
  const paths = defaultPaths();
  const state = flags.state ?? paths.stateFolder;
  await prepareStateFolder(state, currentSystem());
  const log = createLog('warn', config.logFile ?? devNull);
  const logs = openLogs(config, log, (file, error) =>
    remark(`${file} cannot be written: ${String(error)}`),
  );
  const composed = await compose({
    config,
    state,
    lockWaitMs,
    report: logs.report,
  });
  try {
    return await work(composed);
  } finally {
    await composed.flow.stop({ revert: false });
    await logs.flush();
    composed.journal.close();
    log.flush();
  }
}

/** The steps of a request, planned with a journal that holds nothing. */
export async function planDirect(flags: CommonFlags, request: object): Promise<object> {
  const composed = await composeInMemory(flags);
  return accept(composed, request);
}

/** The stages with a journal that nobody keeps: they can plan and explain, and change nothing. */
export async function composeInMemory(flags: CommonFlags): Promise<Composed> {
  const { config } = await load(flags);
  return compose({ config, state: ':memory:', report: silent });
}

async function load(flags: CommonFlags) {
  const { config: file } = placesOf(flags);
  const loaded = await loadHere(file);
  for (const warning of loaded.warnings) remark(warning);
  return loaded;
}

async function accept(composed: Composed, request: object): Promise<object> {
  const message = parseLine(JSON.stringify(request), await commandsOf(composed));
  if ('error' in message) throw message.error;
  if (message.ask.kind !== 'act') throw new Error('only add and delete can be done directly');
  return describeOutcome(await composed.flow.accept(message.ask.request));
}

/** The names by which managers ask, as the agent has them. */
async function commandsOf(composed: Composed): Promise<Commands> {
  const arConf = await openArConf(composed, createLog('error', devNull));
  const { commands: definitions, repeatedOffenderSeconds } = composed.settled().config;
  return createCommands(() => ({ arConf: arConf.lines(), definitions, repeatedOffenderSeconds }));
}
