/**
 * A folder in which files are kept where nobody can run them, until they are put back. Every file there
 * has a record beside it that says where it came from: what is in a record is ours. How files are
 * moved is in agent/system/quarantine/.
 */
import type {
  Driver,
  Effect,
  Examined,
  Facts,
  FoundEffect,
  Memory,
  Question,
  Reading,
  Settings,
  Usability,
} from '../driver.ts';
import type {
  ExaminedFile,
  FileState,
  HeldFile,
  QuarantineListing,
  Step,
  StepResult,
} from '../step.ts';
import type { FileTarget } from '../target.ts';

export const defaults = {
  folder: '/var/lib/ar-exec/quarantine',
  /** Folders, one a line; config/path-defaults.ts has those of every agent. */
  roots: '',
  /** Files and folders, one a line. */
  never: '',
} as const;

/** To read a file once: 30 minutes are enough for 90 GB from a disk that does 50 MB a second. */
const deadlineMs = 1_800_000;
const batchSize = 100;

/** What differs by the system. */
export interface QuarantineWays {
  readonly name: string;
  readonly settings: Settings;
  readonly system?: 'win32';
  /** Whether this can be done here at all. */
  readonly needs: { readonly step: Step; why(answer: StepResult | undefined): string | undefined };
  isBelow(path: string, above: string): boolean;
  parse(path: string): FileTarget | undefined;
}

export function quarantineDriver(ways: QuarantineWays): Driver<FileTarget> {
  const { name, settings, needs } = ways;
  const where = ways.system === undefined ? {} : { system: ways.system };
  const folder = settings['folder'] ?? defaults.folder;
  const list = { kind: 'list-quarantine', path: folder } as const;
  return {
    name,
    settings,
    traits: {
      selfExpiring: false,
      prefixes: false,
      batchSize,
      comesBack: true,
      adoptsForGood: true,
    },
    probe: {
      steps: [list, needs.step],
      read: ([listing, answer]) => readProbe(folder, listing, needs.why(answer), ways),
    },
    inspect: { steps: [list], read: ([listing]) => readListing(folder, listing, ways) },
    examine: (target, facts) => examine(target, facts, folder, ways),
    container: () => undefined,
    apply: (effects) =>
      effects.flatMap(({ target, memory }) => {
        const file = memory === undefined ? undefined : fileOf(target, memory);
        const pinned = memory?.['pinned'] === 'yes';
        return file === undefined
          ? []
          : [{ kind: 'take-file' as const, ...where, ...file, folder, pinned, deadlineMs }];
      }),
    revert: (effects) =>
      effects.flatMap(({ target, memory }: Effect<FileTarget>) => {
        const file = memory === undefined ? undefined : fileOf(target, memory);
        return file === undefined
          ? []
          : [{ kind: 'put-back-file' as const, ...where, ...file, folder, deadlineMs }];
      }),
  };
}

function examine(
  target: FileTarget,
  { sha256, sha1 }: Facts,
  folder: string,
  ways: QuarantineWays,
): Question<Examined> {
  const path = target.text;
  const where = ways.system === undefined ? {} : { system: ways.system };
  const why = whyNever(path, folder, ways);
  if (why !== undefined) {
    return { steps: [], read: () => ({ fit: false, refusal: 'protected', why }) };
  }
  const pinned = sha256 !== undefined || sha1 !== undefined;
  return {
    steps: [{ kind: 'examine-file', ...where, path, folder, sha256, sha1, deadlineMs }],
    read: ([result]) => readExamined(result, pinned),
  };
}

/** By its name alone; that no link leads elsewhere is seen when it is looked at. */
function whyNever(
  path: string,
  folder: string,
  { settings, isBelow: isIn }: QuarantineWays,
): string | undefined {
  const isBelow = (above: string): boolean => isIn(path, above);
  const roots = lines(settings['roots']);
  if (!roots.some(isBelow)) {
    const where = roots.length === 0 ? 'nowhere' : `from below ${roots.join(', ')} only`;
    return `is not where files are taken from (quarantine/roots: ${where})`;
  }
  if (isBelow(folder)) return 'is in the quarantine folder';
  const never = lines(settings['never']).find(isBelow);
  return never === undefined ? undefined : `is never taken (quarantine/never: ${never})`;
}

function lines(text: string | undefined): string[] {
  return (text ?? '').split('\n').filter(Boolean);
}

function readExamined(result: StepResult | undefined, pinned: boolean): Examined {
  const unknown = (why: string): Examined => ({ fit: 'unknown', why });
  if (result === undefined || result.failure !== undefined) {
    return unknown(`cannot be looked at: ${result?.stderr || 'no answer'}`);
  }
  const found = parse<ExaminedFile>(result);
  if (found?.fit === true && typeof found.name === 'string') {
    const { name, sha256, state } = found;
    return { fit: true, memory: { name, sha256, pinned: pinned ? 'yes' : 'no', ...state } };
  }
  return found?.fit === false ? found : unknown('the look at it gave no answer');
}

const stateParts = ['dev', 'ino', 'size', 'uid', 'gid', 'mode', 'mtimeNs', 'ctimeNs'] as const;

/** What the steps need, from the journal. */
function fileOf({ text: path }: FileTarget, memory: Memory): Omit<HeldFile, 'takenAt'> {
  const of = (part: string): string => memory[part] ?? '';
  const state = Object.fromEntries(stateParts.map((part) => [part, of(part)]));
  return {
    path,
    name: of('name'),
    sha256: of('sha256'),
    state: state as unknown as FileState,
  };
}

function readProbe(
  folder: string,
  listing: StepResult | undefined,
  why: string | undefined,
  ways: QuarantineWays,
): Usability {
  const unusable = (text: string): Usability => ({ usable: false, why: text, families: [] });
  if (why !== undefined) return unusable(why);
  const reading = readListing(folder, listing, ways);
  return reading.known ? { usable: true, why: folder, families: [] } : unusable(reading.why);
}

function readListing(
  folder: string,
  result: StepResult | undefined,
  { parse: parsePath }: QuarantineWays,
): Reading<FileTarget> {
  const unknown = (why: string): Reading<FileTarget> => ({
    known: false,
    why: `${folder}: ${why}`,
  });
  if (result === undefined || result.failure !== undefined) {
    return unknown(result?.stderr || 'cannot be listed');
  }
  const listing = parse<QuarantineListing>(result);
  if (!Array.isArray(listing?.held) || !Array.isArray(listing.leftovers)) {
    return unknown('the answer was not understood');
  }
  const { held, leftovers } = listing;
  const effects = new Map<string, FoundEffect<FileTarget>>();
  // A file that was taken, came back, and was taken again is kept twice. The later one counts; when
  // it has been put back, the earlier one comes to light.
  for (const one of held.toSorted((a, b) => a.takenAt.localeCompare(b.takenAt))) {
    const target = parsePath(one.path);
    if (target === undefined) return unknown(`${one.name}.json names no file`);
    const { name, sha256, state } = one;
    effects.set(target.text, { target, memory: { name, sha256, pinned: 'no', ...state } });
  }
  return {
    known: true,
    containers: [],
    effects: [...effects.values()],
    foreign: [],
    setup: () => [],
    teardown: () =>
      leftovers.length === 0 ? [] : [{ kind: 'tidy-quarantine', path: folder, names: leftovers }],
  };
}

function parse<Answer>(result: StepResult): Answer | undefined {
  try {
    return JSON.parse(result.stdout) as Answer;
  } catch {
    return undefined;
  }
}
