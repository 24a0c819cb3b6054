/**
 * Looked at right before every batch: is there room for it, and does pf act on it now?
 *
 * OpenBSD's pfctl hangs in the kernel for ever when it runs into the limit of table entries, and every
 * pfctl after it (7.6), so that the limit must never be reached. FreeBSD fails cleanly.
 */
import type { Question } from '../driver.ts';
import type { StepResult } from '../step.ts';
import { type Place, pfctl, said, worked } from './pf-commands.ts';
import { askMain, readMain, unenforced } from './pf-enforcement.ts';
import { askTables, fullName, type Listed, readTables } from './pf-tables.ts';

/** Others add to their tables at any moment: so much of the limit is left to them, and at most this. */
const reserve = { part: 0.05, entries: 1_000 };

/**
 * All tables count, whatever anchor they are in. OpenBSD lists them all with `-a '*'`; others list
 * those of the main ruleset, which is why ours are asked for besides.
 */
export function hindrance(place: Place, count: number): Question<string | undefined> {
  return {
    steps: [
      ...askMain,
      pfctl(['-s', 'memory']),
      pfctl(['-a', '*', '-vv', '-s', 'Tables']),
      askTables(place),
    ],
    read: (results) => {
      const main = readMain(place, results);
      if (!main.known) return main.why;
      if (!main.enabled) return 'not enforced: pf is disabled';
      const own = worked(results[4]) ? readTables(results[4].stdout) : [];
      return (
        unenforced(place, main) ??
        theirsIsGone(place, own) ??
        noRoom(results.slice(askMain.length), own, count)
      );
    },
  };
}

/** What is added to a table that is not there makes one, which no rule asks for. */
function theirsIsGone(place: Place, tables: readonly Listed[]): string | undefined {
  if (place.ours || tables.some(({ name }) => name === fullName(place))) return undefined;
  return `not enforced: there is no table <${place.table}>`;
}

function noRoom(
  [memory, everywhere]: readonly StepResult[],
  own: readonly Listed[],
  count: number,
): string | undefined {
  if (!worked(memory)) {
    const why = memory === undefined ? 'no answer' : said(memory);
    return `nobody can say how many table entries there may be: ${why}`;
  }
  if (everywhere === undefined || everywhere.failure === 'timeout') {
    return 'nobody can say how many table entries there are';
  }
  const [found, limit] =
    /^table-entries\s+(?:hard limit\s+(\d+)|unlimited)\s*$/m.exec(memory.stdout) ?? [];
  if (found === undefined) {
    return 'pfctl -s memory does not say how many table entries there may be';
  }
  if (limit === undefined) return undefined;
  const listed = worked(everywhere) ? readTables(everywhere.stdout) : undefined;
  const tables = new Map([...(listed ?? []), ...own].map(({ name, entries }) => [name, entries]));
  const used = [...tables.values()].reduce((sum, entries) => sum + entries, 0);
  const most = Number(limit);
  const spared = Math.min(reserve.entries, Math.ceil(most * reserve.part));
  // Where nobody says what others have, half of it is theirs.
  const left = listed === undefined ? Math.floor(most / 2) : most - spared;
  if (used + count <= left) return undefined;
  return `pf has ${used} table entries of ${most}, and ${count} more would come too near to the limit (set limit table-entries)`;
}
