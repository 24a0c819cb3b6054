/** The running agent: open, probe, recover, listen, stop. */
import { longestSocketPath } from '../platform/system.ts';
import { startFollowing } from './alerts/following.ts';
import { createTriggering, type Triggering } from './alerts/triggering.ts';
import { createAnswer } from './answer.ts';
import { type Adornments, type Composed, compose } from './compose.ts';
import { currentSystem, defaultPaths } from './config/default-paths.ts';
import type { Loaded } from './config/load.ts';
import type { Cause } from './desk/attention.ts';
import { type Chore, startChores } from './engine/chores.ts';
import { describeError } from './errors.ts';
import { openArConf } from './execd/ar-conf.ts';
import { type Execd, startExecd } from './execd/execd.ts';
import type { Follower } from './intake/follow/follow.ts';
import { parseLine } from './intake/message.ts';
import { listen, type SocketServer } from './intake/server.ts';
import { startLookout } from './lookout.ts';
import { createLog, type Log, type LogOptions } from './observe/log.ts';
import { refuseSecondAgent } from './only-agent.ts';
import { createCommands } from './policy/commands.ts';
import { createHangUp, createLookAgain, createReload, type Reload } from './reload.ts';
import { type Logs, openLogs } from './report/logs.ts';
import { type LaterReporter, reportLater } from './report/report-later.ts';
import { loadHere } from './settle/load-here.ts';
import type { Settled } from './settle/settle.ts';
import { describeStatus } from './status.ts';
import { takePassedDatagramSockets } from './system/datagram-socket.ts';
import { prepareStateFolder, socketAccess } from './system/folders.ts';
import { giveUpRights } from './system/give-up.ts';
import { keepHeapSmall } from './system/heap.ts';
import { createRunner } from './system/runner.ts';
import { findServiceManager, type ServiceManager } from './system/service-manager.ts';
import { createTending, hasLost, tellMishaps } from './tend-journal.ts';
import { version } from './version.ts';
import type { Commands } from './words.ts';

/** The flags every subcommand has; what is absent has its default. */
export interface Places {
  readonly config?: string;
  readonly state?: string;
  readonly socket?: string;
}

export interface Agent {
  /**
   * Opens the log anew, as it may have been rotated, reads the configuration anew, and compares what the
   * machine holds. Never rejects: a broken configuration is logged, and the old one stays.
   */
  hangUp(): Promise<void>;
  /** Finishes what is in work and ends; effects stay, or go, as configured. */
  stop(): Promise<void>;
}

/** What is otherwise where something else started it; see cli/run-service.ts. */
export interface Surroundings {
  /** The log, if the configuration names none. */
  readonly logFile?: string;
  readonly log?: LogOptions;
}

const clockEverySeconds = 5;
const checkpointEverySeconds = 30;
const pruneEverySeconds = 3_600;
/**
 * A tool that an agent before this one had started can outlive it, wait for a lock (`-w 5`), and act
 * after the first look at the machine.
 */
const secondLookAfterMs = 7_000;
const dayMs = 86_400_000;

/** Starts the agent; resolves when it is ready: journal and machine agree, and the socket listens. */
export async function startAgent(
  places: Places,
  adornments: Adornments = {},
  surroundings: Surroundings = {},
): Promise<Agent> {
  process.umask(0o077);
  keepHeapSmall();
  const loaded = await loadHere(places.config);
  const { config } = loaded;
  const paths = defaultPaths();
  const state = places.state ?? paths.stateFolder;
  const socket = places.socket ?? paths.socket;
  const log = createLog(config.logLevel, config.logFile ?? surroundings.logFile, surroundings.log);
  const manager = findServiceManager((error) =>
    log.warn({ err: String(error) }, 'the service manager cannot be told'),
  );
  try {
    log.debug({ capabilities: giveUpRights(currentSystem()) }, 'given up');
    const passed = takePassedDatagramSockets();
    await refuseSecondAgent(socket);
    await prepareStateFolder(state, currentSystem());
    const logs = openLogs(config, log, (file, error) =>
      log.error({ file, err: String(error) }, 'a log cannot be written'),
    );
    const report = reportLater(logs.report);
    const composed = await compose({
      config,
      state,
      report,
      adornments,
      keeping: true,
      watching: true,
    });
    logStart(log, loaded, composed.settled(), state);
    const mishaps = composed.kept?.mishaps() ?? [];
    tellMishaps(log, mishaps);
    await composed.flow.recover({ adopt: composed.journal.isNew || hasLost(mishaps) });
    const reload = createReload({ places, composed, log });
    const arConf = await openArConf(composed, log);
    const commands = createCommands(() => {
      const { commands: definitions, repeatedOffenderSeconds } = composed.settled().config;
      return { arConf: arConf.lines(), definitions, repeatedOffenderSeconds };
    });
    const execd = await startExecd({ composed, commands, arConf, passed, log });
    const triggered = createTriggering(composed, (executable) =>
      log.info({ executable }, 'not present on this system, so alerts do not run it'),
    );
    const opening = { path: socket, composed, commands, execd, reload, triggered, log };
    const server = await openSocket(opening);
    const following = await startFollowing({ composed, triggered, log });
    const lookout = startLookout({
      composed,
      report,
      onTrouble: (error) => log.error(describeError(error), 'what must not be blocked'),
      system: currentSystem(),
    });
    await lookout.look();
    const chores = startAgentChores(composed, log, [
      { name: 'ar.conf', everySeconds: 5, work: () => arConf.refresh() },
      { name: 'journal', everySeconds: 5, work: createTending(composed, log) },
      { name: 'execd', everySeconds: 10, work: execd.look },
      { name: 'drivers', everySeconds: 5, work: createLookAgain({ composed, log }) },
    ]);
    log.info({ socket }, 'ready');
    manager.ready(`ready; ${composed.journal.liveCount()} held at the start`);
    const hangUp = createHangUp({ composed, reload, log });
    return {
      hangUp,
      stop: () => {
        lookout.stop();
        return stop({ composed, manager, server, execd, following, chores, log, report, logs });
      },
    };
  } catch (error) {
    log.flush();
    throw error;
  }
}

