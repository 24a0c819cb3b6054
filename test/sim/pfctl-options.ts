/** The command line of pfctl, as getopt(3) reads it, and the usage texts of transcripts. */
import { type Answer, answer, type Call, type SimSystem } from './simulator.ts';

export interface PfctlOptions {
  readonly anchor?: string;
  readonly table?: string;
  /** Of `-T`, with the words behind the options. */
  readonly command?: string;
  readonly words: readonly string[];
  readonly file?: string;
  readonly flush?: string;
  readonly show?: string;
  readonly kill: readonly string[];
  readonly release?: string;
  readonly reference?: boolean;
  readonly enable: boolean;
  readonly disable: boolean;
  readonly quiet: boolean;
  readonly dry: boolean;
  readonly verbose: number;
}

/** What it says before its usage. */
export interface UsageError {
  readonly refused: readonly string[];
}

/** What a part of pfctl said; it goes on after it unless it is over. */
export interface Said {
  readonly out?: readonly string[];
  readonly err?: readonly string[];
  readonly exitCode?: number;
}

export const unknown = (what: string): Answer =>
  answer(99, { err: [`simulator: not known: pfctl ${what}`] });

const commands = ['add', 'delete', 'expire', 'flush', 'kill', 'replace', 'show', 'test', 'zero'];
const flushes = ['all', 'info', 'nat', 'osfp', 'rules', 'Sources', 'states', 'Tables'];
const shows = [
  ...['all', 'Anchors', 'info', 'Interfaces', 'labels', 'memory', 'nat', 'osfp', 'queue'],
  ...['References', 'rules', 'Running', 'Sources', 'states', 'Tables', 'timeouts'],
];
/** Of the many that there are, those that this simulator knows. */
const withValue = 'aTtfFskX';
const alone = 'deEqnv';

/** Undefined: there is something that this simulator does not know. */
export function options({ args, system }: Call): PfctlOptions | UsageError | undefined {
  const given = new Map<string, string[]>();
  const words: string[] = [];
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? '';
    // The BSDs' getopt ends at the first word.
    if (words.length > 0 || !/^-./.test(arg)) words.push(arg);
    else if (arg === '--') {
      words.push(...args.slice(index + 1));
      break;
    } else {
      for (let place = 1; place < arg.length; place += 1) {
        const letter = arg[place] ?? '';
        const isOurs = !'EX'.includes(letter) || system === 'macos14';
        if (!`${withValue}${alone}`.includes(letter) || !isOurs) return undefined;
        const values = given.get(letter) ?? [];
        given.set(letter, values);
        if (alone.includes(letter)) values.push('');
        else {
          if (place + 1 < arg.length) values.push(arg.slice(place + 1));
          else {
            index += 1;
            const value = args[index];
            if (value === undefined) return { refused: [] };
            values.push(value);
          }
          break;
        }
      }
    }
  }
  if (args.length === 0) return { refused: [] };
  const last = (letter: string) => given.get(letter)?.at(-1);
  const wrong = [
    ['F', 'flush modifier', flushes],
    ['s', 'show modifier', shows],
    ['T', 'table command', commands],
  ] as const;
  for (const [letter, what, known] of wrong) {
    const value = last(letter);
    if (value !== undefined && !known.some((one) => one.startsWith(value))) {
      return { refused: [`pfctl: Unknown ${what} '${value}'`] };
    }
  }
  const [table, command] = [last('t'), last('T')];
  // OpenBSD and FreeBSD 15 want both or none; FreeBSD 13 does nothing then (transcripts pf-tables).
  const isHalf = (table === undefined) !== (command === undefined);
  if (isHalf && (command !== undefined || system === 'freebsd15' || system === 'openbsd76')) {
    return { refused: [] };
  }
  if (command === undefined && words.length > 0) {
    return { refused: [`pfctl: unknown command line argument: ${words[0]} ...`] };
  }
  // PF_TABLE_NAME_SIZE.
  if (table !== undefined && table.length > 31) return { refused: [] };
  return {
    ...pick({ anchor: last('a'), table, command, file: last('f'), flush: last('F') }),
    ...pick({ show: last('s'), release: last('X') }),
    words,
    kill: given.get('k') ?? [],
    reference: given.has('E'),
    enable: given.has('e'),
    disable: given.has('d'),
    quiet: given.has('q'),
    dry: given.has('n'),
    verbose: given.get('v')?.length ?? 0,
  };
}

function pick<Key extends string>(
  all: Record<Key, string | undefined>,
): Partial<Record<Key, string>> {
  return Object.fromEntries(
    Object.entries(all).filter(([, value]) => value !== undefined),
  ) as Partial<Record<Key, string>>;
}

const freebsd = (first: string) => [
  `usage: pfctl [-${first}] [-a anchor] [-D macro=value] [-F modifier]`,
  '\t[-f file] [-i interface] [-K host | network]',
  '\t[-k host | network | gateway | label | id] [-o level] [-p device]',
  '\t[-s modifier] [-t table -T command [address ...]] [-x level]',
];

/** Transcripts pf-tables, pf-anchors. */
export function usage(system: SimSystem): string[] {
  if (system === 'freebsd13') return freebsd('AdeghMmNnOPqRrvz');
  if (system === 'freebsd15') return freebsd('AdeghMmNnOPqRSrvz');
  return [
    'usage: pfctl [-deghNnPqrvz] [-a anchor] [-D macro=value] [-F modifier] [-f file]',
    '\t[-i interface] [-K key] [-k key] [-L statefile] [-o level]',
    '\t[-p device] [-S statefile] [-s modifier [-R id]]',
    '\t[-t table -T command [address ...]] [-V rdomain] [-x level]',
  ];
}
