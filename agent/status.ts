import type { Composed } from './compose.ts';
import { version } from './version.ts';

/** The state of the agent, as `status` tells it. */
export function describeStatus(
  { flow, journal, clock, settled }: Composed,
  { startedAt, connections }: { readonly startedAt: number; readonly connections: number },
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
  const healthy =
    counts.missing === 0 && counts.reverting === 0 && drivers.every((one) => !('trouble' in one));
  return {
    version,
    pid: process.pid,
    healthy,
    upSeconds: Math.round((clock.now() - startedAt) / 1_000),
    actions: counts,
    pending: desks.reduce((sum, desk) => sum + desk.pending(), 0),
    connections,
    journal: journal.file,
    drivers,
    choices,
  };
}
