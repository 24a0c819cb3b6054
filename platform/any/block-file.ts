/**
 * A folder with an empty file for each address, named by it: for programs of one's own that look there
 * whether an address is unwanted.
 *
 * Ours are the empty files with the sticky bit. On a plain file that bit means nothing, so nobody else
 * sets it; and it comes into being together with the file (open(2)), so that no moment and no power cut
 * leaves a file of ours without it. A line inside of the file would not have that, and those who read
 * the folder may expect empty files.
 */
import { posix } from 'node:path';
import type { Driver, DriverKind, Effect, Reading, Settings, Usability } from '../driver.ts';
import type { FolderListing, StepResult } from '../step.ts';
import { everyUnix } from '../system.ts';
import { type AddressTarget, isHost, parseTarget } from '../target.ts';

const defaultFolder = '/ipblock';
/** Never to be changed: an agent finds the files of an older one by it. */
const stickyBit = 0o1000;

export const blockFile: DriverKind<AddressTarget> = {
  name: 'block-file',
  defaults: { folder: defaultFolder },
  about: {
    add: 'makes an empty file with its name in a folder',
    remove: 'removes the file',
    systems: everyUnix,
    options: ['block_folder'],
  },
  make: (settings: Settings): Driver<AddressTarget> => {
    const path = settings['folder'] ?? defaultFolder;
    const list = { kind: 'list-folder', path } as const;
    // With `/.` it is true for a folder only; false on a read-only file system, for root too.
    const writable = (folder: string) =>
      ({ kind: 'command', tool: 'test', args: ['-w', `${folder.replace(/\/$/, '')}/.`] }) as const;
    return {
      name: 'block-file',
      settings,
      traits: { selfExpiring: false, prefixes: false, batchSize: 10_000 },
      probe: {
        steps: [list, writable(path), writable(posix.dirname(path))],
        read: (results) => readProbe(path, results),
      },
      inspect: { steps: [list], read: ([listed]) => readFolder(path, listed) },
      container: () => undefined,
      watch: [{ kind: 'files', paths: [path] }],
      apply: (effects) => [{ kind: 'name-files', path, add: namesOf(effects), remove: [] }],
      revert: (effects) => [{ kind: 'name-files', path, add: [], remove: namesOf(effects) }],
    };
  },
};

function namesOf(effects: readonly Effect<AddressTarget>[]): string[] {
  return effects.map(({ target }) => target.text);
}

function readProbe(path: string, results: readonly StepResult[]): Usability {
  const unusable = (why: string): Usability => ({ usable: false, why, families: [] });
  const [listed, itself, above] = results;
  const listing = parseListing(listed);
  if (typeof listing === 'string') return unusable(`${path}: ${listing}`);
  if ((listing.exists ? itself : above)?.failure !== undefined) {
    return unusable(
      listing.exists
        ? `${path} can not be written to`
        : `${path} is not there and can not be made in ${posix.dirname(path)}`,
    );
  }
  const made = listing.exists ? '' : ', made when it is needed';
  return { usable: true, why: `a file for each address in ${path}${made}`, families: [4, 6] };
}

function readFolder(path: string, listed: StepResult | undefined): Reading<AddressTarget> {
  const listing = parseListing(listed);
  if (typeof listing === 'string') return { known: false, why: `${path}: ${listing}` };
  const effects: { target: AddressTarget }[] = [];
  const foreign: AddressTarget[] = [];
  for (const { name, type, mode, size } of listing.entries) {
    const target = parseTarget(name);
    // Who looks for an address looks for its one canonical spelling.
    if (type !== 'file' || target?.text !== name || !isHost(target)) continue;
    if (size === 0 && (mode & stickyBit) !== 0) effects.push({ target });
    else foreign.push(target);
  }
  return { known: true, containers: [], effects, foreign, setup: () => [], teardown: () => [] };
}

/** The listing, or why there is none. */
function parseListing(listed: StepResult | undefined): FolderListing | string {
  if (listed === undefined || listed.failure !== undefined) {
    return listed?.stderr || 'can not be listed';
  }
  try {
    const value: unknown = JSON.parse(listed.stdout);
    if (isListing(value)) return value;
  } catch {
    // Said below.
  }
  return 'its listing is not understood';
}

function isListing(value: unknown): value is FolderListing {
  return (
    typeof value === 'object' &&
    value !== null &&
    'exists' in value &&
    'entries' in value &&
    Array.isArray(value.entries)
  );
}