function logStart(log: Log, loaded: Loaded, { probes, choices }: Settled, state: string): void {
  log.info({ version, config: loaded.file ?? 'defaults', state }, 'starting');
  for (const warning of loaded.warnings) log.warn({ warning }, 'configuration');
  for (const { driver, usability } of probes) log.debug({ driver, ...usability }, 'probed');
  for (const why of choices) log.info({ why }, 'chosen');
}

interface Opening {
  readonly path: string;
  readonly composed: Composed;
  readonly commands: Commands;
  readonly execd: Execd;
  readonly reload: Reload;
  readonly triggered: Triggering;
  readonly log: Log;
}

async function openSocket(opening: Opening): Promise<SocketServer> {
  const { path, composed, commands, execd, reload, triggered, log } = opening;
  const { config } = composed.settled();
  const system = currentSystem();
  const startedAt = composed.clock.now();
  const server = await listen({
    path,
    longestPathBytes: longestSocketPath(system),
    ...(await socketAccess(config.socketGroup, system, createRunner())),
    connections: config.limits.connections,
    messageBytes: config.limits.messageBytes,
    requestsPerSecond: config.limits.requestsPerSecond,
    onTrouble: (what) => log.warn({ what }, 'intake'),
    parse: (line) => parseLine(line, commands),
    answer: createAnswer(composed, {
      status: () =>
        describeStatus(composed, {
          startedAt,
          connections: server.connections(),
          execd: execd.status(),
        }),
      reload,
      triggered,
    }),
  });
  return server;
}

function startAgentChores(
  { flow, journal, kept, clock, settled }: Composed,
  log: Log,
  others: readonly Chore[],
) {
  const reconcile = async (by: Cause['by']): Promise<void> => {
    const inUse = flow.desks().filter((desk) => desk.inUse());
    await Promise.all(inUse.map((desk) => desk.reconcile(false, { by })));
  };
  const watchClock = (): void => {
    const moved = clock.checkWall();
    if (moved !== 0) {
      log.warn({ movedMs: Math.round(moved) }, 'the wall clock was set; deadlines move with it');
      journal.shiftDeadlines(moved);
    }
    // While a machine is suspended timers stand still, and deadlines do not.
    for (const desk of flow.desks()) desk.deadlinesMoved();
  };
  const prune = (): void => {
    const { history, repeatedOffendersForgetSeconds } = settled().config;
    const { keepDays, keepEntries } = history;
    journal.forgetOffences(clock.now() - repeatedOffendersForgetSeconds * 1_000);
    const entries = journal.prune(clock.now() - keepDays * dayMs, keepEntries);
    if (entries > 0) log.info({ entries }, 'old history removed');
  };
  // Before a new journal there was no agent whose tools could still be at work.
  const isFirst = journal.isNew && kept?.mishaps().length === 0;
  const secondLook = isFirst
    ? undefined
    : setTimeout(() => void reconcile('start'), secondLookAfterMs);
  const chores = startChores(
    [
      { name: 'clock', everySeconds: clockEverySeconds, work: watchClock },
      {
        name: 'reconcile',
        everySeconds: settled().config.reconcileEverySeconds,
        work: () => reconcile('interval'),
      },
      {
        name: 'checkpoint',
        everySeconds: checkpointEverySeconds,
        work: () => journal.checkpoint(),
      },
      { name: 'prune', everySeconds: pruneEverySeconds, work: prune },
      ...others,
    ],
    () => performance.now(),
    (chore, error) => log.error({ chore, err: String(error) }, 'a chore failed'),
  );
  return {
    stop: () => {
      clearTimeout(secondLook);
      chores.stop();
    },
  };
}

interface Running {
  readonly composed: Composed;
  readonly manager: ServiceManager;
  readonly server: SocketServer;
  readonly execd: Execd;
  readonly following: Pick<Follower, 'stop'> | undefined;
  readonly chores: { stop(): void };
  readonly log: Log;
  readonly report: LaterReporter;
  readonly logs: Logs;
}

async function stop(running: Running): Promise<void> {
  const { composed, manager, server, execd, following, chores, log, report, logs } = running;
  const { flow, journal } = composed;
  const { onStop } = composed.settled().config;
  const revert = onStop === 'revert';
  log.info({ held: journal.liveCount(), onStop }, 'stopping');
  manager.stopping();
  chores.stop();
  await execd.stop();
  const followed = following?.stop();
  const stopped = flow.stop({ revert });
  await server.close();
  await stopped;
  await followed;
  report.flush();
  await logs.flush();
  log.info({ held: journal.liveCount() }, 'stopped');
  journal.close();
  log.flush();
}
