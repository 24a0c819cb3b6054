import type { Composed } from './compose.ts';
import type { ExecdStatus } from './execd/execd.ts';
import { describeBreaker } from './reply.ts';
import { version } from './version.ts';

interface StatusFacts {
  readonly startedAt: number;
  readonly connections: number;
  /** Undefined when nobody's execd is replaced. */
  readonly execd: ExecdStatus | undefined;
}

/** The state of the agent, as `status` tells it. */
export function describeStatus(
  { flow, journal, clock, settled, breaker }: Composed,
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
    };
  });
  const counts = journal.counts();
  const breakerNow = breaker.state();
  const healthy =
    !breakerNow.open &&
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
    drivers,
    choices,
  };
}
