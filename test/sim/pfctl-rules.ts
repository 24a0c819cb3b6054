/** `pfctl -f`: as much of pf.conf(5) as transcripts and tests have. */
import { anchorAt, type Pf } from './pf-world.ts';
import type { PfctlOptions, Said } from './pfctl-options.ts';
import type { Answer, Call, SimSystem } from './simulator.ts';

export function loadRules(call: Call, asked: PfctlOptions, pf: Pf): Said | Answer {
  const { file = '', anchor = '', dry } = asked;
  // Said on macOS whatever comes of it.
  const warning = call.system === 'macos14' ? macWarning : [];
  const text = file === '-' ? call.stdin : call.readFile(file);
  if (text === undefined)
    return { err: [...warning, ...absent(call.system, file, dry)], exitCode: 1 };
  const name = file === '-' ? 'stdin' : file;
  const rules: string[] = [];
  const tables = new Map<string, { persist: boolean; constant: boolean }>();
  const errors: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.replace(/#.*$/, '').trim();
    if (words === '' || /^set skip on \S+$/.test(words)) continue;
    const table = /^table <([\w.-]+)>((?: persist| const)*)$/.exec(words);
    if (table?.[1] !== undefined) {
      const flags = table[2] ?? '';
      tables.set(table[1], { persist: /persist/.test(flags), constant: /const/.test(flags) });
      continue;
    }
    const rule = printed(words, call.system);
    if (rule === undefined) errors.push(`${name}:${index + 1}: syntax error`);
    else rules.push(rule);
  }
  if (errors.length > 0) {
    // Transcripts: of the main ruleset it says so besides, unless it was only to be tried.
    const last = anchor === '' && !dry ? [notLoaded] : [];
    return { err: [...warning, ...errors, ...last], exitCode: 1 };
  }
  if (dry) return { err: warning };
  const place = anchorAt(pf, anchor);
  place.rules = rules;
  for (const [table, { persist, constant }] of tables) {
    // A table that is there keeps what is in it (transcripts pf-states).
    const { entries } = place.tables[table] ?? { entries: [] };
    place.tables[table] = { entries, persist, ...(constant ? { constant } : {}) };
  }
  // Without rules, as from an empty file, nothing stays of an anchor (probe of OpenBSD 7.6).
  if (rules.length === 0 && Object.keys(place.tables).length === 0 && anchor !== '') {
    if (call.system === 'openbsd76') delete pf.anchors[anchor];
  }
  return { err: warning };
}

const notLoaded = 'pfctl: Syntax error in config file: pf rules not loaded';

/** Recorded on macOS by many. */
const macWarning = [
  'pfctl: Use of -f option, could result in flushing of rules',
  'present in the main ruleset added by the system at startup.',
  'See /etc/pf.conf for further details.',
  '',
];

/** Transcripts pf-anchors, pf-tables. */
function absent(system: SimSystem, file: string, dry: boolean): string[] {
  const where = system === 'freebsd13' || system === 'macos14' ? '' : 'pushfile: ';
  const no = 'No such file or directory';
  const err = [`pfctl: ${where}${file}: ${no}`, `pfctl: cannot open the main config file!: ${no}`];
  return dry ? err : [...err, notLoaded];
}

/** A rule as `-s rules` prints it; undefined: a syntax error, or nothing that this simulator knows. */
function printed(words: string, system: SimSystem): string | undefined {
  const anchor = /^anchor "([^"]+)"(?: (quick))?$/.exec(words);
  if (anchor !== null) return `anchor "${anchor[1]}"${anchor[2] ? ' quick' : ''} all`;
  const found =
    /^(pass|block)(?: drop)?(?: (in|out))?(?: (quick))?(?: on (\w+))?(?: (inet6?))?(?: proto (\w+))?(?:( all)|(?: from (\S+))?(?: to (\S+))?)$/.exec(
      words,
    );
  if (found === null) return undefined;
  const [, action, direction, quick, on, inet, proto, , from = 'any', to = 'any'] = found;
  if ([from, to].some((host) => !/^(any|<[\w.-]+>|[\da-f.:/]+)$/.test(host))) return undefined;
  const isHost = (host: string): boolean => /^[\d.:a-f/]+$/.test(host);
  const family = [from, to]
    .filter(isHost)
    .map((host) => (host.includes(':') ? 'inet6' : 'inet'))[0];
  const hosts = from === 'any' && to === 'any' ? 'all' : `from ${from} to ${to}`;
  // OpenBSD does not print what is the default.
  const state = system === 'openbsd76' ? 'flags S/SA' : 'flags S/SA keep state';
  return [
    action === 'block' ? 'block drop' : 'pass',
    direction,
    quick,
    on && `on ${on}`,
    inet ?? family,
    proto && `proto ${proto}`,
    hosts,
    action === 'pass' ? state : undefined,
  ]
    .filter((word) => word !== undefined && word !== '')
    .join(' ');
}
