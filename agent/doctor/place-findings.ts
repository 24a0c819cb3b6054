/** What there is to say about the folders that the agent writes to. */
import type { Finding } from '../../platform/driver.ts';
import type { System, Unix } from '../../platform/system.ts';

/** What was found at a path; agent/system/place.ts looks. */
export interface Place {
  readonly path: string;
  /** `hidden`: this user may not see it. */
  readonly kind: 'folder' | 'file' | 'other' | 'absent' | 'hidden';
  /** Of the owner. */
  readonly uid?: number | undefined;
  /** Permission bits. */
  readonly mode?: number | undefined;
  readonly writable: boolean;
  /** The kind of file system it is on, or will be on when it is made. */
  readonly fileSystem: 'disk' | 'memory' | 'network' | 'overlay' | 'unknown';
  readonly freeBytes?: number | undefined;
}

const mebibyte = 1_048_576;
const scarceBytes = 100 * mebibyte;
const fullBytes = 8 * mebibyte;

/** The folder of the journal. */
export function journalFindings(place: Place, uid: number): Finding[] {
  const { path, kind, mode = 0o700, uid: owner = uid } = place;
  if (kind === 'hidden') return [];
  const found: Finding[] = [];
  const problem = (id: string, what: string, remedy: string): void => {
    found.push({ id, level: 'problem', what, why: 'The agent does not start with it.', remedy });
  };
  if (kind === 'absent') {
    const what = `${path} is not there; it is made when the agent starts for the first time.`;
    found.push({ id: 'journal-folder-absent', level: 'note', what });
  } else if (kind !== 'folder') {
    problem('journal-folder-unusable', `${path} is not a folder.`, 'Name another with --state.');
  } else if (owner !== uid) {
    if (uid === 0) {
      const what = `${path}, the folder of the journal, belongs to user ${owner}.`;
      problem('journal-folder-owner', what, `chown root ${path}`);
    }
  } else if ((mode & 0o022) !== 0) {
    const what = `Others can write to ${path}, the folder of the journal.`;
    problem('journal-folder-open', what, `chmod 700 ${path}`);
  } else if (!place.writable) {
    const what = `${path}, the folder of the journal, cannot be written to.`;
    problem(
      'journal-folder-unwritable',
      what,
      'Mend the disk or its mount, or name another folder.',
    );
  }
  return [...found, ...fileSystemFindings(place), ...roomFindings(place)];
}

/** Journals that were damaged stay until a person has looked at them. */
export function asideFindings(path: string, names: readonly string[]): Finding[] {
  const aside = names.filter((name) => /^journal\.db\.damaged-[^-]+-\d\d-[^-]+$/.test(name));
  if (aside.length === 0) return [];
  const [first] = aside.sort();
  return [
    {
      id: 'journal-put-aside',
      level: 'warning',
      what: `${aside.length} damaged journals lie in ${path}, the first is ${first}.`,
      why: 'The agent put each aside and went on with what could be read of it; the disk may be failing.',
      remedy:
        'Look at the disk (dmesg, smartctl); compare "ar-exec list" with what should be held; then remove the files.',
    },
  ];
}

function fileSystemFindings({ path, fileSystem }: Place): Finding[] {
  const remedy = 'Name a folder on a disk of this machine with --state.';
  switch (fileSystem) {
    case 'memory':
      return [
        {
          id: 'journal-volatile',
          level: 'warning',
          what: `${path}, the folder of the journal, is in memory: it is gone after a restart.`,
          why: 'What outlasts a restart too (hosts.deny, accounts, files) is then not taken back.',
          remedy,
        },
      ];
    case 'network':
      return [
        {
          id: 'journal-remote',
          level: 'warning',
          what: `${path}, the folder of the journal, is on a file system of the network.`,
          why: 'Its locks do not hold there, and blocks wait for the network.',
          remedy,
        },
      ];
    case 'overlay':
      return [
        {
          id: 'journal-in-layer',
          level: 'note',
          what: `${path}, the folder of the journal, is in the writable layer of a container.`,
          why: 'It is gone when the container is made anew.',
          remedy: 'Mount a volume there.',
        },
      ];
    default:
      return [];
  }
}

function roomFindings({ path, freeBytes }: Place): Finding[] {
  if (freeBytes === undefined || freeBytes >= scarceBytes) return [];
  const full = freeBytes < fullBytes;
  return [
    {
      id: 'journal-room',
      level: full ? 'problem' : 'warning',
      what: `There are ${Math.floor(freeBytes / mebibyte)} MiB left for the journal in ${path}.`,
      why: 'Nothing is carried out that cannot be written down first.',
      remedy: 'Make room on that disk.',
    },
  ];
}

/** A log file, by the folder it is in. */
export function logFindings(what: string, file: string, folder: Place): Finding[] {
  if (folder.kind === 'hidden' || folder.kind === 'absent' || folder.writable) return [];
  return [
    {
      id: 'log-unwritable',
      level: 'warning',
      what: `${what} cannot be written: ${file}.`,
      why: 'What happens is not told there; it is done all the same.',
      remedy: `Mend ${folder.path} (it must be a folder that can be written to), or name another file.`,
    },
  ];
}

/** How a group is made: groupadd(8), pw(8), dseditgroup(8). */
const makingGroups: Readonly<Record<Unix, string>> = {
  linux: 'groupadd --system',
  freebsd: 'pw groupadd',
  dragonfly: 'pw groupadd',
  openbsd: 'groupadd',
  netbsd: 'groupadd',
  darwin: 'dseditgroup -o create',
};

/** The group that may use the socket. */
export function groupFindings(group: string, exists: boolean, system: System = 'linux'): Finding[] {
  // Access to a pipe of Windows is not by such a group.
  if (exists || system === 'win32') return [];
  return [
    {
      id: 'socket-group-absent',
      level: 'note',
      what: `There is no group ${group}: only root may use the socket.`,
      remedy: `To let others in: ${makingGroups[system]} ${group}, then restart the agent.`,
    },
  ];
}
