/** Reading the configuration anew while the agent runs, and looking anew at what it comes to. */
import type { Composed } from './compose.ts';
import type { Config } from './config/settings.ts';
import { pauseMs } from './engine/backoff.ts';
import { describeError } from './errors.ts';
import type { Log } from './observe/log.ts';
import { loadHere } from './settle/load-here.ts';

export interface Reloaded {
  readonly file: string | null;
  readonly warnings: readonly string[];
  /** Settings that are other ones now, and count from the next start of the agent. */
  readonly nextStart: readonly string[];
}

/**
 * Reads the configuration anew and goes by it. Rejects with `config-invalid` when it is broken; then
 * everything stays as it was.
 */
export type Reload = () => Promise<Reloaded>;

interface ReloadOptions {
  readonly places: { readonly config?: string };
  readonly composed: Composed;
  readonly log: Log;
}

export function createReload({ places, composed, log }: ReloadOptions): Reload {
  const reload = async (): Promise<Reloaded> => {
    const before = composed.settled().config;
    const loaded = await loadHere(places.config);
    await composed.reload(loaded.config);
    log.setLevel(loaded.config.logLevel);
    const nextStart = changedForNextStart(before, loaded.config);
    for (const warning of loaded.warnings) log.warn({ warning }, 'configuration');
    log.info({ config: loaded.file ?? 'defaults', nextStart }, 'configuration read anew');
    for (const why of composed.settled().choices) log.info({ why }, 'chosen');
    return { file: loaded.file ?? null, warnings: loaded.warnings, nextStart };
  };
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const next = last.then(reload);
    last = next.catch(() => {});
    return next;
  };
}

/** The logs and the configuration anew, and a comparison. Never rejects: see `Agent`. */
export function createHangUp(parts: {
  readonly composed: Composed;
  readonly reload: Reload;
  readonly log: Log;
}): () => Promise<void> {
  const { composed, reload, log } = parts;
  return async () => {
    log.reopen();
    // A firewall that was started anew has us told so (agent/service/systemd.ts).
    const compared = composed.flow.desks().map((desk) => desk.reconcile(false));
    await reload().catch((error) =>
      log.error(describeError(error), 'the configuration stays as it was'),
    );
    await Promise.all(compared);
  };
}

/**
 * Looks, with growing pauses, whether a driver can be used by now that could not and said that it may soon:
 * where the machine has just started, what it stands on may still be on its way.
 */
export function createLookAgain(
  { composed, log }: { readonly composed: Composed; readonly log: Log },
  now: () => number = () => performance.now(),
): () => Promise<void> {
  let looks = 0;
  let dueAt = 0;
  return async () => {
    const before = composed.settled();
    if (!before.probes.some(({ usability }) => usability.again === true)) {
      looks = 0;
      return;
    }
    if (looks > 0 && now() < dueAt) return;
    await composed.lookAgain();
    dueAt = now() + pauseMs(looks);
    looks += 1;
    const news = composed.settled().choices.filter((why) => !before.choices.includes(why));
    if (news.length === 0) return;
    for (const why of news) log.info({ why }, 'chosen');
    await Promise.all(composed.flow.desks().map((desk) => desk.reconcile(false)));
  };
}

/** What is opened or started once. */
const once: readonly [element: string, read: (config: Config) => unknown][] = [
  ['socket_group', (config) => config.socketGroup],
  ['manager_queue', (config) => config.managerQueue],
  ['limits/connections', ({ limits }) => limits.connections],
  ['limits/message_bytes', ({ limits }) => limits.messageBytes],
  ['limits/pending_requests', ({ limits }) => limits.pendingRequests],
  ['limits/requests_per_second', ({ limits }) => limits.requestsPerSecond],
  ['limits/scripts_at_once', ({ limits }) => limits.scriptsAtOnce],
  ['log_file', (config) => config.logFile],
  ['active_responses_log', (config) => config.activeResponsesLog],
  ['results_log', (config) => config.resultsLog],
  ['dbus_socket', (config) => config.dbusSocket],
  ['alerts_file', (config) => config.alertsFile],
  ['reconcile_every', (config) => config.reconcileEverySeconds],
];

function changedForNextStart(before: Config, after: Config): string[] {
  return once.flatMap(([element, read]) => (read(before) === read(after) ? [] : [element]));
}
