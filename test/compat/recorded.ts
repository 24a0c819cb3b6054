/**
 * Runs of Wazuh's own executables (4.14.7 and 5.0, on Linux), recorded one by one: the lines that came
 * in, what went out, the exit status, the log with `TS` for the time, and what changed on the machine.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

export interface Recorded {
  /** With the version before it. */
  readonly name: string;
  readonly bin: string;
  readonly lines: readonly string[];
  readonly stdout: string;
  readonly exit: number;
  readonly log: string;
  readonly before: Standing;
  readonly after: Standing;
}

/** What stands on a machine, as far as these responses go. */
export interface Standing {
  /** Addresses whose packets are dropped; one that is dropped by two rules stands twice. */
  readonly dropped: readonly string[];
  /** hosts.deny, line by line. */
  readonly hostsDeny: readonly string[];
  /** Accounts that no password opens. */
  readonly locked: readonly string[];
  /** Accounts that have expired. */
  readonly expired: readonly string[];
}

interface Change {
  readonly before: string;
  readonly after: string;
}

/** Every file of the folder, in the order in which the runs were recorded. */
export function readRecorded(folder: string): Recorded[] {
  return globSync(join(folder, '*.jsonl'))
    .sort()
    .flatMap((file) =>
      readFileSync(file, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => fromJson(basename(file, '.jsonl'), JSON.parse(line))),
    );
}

function fromJson(
  version: string,
  run: Omit<Recorded, 'name'> & { case: string; changed: Record<string, Change> },
): Recorded {
  const { bin, lines, stdout, exit, log, changed } = run;
  const standing = (when: keyof Change): Standing => ({
    dropped: [
      ...touched(changed['iptables'], when, droppedIn),
      ...touched(changed['ip6tables'], when, droppedIn),
    ].sort(),
    hostsDeny: linesOf(changed['hosts.deny']?.[when]),
    locked: touched(changed['shadow'], when, lockedIn),
    expired: [],
  });
  const [before, after] = [standing('before'), standing('after')];
  return { name: `${version}: ${run.case}`, bin, lines, stdout, exit, log, before, after };
}

/** Of what stands, only what the run has changed: earlier runs have left the rest. */
function touched(
  change: Change | undefined,
  when: keyof Change,
  read: (text: string) => string[],
): string[] {
  if (change === undefined) return [];
  const count = (text: string, one: string): number =>
    read(text).filter((other) => other === one).length;
  return read(change[when]).filter((one) => count(change.before, one) !== count(change.after, one));
}

function droppedIn(rules: string): string[] {
  return [...rules.matchAll(/^-A INPUT -s (\S+?)(?:\/32|\/128)? -j DROP$/gm)].map(
    ([, address = '']) => address,
  );
}

function lockedIn(shadow: string): string[] {
  return [...shadow.matchAll(/^(\S+?):!/gm)].map(([, name = '']) => name);
}

function linesOf(text = ''): string[] {
  return text.split('\n').filter((line) => line !== '');
}
