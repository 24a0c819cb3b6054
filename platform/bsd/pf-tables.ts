/** What pfctl says of tables and of what is in them. */
import { parsePrinted } from '../printed.ts';
import type { CommandStep, StepResult } from '../step.ts';
import type { AddressTarget } from '../target.ts';
import { inAnchor, type Place, pfctl, worked } from './pf-commands.ts';

/** A table, as `pfctl -vv -s Tables` tells of it. */
export interface Listed {
  /** With the anchor that it is in. */
  readonly name: string;
  readonly constant: boolean;
  readonly entries: number;
  /** Rules that name it, here or in an anchor below. */
  readonly references: number;
}

export function askTables(place: Place): CommandStep {
  return pfctl([...inAnchor(place), '-vv', '-s', 'Tables']);
}

export function askEntries(place: Place): CommandStep {
  return pfctl([...inAnchor(place), '-t', place.table, '-T', 'show']);
}

/**
 * A line of flags and name, then lines that begin with a tab. OpenBSD prints the anchor behind an `@`,
 * the others behind a tab (print_table in pfctl_table.c).
 */
export function readTables(listing: string): Listed[] {
  return listing.split(/^(?=[c-][p-][a-]\S*\t)/m).flatMap((part): Listed[] => {
    const [, flags = '', table = '', anchor = ''] =
      /^(\S+)\t([^\t@\n]+)[\t@]?(.*)$/m.exec(part) ?? [];
    const entries = /^\tAddresses:\s+(\d+)$/m.exec(part)?.[1];
    if (entries === undefined) return [];
    const [, anchors = 0, rules = 0] =
      /^\tReferences:\s+\[ Anchors: (\d+)\s+Rules: (\d+)\s+\]$/m.exec(part) ?? [];
    return [
      {
        name: anchor === '' ? table : `${anchor}/${table}`,
        constant: flags.startsWith('c'),
        entries: Number(entries),
        references: Number(anchors) + Number(rules),
      },
    ];
  });
}

export function fullName({ anchor, table }: Place): string {
  return anchor === '' ? table : `${anchor}/${table}`;
}

/** What is in a table; entries with a `!` are exceptions to others. */
export type Content =
  | { readonly there: 'no' }
  | { readonly there: 'unknown'; readonly why: string }
  | {
      readonly there: 'yes';
      readonly listed: Listed;
      readonly entries: readonly AddressTarget[];
      readonly exceptions: readonly AddressTarget[];
    };

/**
 * Two answers have to agree: an empty one is what a table says that is empty, and a failure what one
 * says that is not there. FreeBSD 13 has other words for that (transcript pf-tables.freebsd13).
 */
export function readContent(
  place: Place,
  tables: StepResult | undefined,
  shown: StepResult | undefined,
): Content {
  if (tables === undefined || shown === undefined) return { there: 'unknown', why: 'no answer' };
  const listed = worked(tables)
    ? readTables(tables.stdout).find(({ name }) => name === fullName(place))
    : undefined;
  if (!worked(shown)) {
    const isMissing =
      shown.exitCode === 255 && /Table does not exist|Unknown error: -1/.test(shown.stderr);
    if (isMissing && listed === undefined) return { there: 'no' };
    return { there: 'unknown', why: shown.stderr.trim() || (shown.failure ?? 'no answer') };
  }
  const lines = shown.stdout.split('\n').filter((line) => line !== '');
  const all = lines.flatMap((line) => readEntry(line) ?? []);
  if (listed === undefined || all.length !== lines.length || all.length !== listed.entries) {
    return { there: 'unknown', why: `${fullName(place)} is not as it was listed` };
  }
  return {
    there: 'yes',
    listed,
    entries: all.filter(({ except }) => !except).map(({ target }) => target),
    exceptions: all.filter(({ except }) => except).map(({ target }) => target),
  };
}

/** `   203.0.113.0/24`, `  !203.0.113.7` (print_addrx in pfctl_table.c). */
function readEntry(line: string): { target: AddressTarget; except: boolean } | undefined {
  const [, sign, text = ''] = /^ {2}([ !])(\S+)$/.exec(line) ?? [];
  const target = parsePrinted(text);
  return target === undefined ? undefined : { target, except: sign === '!' };
}
