import type { Composed } from './compose.ts';
import type { Desk } from './desk/desk.ts';
import type { ExecdStatus } from './execd/execd.ts';
import { describeBreaker, iso } from './reply.ts';
import { version } from './version.ts';

interface StatusFacts {
  readonly startedAt: number;
  readonly connections: number;
  /** Undefined when nobody's execd is replaced. */
  readonly execd: ExecdStatus | undefined;
}

/** How closely a driver's effects are looked after, and what had to be put right. */
function careOf(desks: readonly Desk[]): object {
  const cares = desks.flatMap((desk) => desk.care?.() ?? []);
  if (cares.length === 0) return {};
  const latest = cares.flatMap(({ last }) => last ?? []).toSorted((a, b) => b.at - a.at)[0];
  const notWatched = [...new Set(cares.flatMap(({ troubles }) => troubles ?? []))];
  return {
    watched: [...new Set(cares.flatMap(({ watched }) => watched ?? []))],
    ...(notWatched.length === 0 ? {} : { notWatched }),
    repairs: cares.reduce((sum, { repairs }) => sum + repairs, 0),
    ...(latest === undefined
      ? {}
      : {
          lastRepair: {
            at: iso(latest.at),
            noticedBy: latest.cause.by,
            ...(latest.cause.what === undefined ? {} : { what: latest.cause.what }),
          },
        }),
    ...(cares.some(({ fighting }) => fighting === true) ? { fighting: true } : {}),
  };
}

/** The state of the agent, as `status` tells it. */
export function describeStatus(
  { flow, journal, kept, clock, settled, breaker }: Composed,
  { startedAt, connections, execd }: StatusFacts,
): object {
  const desks = flow.desks();
  const { probes, choices } = settled();
  const drivers = probes.map(({ driver, usability }) => {
    const trouble = desks
      .filter((desk) => desk.instance.driver === driver)
      .flatMap((desk) => desk.trouble() ?? []);
    return {
      driver,
      usable: usability.usable,
      why: usability.why,
      families: usability.families,
      ...(trouble.length === 0 ? {} : { trouble }),
      ...careOf(desks.filter((desk) => desk.instance.driver === driver)),
    };
  });
  const mishaps = kept?.mishaps() ?? [];
  const counts = journal.counts();
  const breakerNow = breaker.state();
  const healthy =
    !breakerNow.open &&
    !journal.isPartial() &&
    counts.missing === 0 &&
    counts.reverting === 0 &&
    drivers.every((one) => !('trouble' in one)) &&
    execd?.sockets.every((one) => one.trouble === undefined) !== false;
  return {
    version,
    pid: process.pid,
    healthy,
    upSeconds: Math.round((clock.now() - startedAt) / 1_000),
    actions: counts,
    pending: desks.reduce((sum, desk) => sum + desk.pending(), 0),
    connections,
    breaker: describeBreaker(breakerNow),
    ...(execd === undefined ? {} : { execd }),
    journal: journal.file,
    ...(mishaps.length === 0 ? {} : { journalMishaps: mishaps }),
    drivers,
    choices,
  };
}
